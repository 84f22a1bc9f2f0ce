"""Chorales of four voices, each voice rendered alone: a clip is the sum of its stems, with the exact notes of each.

The chorales are those inside the installed music21, the sound is TimGM6mb.sf2: figures are about rendered scores, not recordings.
The stems are in `stems/` (core/stems.py); a clip is their sum sample by sample. Excerpts of one work, and works with the same
music under other names (pipelines/symbolic/similarity.py), are one group; the split is by group, so all stems of a work are on
one side.

Chorale voices sound in 98.5% of all frames, which makes activity trivial. So a recipe draws for each excerpt what plays:

`clips`: how many excerpts, one a work. `duration_s`, `sample_rate`, `split`, `seed`: as in `scores`.
`instruments`: the level of difficulty. `fixed` - flute, clarinet, horn and cello, stems soprano, alto, tenor, bass; `families` -
    four different families drawn for each excerpt, and a program of each; a stem is a family (brass, strings). `one` - a program
    drawn for all four voices, with the stems of `fixed`, so that only the line tells them apart.
`families`: those that are drawn from, of instruments.FAMILIES and FURTHER; without it FAMILIES. A bass plays the lowest voice.
`absent`: the probability that a voice does not play in an excerpt; one always does. Its stem is not there.
`muted`: the share of spans of 1 to 4 s in which a voice is silent.
`level_db`: the gain of each part is drawn from -level_db to +level_db; without it all have equal power while they sound.
`drums`: the probability that drums play along (symbolic/drums.py), stem `drums`; `muted` and `level_db` hold for them too. Their
    hits are in drums.parquet (program: the kit; pitch: the key). Without it no drums play.
`soundfont`, `soundfont_sha256`, `splits`: as in `scores`: the same music and draws in another timbre.
"""

from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import soundfile

from pipelines.core import events as time_events
from pipelines.core import splits, stems
from pipelines.core.files import atomic
from pipelines.core.manifest import NOTES
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import executor
from pipelines.harness.progress import progress
from pipelines.symbolic import (
    corpus,
    drums,
    excerpt,
    instruments,
    render,
    selection,
    similarity,
    soundfonts,
)

BIBTEX = corpus.BIBTEX
MUSIC21 = (
    "(c) 2003, 2004 Margaret Greentree, used by permission; distributed with music21, whose licence for its corpus says that "
    "encodings may be under copyright and restricted in commercial use"
)
LICENSE_INFO = f"Chorales: {MUSIC21}. S{soundfonts.TIMGM6MB[1:]}."

VOICES = ("soprano", "alto", "tenor", "bass")
DRUMS = "drums"
"""Stem, family and note label of drums; the name of the table of their hits."""
FIXED = (73, 71, 60, 42)
"""Programs of `instruments: fixed`: flute, clarinet, horn, cello."""
BPM = (60.0, 110.0)
SPAN_S = (1.0, 4.0)
LEVELS_DBFS = (-26.0, -20.0)  # the range from which a clip's RMS is drawn
VELOCITIES = (56, 105)

CLIPS = pa.schema(
    [
        column("path", pa.string(), "audio file, relative to raw_dir", unique=True),
        column("title", pa.string(), "the work, and where the excerpt starts"),
        column("tags", pa.list_(pa.string()), "families that play"),
        column("split", pa.string(), "train, validation, test"),
        column("group", pa.string(), "works with the same music"),
        column("source", pa.string(), "package, version and file"),
        column("licence", pa.string(), "licence stated in the files"),
        column("target_instrument_family", pa.string(), "the family with the most note-seconds"),
    ]
)


@dataclass(frozen=True)
class Part:
    """A voice of an excerpt, or its drums: its stem, and its notes as `render.render` plays them. gain_db: beside the others."""

    stem: str
    notes: np.ndarray
    gain_db: float

    @property
    def family(self) -> str:
        return DRUMS if self.stem == DRUMS else instruments.FAMILY[int(self.notes["program"][0])]


@dataclass(frozen=True)
class Task:
    """A clip that a worker renders. path: relative to `raw_dir`."""

    raw_dir: Path
    path: str
    parts: tuple[Part, ...]
    sample_rate: int
    duration_s: float
    level_dbfs: float
    font: Path


def build(raw_dir: Path, entry: dict) -> dict:
    """Read, draw, split and render. Writes audio/*.flac, stems/, notes.parquet, clips.parquet, and drums.parquet where `drums` is
    above 0. Raises `ValueError` for a family that is not known, and for fewer than four."""
    font = soundfonts.find(entry.get("soundfont"), entry.get("soundfont_sha256"))
    chosen, rejected = choose(entry["clips"], entry["seed"])
    works = [piece.work for piece, _ in chosen]
    pairs = similarity.same_music([similarity.lines(music) for _, music in chosen], works)
    groups = similarity.merge(works, pairs)
    sides = splits.assign(groups, [""] * len(works), entry["split"], entry["seed"])
    tasks, rows, notes, hits = [], [], [], []
    for number, ((piece, music), group, side) in enumerate(zip(chosen, groups, sides, strict=True)):
        if side not in entry.get("splits", splits.SIDES):
            continue
        rng = np.random.default_rng([entry["seed"], number])
        path = f"audio/{piece.work.rpartition('/')[2]}.flac"
        bar, parts = compose(music, entry, rng)
        level = float(rng.uniform(*LEVELS_DBFS))
        tasks.append(Task(raw_dir, path, parts, entry["sample_rate"], entry["duration_s"], level, font))
        seconds = Counter()
        for part in parts:
            (hits if part.stem == DRUMS else notes).append(pd.DataFrame(part.notes).assign(path=path))
            seconds[part.family] += sounding_s(part.notes)
        rows.append(
            {
                "path": path,
                "title": f"{piece.title}, from bar {bar}",
                "tags": [f"family:{family}" for family in sorted(seconds)],
                "split": side,
                "group": group,
                "source": f"music21 {version('music21')}, corpus/{piece.path}",
                "licence": f"{MUSIC21}; {soundfonts.licence(font)}",
                "target_instrument_family": max(sorted(seconds), key=seconds.__getitem__),
            }
        )
    rendered = progress(executor.run(write_audio, tasks), "render stems", total=len(tasks))
    stems.write_index(raw_dir, [row for found in rendered for row in found])
    if entry.get(DRUMS) and not hits:  # they play in none of few clips
        hits = [NOTES.empty_table().to_pandas()]
    for name, each in (("notes", notes), (DRUMS, hits)):
        if each:
            write_table(pd.concat(each, ignore_index=True)[[*NOTES.names]], raw_dir / f"{name}.parquet", NOTES)
    write_table(pd.DataFrame(rows)[CLIPS.names], raw_dir / "clips.parquet", CLIPS)
    return {
        "soundfont": font.name,
        "clips": len(rows),
        "stems": sum(len(task.parts) for task in tasks),
        "groups": len(set(groups)),
        "pairs with the same music": len(pairs),
        "works left out": rejected,
    }


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """The contract's columns, from the table that `build` left."""
    return read_table(raw_dir / "clips.parquet", CLIPS)


def events(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """Targets `stem`, `instrument` and `program`: while a note of the stem, of the family, or of the General MIDI program ("0" to
    "127", or "drums") is held. Target `note`: each note, labelled with its stem, its value the MIDI number, or a drum's key."""
    notes = read_table(raw_dir / "notes.parquet", NOTES)
    notes["family"] = notes["program"].map(instruments.FAMILY)
    notes["program"] = notes["program"].astype(str)
    notes["stem"] = (
        notes["family"] if entry["instruments"] == "families" else notes["voice"].map(dict(enumerate(VOICES)))
    )
    if entry.get(DRUMS):
        hits = read_table(raw_dir / f"{DRUMS}.parquet", NOTES)
        notes = pd.concat([notes, hits.assign(family=DRUMS, stem=DRUMS, program=DRUMS)], ignore_index=True)
    notes["offset_s"] = notes["onset_s"] + notes["duration_s"]
    each = notes.assign(target="note", label=notes["stem"], value=notes["pitch"].astype(float))
    spans = [
        time_events.activity(notes.assign(label=notes[name]), target)
        for target, name in (("stem", "stem"), ("instrument", "family"), ("program", "program"))
    ]
    return pd.concat([*spans, each[[*time_events.GIVEN, "value"]]], ignore_index=True)


def choose(n: int, seed: int) -> tuple[list[tuple], int]:
    """(`n` pieces of four voices with their music, one a work in a seeded order; how many works were left out on the way).
    Raises `ValueError` where there are not as many."""
    works: dict[str, corpus.Piece] = {}
    for piece in corpus.catalogue("chorale"):
        works.setdefault(piece.work, piece)
    waiting = [works[name] for name in np.random.default_rng(seed).permutation(sorted(works)).tolist()]
    chosen, rejected = [], 0
    while len(chosen) < n and waiting:
        now, waiting = waiting[: n - len(chosen)], waiting[n - len(chosen) :]
        for piece, music in zip(now, executor.run(selection.read_or_reason, now), strict=True):
            if isinstance(music, str) or set(music.notes["voice"].tolist()) != set(range(len(VOICES))):
                rejected += 1  # a score with instruments beside the voices, mostly
            else:
                chosen.append((piece, music))
    if len(chosen) < n:
        raise ValueError(
            f"there are {len(chosen)} chorales of four voices, not {n}: ask for fewer `clips` in params.yaml"
        )
    return chosen, rejected


def compose(music, entry: dict, rng: np.random.Generator) -> tuple[int, tuple[Part, ...]]:
    """(number of the bar where the excerpt starts, its parts that play) by the recipe of `entry`."""
    bpm, duration_s = float(np.exp(rng.uniform(*np.log(BPM)))), entry["duration_s"]
    cut = excerpt.cut(music, int(rng.integers(len(music.bars))), bpm, duration_s, again=True)
    programs, names = _instruments(entry["instruments"], rng, entry.get("families"))
    playing = rng.random(len(VOICES)) >= entry["absent"]
    playing[rng.integers(len(VOICES))] = True
    velocity, jitter = int(rng.integers(*VELOCITIES)), rng.integers(-6, 7, len(cut.notes))
    parts = []
    for voice, (program, name) in enumerate(zip(programs, names, strict=True)):
        spans, gain = _spans(duration_s, entry["muted"], rng), float(rng.uniform(-1, 1) * entry["level_db"])
        own = cut.notes["voice"] == voice
        notes = np.empty(int(own.sum()), [*excerpt.SOUND.descr, ("program", "i4"), ("velocity", "i4")])
        for key in excerpt.SOUND.names:
            notes[key] = cut.notes[key][own]
        notes["program"], notes["velocity"] = program, np.clip(velocity + jitter[own], 1, 127)
        notes = mute(notes, spans)
        if playing[voice] and len(notes):
            parts.append(Part(name, notes, gain))
    if not parts:  # every span of every part that plays was muted
        return compose(music, entry | {"muted": 0.0}, rng)
    if rng.random() < entry.get(DRUMS, 0.0):
        beats = int(cut.bars["numerator"][0])
        hits = mute(drums.play(beats, 60 / bpm, duration_s, rng), _spans(duration_s, entry["muted"], rng))
        if len(hits):
            parts.append(Part(DRUMS, hits, float(rng.uniform(-1, 1) * entry["level_db"])))
    return int(cut.bars["number"][0]), tuple(sorted(parts, key=lambda part: part.stem))


def mute(notes: np.ndarray, spans: list[tuple[float, float]]) -> np.ndarray:
    """`notes` without what sounds in `spans` (start, end in s): a note that begins in one is dropped, one held into it ends."""
    ends = notes["onset_s"] + notes["duration_s"]
    keep = np.ones(len(notes), bool)
    for start, end in spans:
        keep &= ~((notes["onset_s"] >= start) & (notes["onset_s"] < end))
        ends = np.where((notes["onset_s"] < start) & (ends > start), start, ends)
    notes = notes.copy()
    notes["duration_s"] = ends - notes["onset_s"]
    return notes[keep & (notes["duration_s"] >= excerpt.MIN_NOTE_S)]


def sounding_s(notes: np.ndarray) -> float:
    """Seconds in which at least one of the notes is held."""
    notes = np.sort(notes, order="onset_s")
    ends = np.maximum.accumulate(notes["onset_s"] + notes["duration_s"])
    gaps = np.maximum(notes["onset_s"][1:] - ends[:-1], 0)
    return float(ends[-1] - notes["onset_s"][0] - gaps.sum())


def write_audio(task: Task) -> list[dict]:
    """Render a clip's stems and their sum; the rows of `stems.STEMS`."""
    sounds = []
    for part in task.parts:
        values = (part.notes[key] for key in ("voice", "program", "pitch", "velocity", "onset_s", "duration_s"))
        sound = render.render(*values, task.sample_rate, task.duration_s, task.font, part.stem == DRUMS)
        power = np.sum(sound.astype(np.float64) ** 2) / (sounding_s(part.notes) * task.sample_rate)
        sounds.append(sound * np.float32(10 ** (part.gain_db / 20) / np.sqrt(max(power, 1e-12))))
    total = np.sum(sounds, axis=0)
    peak = max(np.abs(total).max(), *(np.abs(sound).max() for sound in sounds), 1e-9)
    level = 10 ** (task.level_dbfs / 20) / max(np.sqrt(np.mean(total.astype(np.float64) ** 2)), 1e-9)
    gain = np.float32(min(level, 10 ** (render.PEAK_DBFS / 20) / peak))
    # whole numbers: so the clip is the sum of its stems to the bit
    written = np.rint(np.stack(sounds) * gain * stems.FULL_SCALE).astype(np.int16)
    rows = stems.write_clip(task.raw_dir, task.path, [part.stem for part in task.parts], written, task.sample_rate)
    with atomic(task.raw_dir / task.path) as temporary:
        mixture = written.sum(axis=0, dtype=np.int32).astype(np.int16)
        soundfile.write(temporary, mixture, task.sample_rate, format="FLAC", subtype="PCM_16")
    return rows


def _instruments(kind: str, rng: np.random.Generator, among: list[str] | None) -> tuple[list[int], list[str]]:
    """(program, stem) of each voice."""
    if kind == "fixed":
        return list(FIXED), list(VOICES)
    known = instruments.FAMILIES | instruments.FURTHER
    if unknown := [name for name in among or () if name not in known]:
        raise ValueError(f"families in params.yaml names {unknown[0]!r}; there are {', '.join(known)}")
    names = [str(name) for name in rng.permutation(sorted(set(among or instruments.FAMILIES)))[: len(VOICES)]]
    if len(names) < len(VOICES):
        raise ValueError(f"families in params.yaml names {len(names)}, and {len(VOICES)} voices need as many at least")
    if "bass" in names:
        names.append(names.pop(names.index("bass")))
    programs = [int(rng.choice(known[name])) for name in names]
    return (programs, names) if kind == "families" else (programs[:1] * len(VOICES), list(VOICES))


def _spans(duration_s: float, share: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    spans, now = [], 0.0
    while now < duration_s:
        end = min(now + rng.uniform(*SPAN_S), duration_s)
        if rng.random() < share:
            spans.append((now, end))
        now = end
    return spans
