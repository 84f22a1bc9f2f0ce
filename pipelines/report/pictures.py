"""Pictures of a clip's excerpt: the log-mel the taggers read, and the notes that were played, where they are known."""

import base64
import io

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipelines.core import paths, shards
from pipelines.core.manifest import NOTES
from pipelines.core.tables import read_table
from pipelines.report.charts import percent, ticks
from pipelines.report.state import Dataset

RANGE_DB = 70  # of the picture, below the excerpt's loudest value
GAP_S = 0.012  # left blank after a note, so that a repeated one is seen as two
FREQUENCIES = (500, 1000, 2000, 4000, 8000, 16_000)  # Hz; what has a label
NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
# the sixteen families of General MIDI, of eight programs each; mallets are its chromatic percussion
FAMILIES = (
    "piano", "mallets", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe", "synth lead",
    "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)  # fmt: skip


def log_mel(dataset: Dataset, clip_id: str, start_s: float, length_s: float, settings: dict) -> dict | None:
    """The excerpt's log-mel as `{"src" (data URI of a WebP), "ticks": (label, CSS percentage from the bottom)}`.

    settings: all of params.yaml. None where the recipe has no log_mel feature, or it was not computed.
    """
    folder = paths.features(dataset.name, "log_mel")
    parameters = settings["features"].get("log_mel")
    if parameters is None or not (folder / "index.parquet").exists():
        return None
    place = read_table(folder / "index.parquet", shards.INDEX).set_index("clip_id").loc[clip_id]
    rate = settings["audio"]["sample_rate"] / parameters["hop_length"]  # frames a second
    first = int(place["offset"]) + round(start_s * rate)
    last = min(first + round(length_s * rate), int(place["offset"]) + int(place["length"]))
    frames = shards.open_shards(folder)[place["shard"]][first:last].astype(np.float32)
    low, high = hertz_to_mel(parameters["fmin"]), hertz_to_mel(parameters["fmax"])
    labels = [
        (f"{f // 1000} kHz" if f >= 1000 else f"{f} Hz", percent(hertz_to_mel(f), low, high))
        for f in FREQUENCIES
        if parameters["fmin"] <= f <= parameters["fmax"]
    ]
    return {"src": image(frames, float(frames.max())), "ticks": labels}


def image(decibels: np.ndarray, loudest: float) -> str:
    """A spectrogram `(frames, bands)` as the data URI of a WebP; the range is `RANGE_DB` below `loudest`, in dB."""
    import matplotlib.image  # half a second, only where there is something to draw

    buffer = io.BytesIO()
    matplotlib.image.imsave(
        buffer, decibels.T, vmin=loudest - RANGE_DB, vmax=loudest, cmap="magma", origin="lower", format="webp",
        pil_kwargs={"quality": 80, "method": 4},
    )  # fmt: skip
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def hertz_to_mel(frequency: float) -> float:
    """HTK's mel scale, which the log_mel feature uses."""
    return 2595 * float(np.log10(1 + frequency / 700))


def notes_of(dataset: Dataset) -> dict[str, pd.DataFrame]:
    """A clip's manifest path -> its notes; empty where the dataset has none."""
    if dataset.notes is None:
        return {}
    raw = paths.raw(dataset.name)
    table = read_table(dataset.notes, NOTES)
    return {(raw / path).as_posix(): part for path, part in table.groupby("path", sort=False)}


def piano_roll(notes: pd.DataFrame, start_s: float, length_s: float) -> dict | None:
    """The excerpt's notes as `{"svg", "ticks": (label, CSS percentage from the bottom), "voices": (number, family)}`.

    A rectangle a note: x its time, y its pitch, its colour the voice of the score (0 the highest written); it has an outline
    where the notes have a column `marked`, and it is true. None where no note sounds in the excerpt.
    """
    ends = notes["onset_s"] + notes["duration_s"]
    sounding = notes[(ends > start_s) & (notes["onset_s"] < start_s + length_s)].sort_values(
        ["voice", "onset_s", "pitch"]
    )
    if sounding.empty:
        return None
    low, high = int(sounding["pitch"].min()) - 1, int(sounding["pitch"].max()) + 2
    voices = {voice: place for place, voice in enumerate(sorted(sounding["voice"].unique()))}
    parts = []
    for note in sounding.itertuples():
        x = max(0.0, note.onset_s - start_s)
        width = max(0.02, min(length_s, note.onset_s + note.duration_s - start_s) - x - GAP_S)
        marked = " marked" if getattr(note, "marked", False) else ""
        title = f"{pitch_name(note.pitch)}, {note.duration_s:.2f} s, voice {note.voice + 1}"
        parts.append(
            f'<rect class="c{voices[note.voice] % 8}{marked}" x="{100 * x:.1f}" y="{high - 1 - note.pitch + 0.06:.2f}" '
            f'width="{100 * width:.1f}" height="0.88"><title>{title}</title></rect>'
        )
    grid = [pitch for pitch in range(low, high) if pitch % 12 == 0] or [round((low + high) / 2)]
    rules = [f'<line x1="0" x2="{100 * length_s:.0f}" y1="{high - p - 0.5}" y2="{high - p - 0.5}"/>' for p in grid]
    head = f'<svg viewBox="0 0 {100 * length_s:.0f} {high - low}" preserveAspectRatio="none" aria-hidden="true">'
    families = sounding.groupby("voice")["program"].first()
    return {
        "svg": Markup(head + "".join(rules + parts) + "</svg>"),
        "ticks": [(pitch_name(pitch), percent(pitch + 0.5, low, high)) for pitch in grid],
        "voices": [(place % 8, int(voice) + 1, FAMILIES[int(families[voice]) // 8]) for voice, place in voices.items()],
    }


def pitch_name(pitch: int) -> str:
    """C4 is MIDI note 60."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def time_ticks(start_s: float, length_s: float) -> list[tuple[str, str]]:
    """(label in seconds of the clip, CSS percentage from the left)."""
    return [(f"{t:g}", percent(t, start_s, start_s + length_s)) for t in ticks(start_s, start_s + length_s, 6)]
