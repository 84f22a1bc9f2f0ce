"""Select the clips a tagger trains on: clips of the training dataset, without the classes of `training.leave_out`."""

import pandas as pd
import pyarrow as pa

from pipelines.core.tables import column

ROLES = {
    "reference": "taggers are trained on it",
    "validation": "taggers are chosen by it",
    "held_out": "a test clip of a class in training",
    "outside": "of a left-out class, and of a work without training clips",
    "shared": "of a left-out class, but its work has training clips of another class",
}

# data/space/clips.parquet, with the `target_*` columns of the manifest
CLIPS = pa.schema(
    [
        column("clip_id", pa.string(), "a clip of the training dataset", unique=True),
        column("group", pa.string(), "its work or artist"),
        column("role", pa.string(), "reference, validation, held_out, outside or shared"),
    ]
)


def left_out(clips: pd.DataFrame, leave_out: dict[str, list[str]] | None) -> pd.Series:
    """Mask of the clips that no tagger may hear: those of the classes in `leave_out` (target -> classes).

    clips: rows of a manifest. Raises `SystemExit` with what there is where a target or a class is unknown.
    """
    mask = pd.Series(False, index=clips.index)
    for target, classes in (leave_out or {}).items():
        column = f"target_{target}"
        if column not in clips:
            known = [name.removeprefix("target_") for name in clips if name.startswith("target_")]
            raise SystemExit(
                f"training.leave_out in params.yaml names the target {target!r}, which training.dataset does not have; it has "
                f"{', '.join(known) or 'none'} ({{}} leaves nothing out)"
            )
        classes, known = [str(name) for name in classes], sorted(clips[column].dropna().unique())
        unknown = [name for name in classes if name not in known]
        if unknown:
            raise SystemExit(
                f"training.leave_out.{target} in params.yaml names {', '.join(map(repr, unknown))}, which no clip of "
                f"training.dataset has; its classes are {', '.join(known)}"
            )
        mask |= clips[column].isin(classes)
    return mask


def roles(clips: pd.DataFrame, leave_out: dict[str, list[str]] | None) -> pd.Series:
    """The role of each clip of the training dataset in training: a key of `ROLES`.

    A left-out clip whose group (work, artist) has training clips of another class is "shared", not "outside".
    """
    left = left_out(clips, leave_out)
    role = clips["split"].map({"train": "reference", "validation": "validation"}).fillna("held_out")
    known = training_groups(role[~left], clips["group"])
    role[left] = clips.loc[left, "group"].isin(known).map({True: "shared", False: "outside"})
    return role


def training_groups(role: pd.Series, group: pd.Series) -> set[str]:
    """The groups of training and validation clips."""
    trained = role[role.isin(["reference", "validation"])].index
    return set(group.loc[trained])


def in_words(leave_out: dict[str, list[str]] | None) -> str:
    """For people: "style ryan, trecento", or "nothing"."""
    parts = [f"{target} {', '.join(map(str, classes))}" for target, classes in (leave_out or {}).items() if classes]
    return "; ".join(parts) or "nothing"
