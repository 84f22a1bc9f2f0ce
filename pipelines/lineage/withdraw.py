"""A clip withdrawn: its content's hash goes to `withdrawn` in params.yaml, and no dataset's manifest lists it any more."""

import re

from pipelines import params
from pipelines.lineage import clips, targets
from pipelines.lineage.revision import LOCK, LineageError, Revision

SHA256 = re.compile(r"[0-9a-f]{64}")
AFTER = "audio"  # the section of params.yaml before which `withdrawn` stands where it is not there yet


def find(revision: Revision, asked: str, whole_group: bool = False) -> dict[str, list[tuple[str, dict]]]:
    """SHA-256 -> (dataset, row of its manifest) of each clip to withdraw: what `asked` names (id, path, title), and with
    `whole_group` all clips of its group (work, artist) in its dataset. A whole SHA-256 that no manifest lists is taken as it
    is: it keeps out what may come. Empty where there is no such clip; raises `LineageError` where there are several.
    """
    path = targets.relative(asked)
    rows = (
        (clips.find(revision, path) or (path != asked and clips.find(revision, asked))) if revision.read(LOCK) else []
    )
    if not rows:
        return {asked: []} if SHA256.fullmatch(asked) else {}
    if len({row["sha256"] for _, row in rows}) > 1:
        raise LineageError(
            f"{asked!r} names several clips: {', '.join(row['clip_id'] for _, row in rows)}. Give one's id."
        )
    contents = [rows[0][1]["sha256"]]
    for dataset, row in rows if whole_group else []:
        table = clips.read(revision, dataset)
        contents += table.loc[table["group"] == row["group"], "sha256"].tolist()
    return {content: clips.find(revision, content) for content in dict.fromkeys(contents)}


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
