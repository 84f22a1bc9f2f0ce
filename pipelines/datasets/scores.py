"""Clips of 30 s from the scores inside the installed music21, in eight styles, with exact notes and labels.

Bach's chorales, Palestrina's masses, Monteverdi's madrigals, trecento polyphony, string quartets by Haydn, Mozart and
Beethoven, and the dance tunes of O'Neill's, Aird's and Ryan's books. The sound is rendered: TimGM6mb.sf2, a family of
instruments drawn uniformly and independently of the style, so that timbre gives no information on style. Figures are about
rendered scores, not recordings, which may be easier or harder to classify.

Works are chosen by a seed, one clip a work where there are enough (else several excerpts that do not overlap). Clips of
one work, and of works with the same music under other names or in other keys (pipelines/symbolic/similarity.py), are
one group; the split is by group. Nothing is downloaded, and the non-commercial Essen songs are not used.

Options of an entry beside those of `scores` in params.yaml:

`soundfont`: another SoundFont (.sf2, .sf3). The same seed and `clips_per_style` give the same works, notes, programs and split,
    in another timbre. The programs are General MIDI's.
`soundfont_sha256`: the hash of that file; a file with another hash is refused, and a change of it makes the dataset stale.
`styles`: only these of the eight, for instance [chorale, madrigal, trecento].
`words`: true leaves the words of each clip's piece, the whole piece and not the excerpt, in words.parquet (pipelines/views) where
    the score has any. All madrigals, most chorales and most trecento works have, Palestrina's masses have not.
`splits`: only these of train, validation, test; [test] gives works that no tagger was trained on if it was trained on `scores`.
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
from pipelines.core import splits
from pipelines.core.files import atomic
from pipelines.core.manifest import NOTES
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import executor
from pipelines.harness.progress import progress
from pipelines.symbolic import corpus, excerpt, instruments, labels, lyrics, render, selection, similarity, soundfonts
from pipelines.symbolic.score import Music

BIBTEX = corpus.BIBTEX

MUSIC21 = (
    "distributed with music21 by permission of the encoders; music21's licence for its corpus says that encodings may "
    "be under copyright and restricted in commercial use"
)
LICENCES = {  # what the files themselves say, beside what music21 says of all of them
    "chorale": "files: (c) 2003, 2004 Margaret Greentree, used by permission",
    "palestrina": "files: (c) 2000 John Miller, rights to all derivative electronic formats reserved, licensing "
    "agreement at music-cog.ohio-state.edu/HumdrumDatabases/Palestrina/license.txt",
    "madrigal": "files: no licence; two carry the rights line of the edition they were scanned from, "
    "(c) Ut Orpheus 2003",
    "trecento": "files: no licence; ten have an empty copyright line",
    "quartet": "files: no licence and no encoder named",
    "oneill": "files: no licence; the volunteers who typed each tune are named in it",
    "aird": "files: no licence; transcribed by Jack Campin, 2003 to 2009",
    "ryan": "files: no licence; the contributors are named in each",
}
LICENSE_INFO = f"Mixed, per clip; the scores are {MUSIC21}. S{soundfonts.TIMGM6MB[1:]}."

# of labels that complete each other one goes without a tag: it would be the others' shadow, or neither one thing nor
# the other
UNTAGGED = {"metre:duple", "mode:major", "tempo:medium"}

LEVELS_DBFS = (-26.0, -20.0)  # the range from which a clip's RMS is drawn
VELOCITIES = (56, 105)

CLIPS = pa.schema(
    [
        column("path", pa.string(), "audio file, relative to raw_dir", unique=True),
        column("title", pa.string(), "collection, work, and where the excerpt starts"),
        column("tags", pa.list_(pa.string()), "style, families, texture, metre, mode, tempo band"),
        column("split", pa.string(), "train, validation, test"),
        column("group", pa.string(), "works with the same music"),
        column("source", pa.string(), "package, version and file"),
        column("licence", pa.string(), "licence stated in the files"),
        column("target_style", pa.string(), "style"),
        column("target_instrument_family", pa.string(), "the family with the most note-seconds"),
        column("work", pa.string(), "the work, before groups were merged"),
        column("bpm", pa.float64(), "beats a minute", unit="1/min"),
        column("beat", pa.float64(), "quarter notes a beat"),
        column("bar", pa.int32(), "number of the bar where the clip starts"),
        column("level_dbfs", pa.float64(), "target RMS", unit="dBFS"),
    ]
)
WORDS = pa.schema(
    [
        column("path", pa.string(), "audio file, relative to raw_dir", unique=True),
        column("words", pa.string(), "the words of the clip's piece, a verse a line"),
    ]
)


@dataclass(frozen=True)
class Draw:
    """What chance decides for one clip, apart from which music it is."""

    first: int  # program
    second: int | None
    bpm: float
    velocity: int
    level_dbfs: float


@dataclass(frozen=True)
class Task:
    """One clip to render: notes as `compose` gives them, and the file to write, for a worker process."""

    path: Path
    notes: np.ndarray
    sample_rate: int
    duration_s: float
    level_dbfs: float
    font: Path


def build(raw_dir: Path, entry: dict) -> dict:
    """Parse, group, split and render. Writes audio/<style>/*.flac, notes.parquet and clips.parquet."""
    font = soundfonts.find(entry.get("soundfont"), entry.get("soundfont_sha256"))
    wanted = entry.get("splits", splits.SIDES)
    if not wanted or not set(wanted) <= set(splits.SIDES):
        raise ValueError(f"splits in params.yaml is {wanted}; name some of {', '.join(splits.SIDES)}")
    rejected: dict[str, Counter] = {}
    chosen = selection.choose(entry, rejected)
    clips, notes = [], []
    for style, members in chosen.items():
        for number, (member, draw) in enumerate(zip(members, draws(style, len(members), entry["seed"]), strict=True)):
            row, sounding = compose(member, draw, number, entry, soundfonts.licence(font))
            clips.append(row)
            notes.append(sounding)
    pieces = {member.piece: member.music for members in chosen.values() for member in members}
    groups, pairs = group(pieces)
    for row in clips:
        row["group"] = groups[row["work"]]
    groups_of, styles = ([row[name] for row in clips] for name in ("group", "target_style"))
    sides = splits.assign(groups_of, styles, entry["split"], [entry["seed"], len(corpus.STYLES)])
    frame = pd.DataFrame(clips).assign(split=sides)
    kept = frame["split"].isin(wanted)
    frame, notes = frame[kept], [sounding for sounding, keep in zip(notes, kept, strict=True) if keep]
    paths = frame["path"].tolist()
    tasks = [
        Task(raw_dir / path, sounding, entry["sample_rate"], entry["duration_s"], level, font)
        for path, sounding, level in zip(paths, notes, frame["level_dbfs"], strict=True)
    ]
    for _ in progress(executor.run(_write_audio, tasks), "render scores", total=len(tasks)):
        pass
    table = [pd.DataFrame(sounding).assign(path=path) for path, sounding in zip(paths, notes, strict=True)]
    write_table(pd.concat(table, ignore_index=True)[NOTES.names], raw_dir / "notes.parquet", NOTES)
    write_table(frame[CLIPS.names], raw_dir / "clips.parquet", CLIPS)
    if entry.get("words"):
        said = {score: lyrics.read(corpus.folder() / score) for score in frame["score"].unique()}
        own = frame.assign(words=frame["score"].map(said))
        write_table(own.loc[own["words"] != "", WORDS.names], raw_dir / "words.parquet", WORDS)
    return {"soundfont": font.name} | _figures(frame, pieces, pairs, rejected)


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """The contract's columns, from the table that `build` left."""
    table = read_table(raw_dir / "clips.parquet", CLIPS)
    return table[CLIPS.names[: CLIPS.names.index("work")]]


def events(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """Target `instrument`: the families of instruments, while a note of theirs is held; what rings on after it does not count."""
    notes = read_table(raw_dir / "notes.parquet", NOTES)
    ends = notes["onset_s"] + notes["duration_s"]
    families = notes["program"].map(instruments.FAMILY)
    return time_events.activity(notes.assign(label=families, offset_s=ends), "instrument")


def draws(style: str, n: int, seed: int) -> list[Draw]:
    """Programs, tempo and loudness of a style's `n` clips.

    Every family leads in as many clips (to within one), half of those of each family have a second family, and every
    tempo band has a third. Only the order depends on the style.
    """
    index = corpus.STYLES.index(style)
    rng = np.random.default_rng([seed, index, 1])
    families, bands = list(instruments.FAMILIES), list(excerpt.TEMPO_BANDS.values())
    deck = [(families[(i + 4 * index) % len(families)], (i + i // len(families)) % 2 == 1) for i in range(n)]
    tempos = [bands[(i + index) % len(bands)] for i in range(n)]
    result = []
    for i, j in zip(rng.permutation(n), rng.permutation(n), strict=True):
        family, mixed = deck[i]
        other = str(rng.choice([name for name in families if name != family]))
        first, second = (int(rng.choice(instruments.FAMILIES[name])) for name in (family, other))
        bpm = float(np.exp(rng.uniform(*np.log(tempos[j]))))
        velocity, level = int(rng.integers(*VELOCITIES)), float(rng.uniform(*LEVELS_DBFS))
        result.append(Draw(first, second if mixed else None, bpm, velocity, level))
    return result


def compose(
    member: selection.Chosen, draw: Draw, number: int, entry: dict, sound_licence: str
) -> tuple[dict, np.ndarray]:
    """(row of `CLIPS` without group and split, and `score`, the file in music21's corpus; notes of `NOTES` without path) of one
    clip."""
    piece, music = member.piece, member.music
    style, duration_s = piece.style, entry["duration_s"]
    rng = np.random.default_rng([entry["seed"], corpus.STYLES.index(style), 2, number])
    again = style in corpus.STROPHIC
    start = 0 if again else excerpt.choose_start(music, draw.bpm, duration_s, member.part, member.n_parts, rng)
    cut = excerpt.cut(music, start, draw.bpm, duration_s, again)
    programs = instruments.assign(cut.notes, draw.first, draw.second)
    jitter = rng.integers(-6, 7, len(cut.notes))
    notes = np.empty(len(cut.notes), dtype=[*excerpt.SOUND.descr, ("program", "i4"), ("velocity", "i4")])
    for name in excerpt.SOUND.names:
        notes[name] = cut.notes[name]
    notes["program"], notes["velocity"] = programs, np.clip(draw.velocity + jitter, 1, 127)
    bar = int(cut.bars["number"][0])
    families = sorted({instruments.FAMILY[program] for program in programs.tolist()})
    metre = labels.metre(cut.bars)
    tags = [f"style:{style}", *(f"family:{family}" for family in families), f"texture:{labels.texture(cut.notes)}"]
    tags += [f"metre:{metre}"] if metre else []
    tags += [f"mode:{labels.mode(cut.notes, int(cut.bars['mode'][0]))}", f"tempo:{labels.tempo_band(draw.bpm)}"]
    tags = [tag for tag in tags if tag not in UNTAGGED]
    row = {
        "path": f"audio/{style}/{style}-{number:04d}.flac",
        "title": piece.title if again else f"{piece.title}, from bar {bar}",
        "tags": tags,
        "source": f"music21 {version('music21')}, corpus/{piece.path}"
        + (f", X:{piece.number}" if piece.number >= 0 else ""),
        "licence": f"{LICENCES[style]}; {MUSIC21}; {sound_licence}",
        "target_style": style,
        "target_instrument_family": instruments.FAMILY[draw.first],
        "work": piece.work,
        "score": piece.path,
        "bpm": draw.bpm,
        "beat": cut.beat,
        "bar": bar,
        "level_dbfs": draw.level_dbfs,
    }
    return row, notes


def group(pieces: dict[corpus.Piece, Music]) -> tuple[dict[str, str], list[tuple[str, str, float]]]:
    """(work -> group, titles of the pairs found to be the same music and by how much)."""
    members = list(pieces)
    works = [piece.work for piece in members]
    pairs = similarity.same_music([similarity.lines(pieces[piece]) for piece in members], works)
    merged = similarity.merge(works, pairs)
    titles = [(members[i].title, members[j].title, round(score, 3)) for i, j, score in pairs]
    return dict(zip(works, merged, strict=True)), titles


def _write_audio(task: Task) -> None:
    sound = render.mix(task.notes, task.sample_rate, task.duration_s, task.level_dbfs, task.font)
    with atomic(task.path) as temporary:
        soundfile.write(temporary, sound, task.sample_rate, format="FLAC", subtype="PCM_16")


def _figures(frame: pd.DataFrame, pieces: dict, pairs: list, rejected: dict[str, Counter]) -> dict:
    tags = frame.explode("tags")
    return {
        "clips": len(frame),
        "works": int(frame["work"].nunique()),
        "groups": int(frame["group"].nunique()),
        "pieces read": len(pieces) + sum(counter.total() for counter in rejected.values()),
        "pairs with the same music": len(pairs),
        "same music, for example": [f"{a} = {b}" for a, b, _ in pairs[:10]],
        "rejected": {style: dict(counter) for style, counter in rejected.items() if counter},
        "clips per style": {
            style: {side: int((part["split"] == side).sum()) for side in splits.SIDES}
            | {"works": int(part["work"].nunique())}
            for style, part in frame.groupby("target_style")
        },
        "clips per tag": {
            tag: {side: int((part["split"] == side).sum()) for side in splits.SIDES}
            for tag, part in tags.groupby("tags")
        },
    }
