"""Miniatures of Slakh, MUSDB18-HQ and MedleyDB in their published layouts: made sound, made notes, metadata as published."""

import io
import tarfile
import zipfile
from pathlib import Path

import copies
import mido
import numpy as np
import soundfile
import yaml

from pipelines.datasets import musdb18, slakh

RATE = 4000
SECONDS = 2.0
SLAKH = {  # track: (MIDI file in Lakh, semitones by which its notes are moved, its stems: class and program)
    "Track00001": ("a" * 32, 0, [("Guitar", 30), ("Bass", 33), ("Drums", 128), ("Guitar", 25)]),
    "Track00002": ("b" * 32, 1, [("Piano", 0), ("Bass", 33)]),
    "Track00262": ("c" * 32, 2, [("Piano", 0), ("Strings (continued)", 48)]),  # its S01 is a known problem
    "Track01501": ("d" * 32, 3, [("Piano", 0), ("Bass", 33)]),
    "Track01876": ("e" * 32, 4, [("Piano", 0), ("Bass", 33)]),
    "Track01877": ("b" * 32, 1, [("Organ", 16), ("Bass", 33)]),  # the file of Track00002
    "Track01878": ("f" * 32, 3, [("Piano", 0), ("Bass", 33)]),  # another file with the notes of Track01501
}
MUSDB18 = (
    "train/A Band - One", "train/A Band - Two", "train/Leaf - Wicked", "train/ANiMAL - Rockshow", "test/B Band - Three"
)  # fmt: skip
MEDLEYDB = {  # track: (artist, genre, has bleed, instruments of its stems)
    "AnnLee_One": ("Ann Lee", "Rock", "no", ["male singer", "drum set", "electric bass", "violin", "violin"]),
    "AnnLee_Two": ("Ann Lee", "Rock", "no", ["female singer", "high hat", "piano"]),
    "BobDoe_Live": ("Bob Doe", "Jazz", "yes", ["trumpet", "double bass"]),
    "CatRay_Air": ("Cat Ray", "Classical", "no", ["flute", ["cello", "double bass"]]),
}


def noise(path: Path, seed: int, n: int = int(SECONDS * RATE), rate: int = RATE, channels: int = 1, level: float = 0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-level, level, (n, channels)), rate)


def midi(path: Path, notes: list[tuple[int, float, float]], program: int = 0, ticks: int = 480, tempo: int = 500_000):
    """Write (pitch, onset, offset in s) as a MIDI file; program 128: drums."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channel, per_s = 9 if program == 128 else 0, ticks * 1e6 / tempo
    events = [(round(on * per_s), 1, pitch) for pitch, on, _ in notes] + [
        (round(off * per_s), 0, p) for p, _, off in notes
    ]
    track, now = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)]), 0
    track.append(mido.Message("program_change", channel=channel, program=program % 128))
    for tick, sounds, pitch in sorted(events):
        kind = "note_on" if sounds else "note_off"
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=80, time=tick - now))
        now = tick
    mido.MidiFile(ticks_per_beat=ticks, tracks=[track]).save(path)


def make_slakh(folder: Path, side: str = "any") -> dict:
    """Every track plays the same tune, moved by its semitones; tracks of one MIDI file differ in their programs."""
    for number, (name, (file, up, stems)) in enumerate(SLAKH.items()):
        place, about = folder / side / name, {}
        for n, (instrument, program) in enumerate(stems):
            noise(place / "stems" / f"S{n:02d}.flac", 10 * number + n)
            tune = [(40 + 5 * n + up, 0.1 * n, 0.5), (43 + 5 * n + up, 0.75, 1.0 + 0.1 * n), (50 + up, 1.5, 5.0)]
            midi(place / "MIDI" / f"S{n:02d}.mid", tune, program)
            about[f"S{n:02d}"] = {
                "audio_rendered": True,
                "inst_class": instrument,
                "is_drum": program == 128,
                "midi_saved": True,
                "program_num": program,
            }
        about["S99"] = about["S00"] | {"audio_rendered": False}  # some rare sources were skipped
        (place / "metadata.yaml").write_text(yaml.safe_dump({"UUID": file, "audio_dir": "stems", "stems": about}))
    return {"module": "slakh", "local": str(folder), "sample_rate": RATE}


def make_baby(folder: Path) -> dict:
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    return make_slakh(folder) | {"variant": "baby", "split": shares, "seed": 2026}


def serve_baby(folder: Path, host, patch) -> dict:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder / "any", "babyslakh_16k")
    served = copies.put(host, "babyslakh_16k.tar.gz", buffer.getvalue())
    patch.setitem(slakh.ARCHIVES, "baby", served)
    return {key: value for key, value in make_baby(folder).items() if key != "local"}


def make_musdb18(folder: Path) -> dict:
    for number, song in enumerate(MUSDB18):
        for n, stem in enumerate((*musdb18.STEMS, "mixture")):
            noise(folder / song / f"{stem}.wav", 10 * number + n, channels=2)
    return {"module": "musdb18", "local": str(folder), "sample_rate": RATE}


def serve_musdb18(folder: Path, host, patch) -> dict:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path in sorted(folder.rglob("*.wav")):
            archive.write(path, path.relative_to(folder))
    patch.setattr(musdb18, "ARCHIVE", copies.put(host, "musdb18hq.zip", whole.getvalue()))
    return {"module": "musdb18", "sample_rate": RATE}


def make_medleydb(folder: Path) -> dict:
    for number, (name, (artist, genre, bleed, instruments)) in enumerate(MEDLEYDB.items()):
        stems = {}
        for n, instrument in enumerate(instruments, start=1):
            file = f"{name}_STEM_{n:02d}.wav"
            noise(folder / "Audio" / name / f"{name}_STEMS" / file, 10 * number + n, channels=2)
            noise(folder / "Audio" / name / f"{name}_RAW" / f"{name}_RAW_{n:02d}_01.wav", 10 * number + n)
            stems[f"S{n:02d}"] = {"component": "", "filename": file, "instrument": instrument, "raw": {}}
        noise(folder / "Audio" / name / f"{name}_MIX.wav", 99, channels=2)
        about = {"artist": artist, "title": name.partition("_")[2], "genre": genre, "has_bleed": bleed, "version": 1.2}
        path = folder / "Metadata" / f"{name}_METADATA.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(about | {"stems": stems, "mix_filename": f"{name}_MIX.wav"}))
    (folder / "Metadata" / "Never_Published_METADATA.yaml").write_text(path.read_text())
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    return {"module": "medleydb", "local": str(folder), "sample_rate": RATE, "split": shares, "seed": 2026}
