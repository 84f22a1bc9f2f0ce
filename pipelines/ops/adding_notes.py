"""The entry of params.yaml that `conservatory add` writes for a folder of MIDI, tunes or scores, and the summary it prints."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from pipelines.core import max_quarantined
from pipelines.core.files import place
from pipelines.core.plain import one_line
from pipelines.corpora import folder
from pipelines.datasets.listing import SourceError
from pipelines.notes.tables import Unreadable

SPLIT = {"split": {"train": 0.6, "validation": 0.15, "test": 0.25}, "seed": 2026}


def is_collection(path: Path) -> bool:
    """Whether `path` is a folder that holds files of notes and no audio. Raises `SourceError` where it holds both; XML files
    beside audio are no scores."""
    root = place(path)
    if not root.is_dir():
        return False
    from pipelines.datasets import listing

    files = [file for file in root.rglob("*") if file.is_file() and not file.name.startswith(".")]
    notes = [file for file in files if file.suffix.lower() in folder.SUFFIXES]
    audio = [file for file in files if file.suffix.lower() in listing.AUDIO_SUFFIXES] if notes else []
    if audio:
        notes = [file for file in notes if file.suffix.lower() != ".xml"]
    if notes and audio:
        kind = _kind(notes)
        raise SourceError(
            f"{path} contains {len(notes)} {kind} and {len(audio)} audio files, for instance {one_line(notes[0].name)} and "
            f"{one_line(audio[0].name)}: put the {kind} files into a folder of their own, and add each folder under its own name"
        )
    return bool(notes)


def _kind(files: Iterable[Path]) -> str:
    """What to call files of notes."""
    return "MIDI" if all(file.suffix.lower() in folder.MIDI for file in files) else "note"


def entry(path: Path, first_folder: str) -> tuple[dict, pd.DataFrame]:
    """(entry of `corpora`, listing: `path`, `sha256`, `problem`) of a folder of files of notes.

    first_folder: what the first folder of a path is, `label` or `group`. Raises `SourceError` where no file can be read."""
    root = place(path)
    try:
        files = folder.scan(root)
    except ValueError as error:
        raise SourceError(str(error)) from error
    reasons = Counter(files.loc[files["problem"] != "", "problem"])
    for name in files.loc[files["problem"] == "", "path"]:
        try:
            folder.read(root / name, (root / name).read_bytes())
            break
        except Unreadable as error:
            reasons[str(error)] += 1
    else:
        found = "; ".join(f"{n} x {why}" for why, n in reasons.most_common(3))
        raise SourceError(f"No file in {path} can be used: {found}")
    found = {
        "module": "folder",
        "imports": "pipelines/notes/midi",
        "path": str(path.absolute()),
        "fingerprint": folder.fingerprint(files),
        "folders": first_folder,
    }
    return found | SPLIT, files


def summary(name: str, entry: dict, files: pd.DataFrame) -> Iterator[str]:
    """Lines about a listing: its labels or groups, and what will not be read."""
    usable = files[files["problem"] == ""]
    parts = usable["path"].map(lambda path: Path(path).parts)
    counts = Counter(part[0] for part in parts if len(part) > 1)
    what = f"{entry['folders']}{'s' * (len(counts) != 1)}"
    kind = _kind(map(Path, usable["path"]))
    yield f"Added {name}: {len(usable)} {kind} file{'s' * (len(usable) != 1)}, {len(counts) or 'no'} {what}."
    for folder_name, n in sorted(counts.items()):
        yield f"  {n:6d}  {one_line(folder_name)}"
    for problem, n in Counter(files.loc[files["problem"] != "", "problem"]).items():
        yield f"  {n:6d}  {'ignored' if problem == max_quarantined.NOT_NOTES else 'will be quarantined'}: {problem}"
    if entry["folders"] == "label" and not any(len(part) > 2 for part in parts):
        yield (
            "Note: each piece counts as independent. To keep the pieces of a work or composer on one side of the split, use "
            "<label>/<group>/<file>, or --folders group."
        )
    shares = ", ".join(f"{side} {share:.0%}" for side, share in entry["split"].items())
    yield f"The split is {shares} of the pieces, by groups (corpora.{name}.split in params.yaml)."
    yield (
        f"Next: conservatory run --dataset {name}. Representations of notes are named under `symbols` in params.yaml, and `runs` "
        "read them (docs/datasets.md)."
    )
