"""Withdraw a clip: write its content hash to `withdrawn` in params.yaml, so that no manifest lists it."""

import re

from pipelines.core import params
from pipelines.ops.lineage import clips, runs, targets
from pipelines.ops.lineage.revision import LOCK, LineageError, Revision

SHA256 = re.compile(r"[0-9a-f]{64}")
AFTER = "audio"  # the section of params.yaml before which `withdrawn` stands where it is not there yet


def find(revision: Revision, asked: str, whole_group: bool = False) -> dict[str, list[tuple[str, dict]]]:
    """SHA-256 -> (dataset, row of its manifest) of each clip to withdraw: what `asked` names (id, path, title), and with
    `whole_group` all clips of its group (work, artist) in its dataset. A whole SHA-256 that no manifest lists is taken as it
    is: it keeps out what may come, and so is what was withdrawn and left the manifests since. Empty where there is no such clip;
    raises `LineageError` where there are several.
    """
    path = targets.relative(asked)
    rows = (
        (clips.find(revision, path) or (path != asked and clips.find(revision, asked))) if revision.read(LOCK) else []
    )
    rows = rows or former(revision, asked)
    if not rows:
        known = [content for content in reasons(revision) if asked in (content, content[:16])]
        return {content: [] for content in known} or ({asked: []} if SHA256.fullmatch(asked) else {})
    if len({row["sha256"] for _, row in rows}) > 1:
        raise LineageError(
            f"{asked!r} names several clips: {', '.join(row['clip_id'] for _, row in rows)}. Give one's id."
        )
    contents = [rows[0][1]["sha256"]]
    for dataset, row in rows if whole_group else []:
        table = clips.read(revision, dataset) if dataset in clips.manifests(revision) else None
        contents += [] if table is None else table.loc[table["group"] == row["group"], "sha256"].tolist()
    return {content: clips.find(revision, content) for content in dict.fromkeys(contents)}


def reasons(revision: Revision) -> dict[str, str]:
    """SHA-256 -> why, of what params.yaml has as withdrawn."""
    found = revision.settings.get("withdrawn")
    pairs = found.items() if isinstance(found, dict) else ()
    return {content: str(why) for content, why in pairs if isinstance(content, str)}


def former(revision: Revision, asked: str) -> list[tuple[str, dict]]:
    """(dataset, row of its manifest) of what `asked` names and was withdrawn, in the last result that a commit has with it: no
    manifest of the revision need list it any more. Empty where there is none, or no such manifest is at hand."""
    gone, path, seen = reasons(revision), targets.relative(asked), set()
    for commit in runs.commits(revision, LOCK) if gone else ():
        then = Revision(commit["commit"])
        try:
            manifests = {then.hash(path) for path in clips.manifests(then).values()}
            if manifests <= seen:
                continue
            seen |= manifests
            rows = clips.find(then, path) or (path != asked and clips.find(then, asked)) or []
        except LineageError:  # a dvc.lock that is not whole, or a name that several clips had
            continue
        if rows and rows[0][1]["sha256"] in gone:
            return clips.find(then, rows[0][1]["sha256"])
    return []


def write(reasons: dict[str, str]) -> list[str]:
    """Add SHA-256 -> why to `withdrawn`; the rest of params.yaml, comments too, stays as it is. Returns those that are new."""
    from ruamel.yaml.comments import CommentedMap  # slow to import

    with params.editing() as document:
        known = document.get("withdrawn") or CommentedMap()
        new = {content: why for content, why in reasons.items() if content not in known}
        if "withdrawn" not in document:
            names = list(document)
            document.insert(names.index(AFTER) if AFTER in names else len(names), "withdrawn", known)
        known.fa.set_block_style()
        document["withdrawn"] = known
        for content, why in new.items():
            known.insert(0, content, why)  # first, because a comment before the next section hangs on the last entry
    return list(new)
