"""Views of clips other than their sound, one vector a clip: `views.<name>` in params.yaml, `kind` names the module.

    vocal_words: {dataset: vocal, kind: words}
    songs_notes: {dataset: songs, kind: notes, path: /music/songs/midi, fingerprint: ""}

Without `path` a view is of what the dataset's module has left beside the sound, `words.parquet` or `notes.parquet` in data/raw/
(pipelines/datasets/__init__.py). With `path` it is of your own folder, a file a clip: that of `happy/song.wav` is
`happy/song.txt`, or `song.txt` in any folder if no other file and no other clip is called so. A clip without a file has no
vector: the table lacks it, and no study reads the table. `fingerprint` names the bytes that are meant; `conservatory run` updates
it.

A module has `SUFFIXES`, `OWN` (the file in data/raw/), `from_file(content) -> vector`, which raises `ValueError` for a file
that it cannot read, and `from_table(table) -> {path: vector}` of that file. A vector is `{name: value}`, None where there are no
words or notes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType

from pipelines.core import plugins

FOLDER = "pipelines/views"


def load(kind: str) -> ModuleType:
    """The module of a kind of view. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("kind of view", FOLDER, kind, "from_file")


def files_of(root: Path, suffixes: Iterable[str]) -> list[Path]:
    """The files below `root` with these suffixes, relative to it and sorted, without hidden ones. Raises `ValueError` where there
    is none."""
    found = sorted(
        path.relative_to(root)
        for path in root.rglob("*")
        if path.suffix.lower() in suffixes and path.is_file() and not any(part.startswith(".") for part in path.parts)
    )
    if not found:
        raise ValueError(f"{root} has no file that ends in {' or '.join(suffixes)}")
    return found


def matched(clips: Mapping[str, str], files: Iterable[Path]) -> dict[str, Path]:
    """Clip id -> its file, of the clips that have one. clips: clip id -> path.

    Names are compared without suffix: the last folder and the name, else the name alone where one clip and one file have it.
    Raises `ValueError` where several files or clips have a clip's name, and folders do not tell them apart.
    """
    files = list(files)
    by_two, by_one = _by_end(files, 2), _by_end(files, 1)
    names = _by_end(map(PurePosixPath, clips.values()), 1)
    found = {}
    for clip_id, path in clips.items():
        of_two, of_one = by_two.get(_end(PurePosixPath(path), 2), []), by_one.get(_end(PurePosixPath(path), 1), [])
        if len(of_two) == 1:
            found[clip_id] = of_two[0]
        elif of_two or of_one:
            alike = of_two or of_one
            if len(alike) > 1 or len(names[_end(PurePosixPath(path), 1)]) > 1:
                raise ValueError(
                    f"{', '.join(map(str, alike[:3]))} may be of {path} or of another clip of this name: give files the folder "
                    "and the name of their clip"
                )
            found[clip_id] = alike[0]
    return found


def _by_end(paths: Iterable, n: int) -> dict[tuple, list]:
    found: dict[tuple, list] = {}
    for path in paths:
        found.setdefault(_end(path, n), []).append(path)
    return found


def _end(path, n: int) -> tuple:
    """The last `n` names of a path, without suffix."""
    return path.with_suffix("").parts[-n:]
