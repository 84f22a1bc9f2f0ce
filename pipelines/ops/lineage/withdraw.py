"""Withdraw a clip: write its content hash to `withdrawn` in params.yaml, so that no manifest lists it."""

import re

from pipelines.core import params
from pipelines.ops.lineage import clips, runs, targets
from pipelines.ops.lineage.revision import LOCK, LineageError, Revision

SHA256 = re.compile(r"[0-9a-f]{64}")
AFTER = "audio"  # `withdrawn` is inserted before this section of params.yaml


def find(revision: Revision, asked: str, whole_group: bool = False) -> dict[str, list[tuple[str, dict]]]:
    """SHA-256 -> (dataset, row of its manifest) of each clip to withdraw: the one that `asked` names (id, path, title), and with
    `whole_group` all clips of its group (work, artist) in its dataset.

    A complete SHA-256 is accepted even if no manifest lists it: it excludes a file that may be added later, or one that was
    withdrawn before. Empty if there is no such clip; raises `LineageError` if there are several.
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
    """SHA-256 -> reason of each withdrawn clip in params.yaml."""
    found = revision.settings.get("withdrawn")
    pairs = found.items() if isinstance(found, dict) else ()
    return {content: str(why) for content, why in pairs if isinstance(content, str)}


def former(revision: Revision, asked: str) -> list[tuple[str, dict]]:
    """(dataset, row of its manifest) of a withdrawn clip that `asked` names, from the last committed result with it, since the
    revision's manifests no longer list it. Empty if there is none, or no such manifest is available."""
    gone, path, seen = reasons(revision), targets.relative(asked), set()
    for commit in runs.commits(revision, LOCK) if gone else ():
        then = Revision(commit["commit"])
        try:
            manifests = {then.hash(path) for path in clips.manifests(then).values()}
            if manifests <= seen:
                continue
            seen |= manifests
            rows = clips.find(then, path) or (path != asked and clips.find(then, asked)) or []
        except LineageError:  # a damaged dvc.lock, or a name that several clips had
            continue
        if rows and rows[0][1]["sha256"] in gone:
            return clips.find(then, rows[0][1]["sha256"])
    return []


def write(reasons: dict[str, str]) -> list[str]:
    """Add SHA-256 -> reason to `withdrawn`, and keep the rest of params.yaml with its comments. Returns the new ones."""
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
            known.insert(0, content, why)  # first, because a comment before the next section belongs to the last entry
    return list(new)
