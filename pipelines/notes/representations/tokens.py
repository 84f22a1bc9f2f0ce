"""Tokens by miditok: `remi`, `tsd`, `midi_like`, `structured` or `octuple`, one stream for all programs.

`(n_tokens, 1)` int32, or of `octuple` `(n_notes, 6)`, a column each for pitch, position, bar, velocity, duration and program, in
miditok's order. `scheme` is the tokenizer, `steps_per_quarter` its time grid, `bars` how many bars Octuple can number.

`bpe` is how many tokens are learned beside the scheme's own (not of `octuple`): by byte-pair encoding (Sennrich et al. 2016, ACL;
Fradet et al. 2023, EMNLP), the most frequent pair of neighbouring tokens becomes one, again and again. Only training
pieces are counted. Sequences get shorter, and nothing more is lost: decoding splits each learned token into those of the scheme.

miditok leaves notes out without a word, and where it can be told not to, it is. Its default range of pitches is 21 to 109,
that of drums 27 to 88 (here both are 0 to 127; of 24,431 notes of 84 Groove files the default loses 3,102), and Octuple ends
after 60 bars (here after `bars`; the default loses 255 of 1,556 notes of a song of POP909). The record of a corpus says how
many notes do not come back. What is still lost: that notes of one program were of several tracks; what lies between the steps;
what a note is longer than twelve quarters (not of `midi_like`, which confuses the ends of notes of one pitch that overlap);
velocity, in 32 steps; tempo and metre, which no representation gets: bars are of four quarters. `notes` gives back what is
kept.

Needs the extra `tokens`: pip install -c constraints.txt -e '.[tokens]'. Source: Fradet et al. 2021 (ISMIR, late-breaking),
with REMI of Huang and Yang 2020, MIDI-like of Oore et al. 2018, Structured of Hadjeres and Crestel 2021 and Octuple of Zeng et
al. 2021.
"""

import functools
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.notes.tables import NOTES, PERCUSSION, array

KIND = "events"
DTYPE = "int32"
TICKS = 480  # a quarter, of the score that miditok gets
LONGEST = 12  # quarters of the longest duration
SCHEMES = {"remi": "REMI", "tsd": "TSD", "midi_like": "MIDILike", "structured": "Structured", "octuple": "Octuple"}
QUARTER_S = 0.5


def compute(
    notes: np.ndarray,
    length: float,
    *,
    scheme: str = "remi",
    steps_per_quarter: int = 8,
    bars: int = 512,
    bpe: int = 0,
    learned: str = "",
) -> np.ndarray:
    tokenizer = load(scheme, steps_per_quarter, bars, learned)
    columns = len(tokenizer.vocab) if isinstance(tokenizer.vocab, list) else 1
    if not len(notes):
        return np.zeros((0, columns), np.int32)
    with warnings.catch_warnings():
        # Octuple's cap of bars: what is lost is counted in the record
        warnings.filterwarnings("ignore", message=r"miditok: \w+ cannot tokenize entirely this file")
        ids = tokenizer.encode(_score(notes), no_preprocess_score=False).ids
    return np.array(ids, np.int32).reshape(-1, columns)


def notes(
    tokens: np.ndarray,
    *,
    scheme: str = "remi",
    steps_per_quarter: int = 8,
    bars: int = 512,
    bpe: int = 0,
    learned: str = "",
) -> np.ndarray:
    """The notes of a sequence of tokens (`notes.tables.NOTES`): a track for each program, 120 quarters a minute."""
    if not len(tokens):
        return array(NOTES, [])
    tokenizer = load(scheme, steps_per_quarter, bars, learned)
    score = tokenizer.decode((tokens if tokens.shape[1] > 1 else tokens[:, 0]).tolist())
    rows = []
    for number, track in enumerate(score.tracks):
        for note in track.notes:
            times = {"onset": note.time / score.tpq, "duration": note.duration / score.tpq}
            times |= {f"{name}_s": QUARTER_S * value for name, value in times.items()}
            place = {"track": number, "channel": PERCUSSION if track.is_drum else 0, "program": track.program}
            rows.append({**place, "pitch": note.pitch, "velocity": note.velocity, **times})
    return array(NOTES, sorted(rows, key=lambda row: (row["onset"], row["track"], row["pitch"])))


def learn(
    pieces: Sequence[np.ndarray], *, scheme: str = "remi", steps_per_quarter: int = 8, bars: int = 512, bpe: int = 0
) -> str:
    """The tokenizer with `bpe` learned tokens, as the JSON that miditok writes; "" for none. Pieces that have too few different
    pairs of tokens teach fewer. Raises `ValueError` for `octuple`, and where no piece has notes."""
    if not bpe:
        return ""
    if scheme == "octuple":
        raise ValueError(
            "bpe: octuple has no single stream of tokens to learn from; leave out bpe, or choose another scheme"
        )
    tokenizer = load(scheme, steps_per_quarter, bars)
    from miditok.constants import CHR_ID_START

    sequences = [tokenizer.encode(_score(piece), encode_ids=False) for piece in pieces if len(piece)]
    if not sequences:
        raise ValueError("bpe: no training piece has notes to learn from")
    # a token is a character, a piece a word, as miditok has them when it encodes
    words = [["".join(chr(n + CHR_ID_START) for n in each.ids)] for each in sequences]
    tokenizer = _made(scheme, steps_per_quarter, bars)  # that of `load` stays untrained
    tokenizer.train(len(tokenizer.vocab) + bpe, model="BPE", iterator=words)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder) / "tokenizer.json")
        return (Path(folder) / "tokenizer.json").read_text()


@functools.cache
def load(scheme: str, steps_per_quarter: int, bars: int, learned: str = ""):
    """The tokenizer of miditok; learned: what `learn` gave. Raises `ValueError` for a scheme that there is not, and where miditok
    is not installed."""
    if not learned:
        return _made(scheme, steps_per_quarter, bars)
    import miditok

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(learned)
        return getattr(miditok, SCHEMES[scheme])(params=path)


def _made(scheme: str, steps_per_quarter: int, bars: int):
    if scheme not in SCHEMES:
        raise ValueError(f"scheme: {scheme} in params.yaml; there is {', '.join(SCHEMES)}")
    try:
        import miditok  # seconds to import
    except ImportError as error:
        raise ValueError(f"tokens need miditok ({error}): pip install -c constraints.txt -e '.[tokens]'") from error
    config = miditok.TokenizerConfig(
        pitch_range=(0, 127),
        drums_pitch_range=(0, 127),
        beat_res={(0, LONGEST): steps_per_quarter},
        num_velocities=32,
        use_programs=True,
        one_token_stream_for_programs=True,
        use_tempos=False,
        use_time_signatures=False,
        use_rests=False,
        encode_ids_split="no",  # else each bar has a token more, which marks its beginning
        **({"max_bar_embedding": bars} if scheme == "octuple" else {}),
    )
    return getattr(miditok, SCHEMES[scheme])(config)


def _score(notes: np.ndarray):
    import symusic

    score = symusic.Score(TICKS)
    drum = notes["channel"] == PERCUSSION
    for program, is_drum in sorted(
        {(-1 if d else int(p), bool(d)) for p, d in zip(notes["program"], drum, strict=True)}
    ):
        track = symusic.Track(program=max(program, 0), is_drum=is_drum)
        chosen = notes[drum if is_drum else ~drum & (notes["program"] == program)]
        for note in chosen:
            time = round(float(note["onset"]) * TICKS)
            end = round(float(note["onset"] + note["duration"]) * TICKS)
            track.notes.append(symusic.Note(time, max(end - time, 1), int(note["pitch"]), int(note["velocity"])))
        score.tracks.append(track)
    return score
