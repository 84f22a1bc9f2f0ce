"""Views of clips other than their sound, one vector a clip: `views.<name>` in params.yaml, `kind` names the module.

    vocal_words: {dataset: vocal, kind: words}
    songs_notes: {dataset: songs, kind: notes, path: /music/songs/midi, fingerprint: ""}

Without `path` a view is of what the dataset's module has left beside the sound, `words.parquet` or `notes.parquet` in data/raw/
(pipelines/datasets/__init__.py). With `path` it is of your own folder, a file a clip: that of `audio/happy/song.wav` is
`happy/song.txt`, or just `song.txt` if no other clip is called so. A clip without a file has no vector: the table lacks it, and
no study reads the table. `fingerprint` names the bytes that are meant; `conservatory run` updates it.

A module has `SUFFIXES`, `OWN` (the file in data/raw/), `from_file(content) -> vector`, which raises `ValueError` for a file
that it cannot read, and `from_table(table) -> {path: vector}` of that file. A vector is `{name: value}`, None where there are no
words or notes.
"""

from collections.abc import Iterable, Mapping
from itertools import takewhile
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
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not found:
        raise ValueError(f"{root} has no file that ends in {' or '.join(suffixes)}")
    return found


def matched(clips: Mapping[str, str], files: Iterable[Path]) -> dict[str, Path]:
    """Clip id -> its file, of the clips that have one. clips: clip id -> path.

    A file is of the clip with its name, without suffix; of several, of the one with which it shares most folders at the end of
    the path. Raises `ValueError` where two clips share equally many with a file, or two files with a clip.
    """
    named: dict[str, list[str]] = {}
    for clip_id, path in clips.items():
        named.setdefault(PurePosixPath(path).stem, []).append(clip_id)
    own: dict[str, list[tuple[int, Path]]] = {}
    for file in files:
        shared = {clip_id: _shared(clips[clip_id], file) for clip_id in named.get(file.stem, ())}
        best = [clip_id for clip_id, n in shared.items() if n == max(shared.values())]
        if len(best) > 1:
            both = " or of ".join(clips[clip_id] for clip_id in best[:2])
            raise ValueError(f"{file} may be of {both}: give files the folders of their clips")
        for clip_id in best:
            own.setdefault(clip_id, []).append((shared[clip_id], file))
    return {clip_id: _only(clips[clip_id], found) for clip_id, found in own.items()}


def _shared(path: str, file: Path) -> int:
    """How many names both have at their ends, without suffix."""
    pairs = zip(reversed(PurePosixPath(path).with_suffix("").parts), reversed(file.with_suffix("").parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _only(path: str, found: list[tuple[int, Path]]) -> Path:
    """The file that shares most with a clip."""
    most = max(n for n, _ in found)
    best = [file for n, file in found if n == most]
    if len(best) > 1:
        raise ValueError(f"{path} may have {best[0]} or {best[1]}: remove one")
    return best[0]
