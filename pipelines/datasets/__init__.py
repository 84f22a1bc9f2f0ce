"""One module per dataset, all with the same interface; `datasets.<name>.module` in params.yaml names the module.

A module has, in this order: a docstring that says what the music is, `BIBTEX`, `LICENSE_INFO`, and

`build(raw_dir: Path, entry: dict) -> dict`
    Fill `raw_dir` (data/raw/<name>/, empty) with the published files, verified, or with files built from installed
    packages. `entry` is the dataset's entry of params.yaml. Returns figures for the stage's record.
`clips(raw_dir: Path, entry: dict) -> pandas.DataFrame`
    One row per clip: `CLIP_COLUMNS`, and one `target_<name>` column (string, may be null) per clustering target.

A module may have a third, `events(raw_dir: Path, entry: dict) -> pandas.DataFrame`: targets aligned to time (core/events.py), a
row an event, with the columns `core.events.GIVEN` and perhaps `value`. Messages call the table by its `attrs["file"]`.

A module never decodes audio and never drops a clip: unreadable files are rows like any other, and the
manifest and audio stages move them to the quarantine table with the reason. It may leave
`notes.parquet` (schema `core.manifest.NOTES`) in `raw_dir`: the exact notes of its clips, and `words.parquet` (columns `path` and
`words`): their words. Views of the clips are made of both (pipelines/views).
"""

from types import ModuleType

from pipelines.core import plugins

CLIP_COLUMNS = {
    "path": "audio file, relative to raw_dir, or absolute where the user's files stay where they are",
    "title": "title of the clip for display",
    "tags": "list of strings: the multi-label truth, empty where there is none",
    "split": "train, validation, test, or all where there is no split",
    "group": "work or artist, never on two sides of a split; empty: the artist in the file's tags",
    "source": "source of the music",
    "licence": "the licence of that source",
}


def load(entry: dict) -> ModuleType:
    """The module of a dataset's entry. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("dataset module", "pipelines/datasets", entry["module"], "clips")
