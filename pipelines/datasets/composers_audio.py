"""Excerpts of Bach, Palestrina, Monteverdi and Beethoven, rendered: the corpus `composers` as sound, to set beside its notes.

One program (a church organ) plays every note of every clip with one velocity, so that neither timbre nor loudness tells the
composer; tempo (a band of beats a minute) and level are drawn without looking at him, and noise 60 dB below the peak covers
digital silence and the empty bands of the spectrum. What is left are the notes: their register, how many sound together, how fast
they follow each other, and in which order.

**The group of a clip is its work**, works with the same music being one (pipelines/symbolic/similarity.py), and the split is by
group. Each composer has as many clips: a piece of each of his works in a seeded order, then second ones, and more than one
excerpt of a piece only where he has fewer pieces than clips (Beethoven has 22). The scores are those inside the installed
music21; nothing is downloaded.

Options of an entry: `clips_per_composer`, `duration_s`, `sample_rate`, `split` (shares of the sides), `seed`.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import soundfile

from pipelines.core import splits
from pipelines.core.files import atomic
from pipelines.core.manifest import NOTES
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import executor
from pipelines.harness.progress import progress
from pipelines.symbolic import composers, corpus, excerpt, render, selection, similarity, soundfonts
from pipelines.symbolic.score import Music

BIBTEX = corpus.BIBTEX
LICENSE_INFO = (
    "scores: distributed with music21, whose licence for its corpus says that encodings may be under copyright and restricted in "
    f"commercial use; {soundfonts.TIMGM6MB}"
)
PROGRAM, VELOCITY = 19, 90  # church organ: it neither decays nor follows velocity
LEVELS_DBFS = (-26.0, -20.0)
FLOOR_DB = -60.0  # noise, below the peak

CLIPS = pa.schema(
    [
        column("path", pa.string(), "audio file, relative to raw_dir", unique=True),
        column("title", pa.string(), "work, and where the excerpt starts"),
        column("tags", pa.list_(pa.string()), "composer"),
        column("split", pa.string(), "train, validation, test"),
        column("group", pa.string(), "works with the same music"),
        column("source", pa.string(), "package, version and file"),
        column("licence", pa.string(), "licence of scores and SoundFont"),
        column("target_composer", pa.string(), "composer"),
        column("bpm", pa.float64(), "beats a minute", unit="1/min"),
        column("level_dbfs", pa.float64(), "target RMS", unit="dBFS"),
    ]
)


@dataclass(frozen=True)
class Excerpt:
    """The `part`-th of `n_parts` stretches of a piece, from which a clip is taken."""

    composer: str
    piece: corpus.Piece
    music: Music
    part: int
    n_parts: int


@dataclass(frozen=True)
class Task:
    """A clip to render, for a worker process."""

    path: Path
    notes: np.ndarray
    sample_rate: int
    duration_s: float
    level_dbfs: float
    seed: tuple[int, ...]


def build(raw_dir: Path, entry: dict) -> dict:
    """Read, choose, render and split. Writes audio/<composer>/*.flac, notes.parquet and clips.parquet."""
    rows, sounding, chosen = [], [], []
    for number, composer in enumerate(composers.STYLES):
        for place, one in enumerate(_choose(composer, entry, np.random.default_rng([entry["seed"], number]))):
            row, notes = _clip(one, entry, np.random.default_rng([entry["seed"], number, place]))
            rows.append(row | {"path": f"audio/{composer}/{place:04d}.flac"})
            sounding.append(notes)
            chosen.append(one)
    groups, pairs = _groups(chosen)
    frame = pd.DataFrame(rows).assign(group=groups)
    frame["split"] = splits.assign(frame["group"], frame["target_composer"], entry["split"], entry["seed"])
    tasks = [
        Task(
            raw_dir / row.path,
            notes,
            entry["sample_rate"],
            entry["duration_s"],
            row.level_dbfs,
            (entry["seed"], number),
        )
        for number, (row, notes) in enumerate(zip(frame.itertuples(), sounding, strict=True))
    ]
    for _ in progress(executor.run(_write_audio, tasks), "render excerpts", total=len(tasks)):
        pass
    table = [pd.DataFrame(notes).assign(path=path) for path, notes in zip(frame["path"], sounding, strict=True)]
    write_table(pd.concat(table, ignore_index=True)[NOTES.names], raw_dir / "notes.parquet", NOTES)
    write_table(frame[CLIPS.names], raw_dir / "clips.parquet", CLIPS)
    return {
        "clips": len(frame),
        "groups": int(frame["group"].nunique()),
        "pairs of works with the same music": pairs,
        "groups per composer": {
            composer: {side: int(part.loc[part["split"] == side, "group"].nunique()) for side in splits.SIDES}
            for composer, part in frame.groupby("target_composer")
        },
    }


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """The contract's columns, from the table that `build` left."""
    table = read_table(raw_dir / "clips.parquet", CLIPS)
    return table[CLIPS.names[: CLIPS.names.index("bpm")]]


def _choose(composer: str, entry: dict, rng: np.random.Generator) -> list[Excerpt]:
    """As many excerpts as the entry asks for. Raises `ValueError` where the composer has too little music."""
    works: dict[str, list[corpus.Piece]] = {}
    for _, piece in composers.pieces([composer]):
        works.setdefault(piece.work, []).append(piece)
    turns = []
    for work in rng.permutation(sorted(works)).tolist():
        turns += [(turn, works[work][i]) for turn, i in enumerate(rng.permutation(len(works[work])))]
    unread = [
        piece for _, piece in sorted(turns, key=lambda pair: pair[0])
    ]  # the first of each work, then the second, ...
    wanted, found = entry["clips_per_composer"], []
    most = -(-wanted // len(unread))  # excerpts of a piece
    while unread and len(found) < wanted:
        batch, unread = unread[: wanted - len(found)], unread[wanted - len(found) :]
        read = progress(executor.run(selection.read_or_reason, batch), f"read {composer}", total=len(batch))
        for piece, music in zip(batch, read, strict=True):
            if isinstance(music, Music):
                n = min(most, excerpt.capacity(music, entry["duration_s"]))
                found += [Excerpt(composer, piece, music, part, n) for part in range(n)]
    if len(found) < wanted:
        raise ValueError(f"{composer}: music for {len(found)} clips, not {wanted} (clips_per_composer in params.yaml)")
    return found[:wanted]


def _clip(one: Excerpt, entry: dict, rng: np.random.Generator) -> tuple[dict, np.ndarray]:
    """(row of `CLIPS` without path, group and split, notes of `NOTES` without path)."""
    slow, fast = list(excerpt.TEMPO_BANDS.values())[rng.integers(len(excerpt.TEMPO_BANDS))]
    bpm, level = float(np.exp(rng.uniform(np.log(slow), np.log(fast)))), float(rng.uniform(*LEVELS_DBFS))
    start = excerpt.choose_start(one.music, bpm, entry["duration_s"], one.part, one.n_parts, rng)
    cut = excerpt.cut(one.music, start, bpm, entry["duration_s"])
    notes = np.empty(len(cut.notes), dtype=[*excerpt.SOUND.descr, ("program", "i4"), ("velocity", "i4")])
    for name in excerpt.SOUND.names:
        notes[name] = cut.notes[name]
    notes["program"], notes["velocity"] = PROGRAM, VELOCITY
    row = {
        "title": f"{one.piece.title}, from bar {int(cut.bars['number'][0])}",
        "tags": [f"composer:{one.composer}"],
        "source": f"music21 {version('music21')}, corpus/{one.piece.path}",
        "licence": LICENSE_INFO,
        "target_composer": one.composer,
        "bpm": bpm,
        "level_dbfs": level,
    }
    return row, notes


def _groups(chosen: list[Excerpt]) -> tuple[list[str], int]:
    """(the group of each excerpt, pairs of pieces with the same music)."""
    music = {one.piece: one.music for one in chosen}
    works = [piece.work for piece in music]
    pairs = similarity.same_music([similarity.lines(each) for each in music.values()], works)
    groups = dict(zip(works, similarity.merge(works, pairs), strict=True))
    return [groups[one.piece.work] for one in chosen], len(pairs)


def _write_audio(task: Task) -> None:
    sound = render.mix(task.notes, task.sample_rate, task.duration_s, task.level_dbfs)
    floor = float(np.abs(sound).max()) * 10 ** (FLOOR_DB / 20)
    sound += np.random.default_rng(task.seed).uniform(-floor, floor, len(sound)).astype(np.float32)
    with atomic(task.path) as temporary:
        soundfile.write(temporary, sound, task.sample_rate, format="FLAC", subtype="PCM_16")
