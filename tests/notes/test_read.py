"""MIDI files, whole and broken: the notes that are right are given (edge_midi/answers.json), or other readers agree on them."""

import io
import json
import struct
import time
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.notes.midi import tracks
from pipelines.notes.midi.read import read
from pipelines.notes.tables import Unreadable

EDGE = Path(__file__).parent / "edge_midi"
ANSWERS = json.loads((EDGE / "answers.json").read_text())
"""Name -> notes as [onset, duration, pitch] in quarters; None where the file must be refused."""
END = b"\0\xff\x2f\0"
ON, OFF = b"\x90\x3c\x40", b"\x80\x3c\0"
NOTE = b"\0" + ON + b"\x83\x60" + OFF  # a quarter of 480 ticks


def chunk(name, data):
    return name + struct.pack(">L", len(data)) + data


def midi(*parts, kind=1, division=480, header=b""):
    """A file of these tracks (bytes of events), or chunks (name, bytes)."""
    n_tracks = sum(isinstance(part, bytes) for part in parts)
    chunks = [chunk(b"MTrk", part) if isinstance(part, bytes) else chunk(*part) for part in parts]
    return chunk(b"MThd", struct.pack(">HHH", kind, n_tracks, division) + header) + b"".join(chunks)


def told(piece, *names):
    return piece.notes[list(names or ("onset", "duration", "pitch"))].tolist()


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_right_notes(name, monkeypatch):
    monkeypatch.setattr(tracks, "MAX_QUARTERS", 1e9)  # of huge_delta
    content, notes = (EDGE / f"{name}.mid").read_bytes(), ANSWERS[name]["notes"]
    if notes is None:
        with pytest.raises(Unreadable, match=r"\w+ \w+"):
            read(content, 1e9)
    else:
        assert sorted(told(read(content, 1e9))) == sorted(map(tuple, notes))


def test_a_delta_of_279_620_s_is_refused_at_once():
    content = (EDGE / "huge_delta.mid").read_bytes()
    start = time.process_time()
    with pytest.raises(Unreadable, match="559,24. quarters"):
        read(content)
    slow = midi(b"\0\xff\x51\3\xff\xff\xff" + b"\0" + ON + b"\x83\xa9\x00" + OFF + END, division=1)
    with pytest.raises(Unreadable, match=r"lasts \d+,\d+ s"):
        read(slow)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (midi(NOTE + END, division=0xE728), 0.48),  # 25 frames of 40 ticks: 1,000 ticks a second
        (midi(NOTE + END, division=0xE350), 480 / (80 * 30_000 / 1001)),  # 30 drop frame: 29.97
        (midi(b"\0\xff\x51\3\x0f\x42\x40" + NOTE + END), 1.0),
        (midi(NOTE + END), 0.5),
        (midi(NOTE + END, b"\0\xff\x51\3\x0f\x42\x40" + END), 1.0),  # a tempo in another track
        (midi(NOTE + END, b"\0\xff\x51\3\x0f\x42\x40" + END, kind=2), 0.5),  # and in another sequence
        (midi(b"\x81\x70\xff\x51\3\x0f\x42\x40" + END, NOTE + END), 0.75),  # from the middle of the note on
        (midi(b"\0\xff\x51\3\0\0\0" + NOTE + END), 0.5),  # a tempo of 0 means nothing
    ],
)
def test_seconds(content, seconds):
    assert read(content).notes["duration_s"].tolist() == pytest.approx([seconds], abs=1e-12)


def test_smpte_time_has_quarters_of_half_a_second():
    piece = read(midi(NOTE + END, division=0xE728))
    assert told(piece) == [(0, 0.96, 60)] and piece.division == 500


@pytest.mark.parametrize(
    ("content", "remarks"),
    [
        (midi(NOTE + END, header=b"\0\0"), {}),
        (
            b"RIFF"
            + struct.pack("<L", 0)
            + b"RMID"
            + b"DISP\3\0\0\0abc\0data"
            + struct.pack("<L", 43)
            + midi(NOTE + END),
            {},
        ),
        (midi((b"XFIH", b"abc"), NOTE + END, (b"XFKM", b"")), {"unknown chunks": 2}),
        (midi(b"\0\xff\x59\2\x0b\0" + NOTE + END), {"impossible key signatures ignored": 1}),
        (midi(b"\0\xff\x58\4\4\xff\x18\x08" + NOTE + END), {"impossible time signatures ignored": 1}),
        (midi(b"\0\xff\x58\1\4" + NOTE + END), {"impossible time signatures ignored": 1}),
        (midi(b"\0\xff\x51\0" + NOTE + END), {"impossible tempos ignored": 1}),
        (midi(b"\0\xff\x54\1\0" + b"\0\xff\x20\0" + NOTE + END), {}),  # mido fails at a short SMPTE offset
        (midi(b"\0" + ON + b"\0\xf0\3\x7e\x09\xf7" + b"\x83\x60\x3c\0" + END), {}),  # running status over a sysex
        (midi(NOTE), {"tracks without an end": 1}),
        (midi(NOTE + END + b"\1\2"), {"bytes after the end of a track": 2}),
        (midi(NOTE + END) + b"\1\2", {"bytes after the last track": 2}),
        (midi(NOTE + END) + b"\1\2\3\4\5\6\7\x08\x09", {"bytes after the last track": 9}),
        (midi(NOTE + END)[:10] + b"\0\0" + midi(NOTE + END)[12:], {"tracks more than the header says": 1}),
        (midi(NOTE + END).replace(b"MTrk\0\0\0", b"MTrk\0\0\1"), {"track lengths beyond the end of the file": 1}),
        (midi(NOTE + b"\0" + OFF + END), {"releases of no note": 1}),
        (midi(b"\0" + ON + b"\x83\x60\xff\x2f\0"), {"notes without an end": 1}),
    ],
)
def test_what_is_odd_is_read_and_counted(content, remarks):
    piece = read(content)
    assert told(piece) == [(0, 1, 60)] and piece.remarks == remarks


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "MThd"),
        (b"RIFF\0\0\0\0RMIDLIST", "data chunk"),
        (midi(NOTE + END, kind=3), "format 3"),
        (midi(NOTE + END, division=0xE800)[:14], "0 ticks"),
        (midi(NOTE + END, division=0x8128), "SMPTE"),
        (midi(NOTE + END)[:10] + b"\0\2" + midi(NOTE + END)[12:], "promises 2 tracks"),
        (midi(NOTE + END)[:-1], "cut short"),
        (midi(NOTE[:-1]), "past the end"),
        (midi(b"\0\x3c\x40" + END), "a message must begin"),
        (midi(b"\0\xf4" + NOTE + END), "0xf4"),
        (midi(b"\xff\xff\xff\xff\x7f" + ON + END), "four bytes"),
        (midi(b"\0\xff\1\xff\xff\xff\x7f" + NOTE + END), "past the end"),
        (b"MThd" + b"\xff" * 20, "format"),
    ],
)
def test_what_is_broken_is_refused_with_a_reason(content, why):
    with pytest.raises(Unreadable, match=why):
        read(content)


def test_a_large_file_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(tracks, "_unwrapped", lambda content: pytest.fail("it was"))
    with pytest.raises(Unreadable, match="at most 8,000,000"):
        read(bytes(tracks.MAX_BYTES + 1))


@pytest.mark.parametrize(
    "content",
    [
        midi(b"\0\x90" + b"\x3c\x40\0" * 600_000),
        midi(*[b"\0\x90" + b"\x3c\x40\0" * 6_000 + END[1:]] * 100),
        midi(b"\0\xff\1\0" * 600_000 + END),
    ],
    ids=["notes", "tracks", "texts"],
)
def test_more_events_than_music_has_are_not_decoded(content, monkeypatch):
    monkeypatch.setattr(mido, "MidiFile", lambda **_: pytest.fail("it was"))
    with pytest.raises(Unreadable, match="500,000 events"):
        read(content)


@given(st.binary(max_size=200), st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_the_bytes_it_is_a_piece_or_a_reason(noise, data):
    whole = (EDGE / data.draw(st.sampled_from([f"{name}.mid" for name in sorted(ANSWERS)]))).read_bytes()
    place = data.draw(st.integers(0, len(whole)))
    for content in (noise, whole[:place] + noise, whole[:place] + noise + whole[place + len(noise) :]):
        try:
            piece = read(content)
        except Unreadable:
            continue
        for rows in (piece.notes, piece.tempos, piece.metres, piece.keys):
            assert all(np.isfinite(rows[name]).all() for name in rows.dtype.names if rows[name].dtype.kind == "f")
        assert (piece.notes["duration"] >= 0).all() and (piece.notes["duration_s"] >= 0).all()


def test_a_channel_in_two_tracks_keeps_their_programs():
    """The last program of one's own track counts, then that of the channel in any track."""
    program = b"\0\xc0"
    first = program + b"\x10" + NOTE + END
    own = NOTE + program + b"\x20" + NOTE + END
    piece = read(midi(first, own, NOTE + END))
    assert sorted(told(piece, "track", "onset", "program")) == [(0, 0, 16), (1, 0, 16), (1, 1, 32), (2, 0, 16)]


def test_maps():
    events = b"\0\xff\x58\4\6\3\x18\x08" + b"\0\xff\x59\2\xfd\1" + b"\x83\x60\xff\x59\2\5\0" + END
    piece = read(midi(events, NOTE + END))
    assert piece.metres[["onset", "numerator", "denominator"]].tolist() == [(0, 6, 8)]
    assert piece.keys[["onset", "onset_s", "fifths", "mode"]].tolist() == [(0, 0, -3, "minor"), (1, 0.5, 5, "major")]
    assert (piece.length, piece.length_s, piece.n_tracks) == (1, 0.5, 2)


def test_every_key_signature():
    for fifths in range(-7, 8):
        for minor, mode in enumerate(("major", "minor")):
            piece = read(midi(b"\0\xff\x59\2" + bytes([fifths % 256, minor]) + END))
            assert piece.keys[["fifths", "mode"]].tolist() == [(fifths, mode)]


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 2_000_000)), max_size=6), st.integers(1, 960))
@settings(max_examples=50, deadline=None)
def test_seconds_are_those_of_pretty_midi(tempos, division):
    file = mido.MidiFile(ticks_per_beat=division)
    file.add_track().extend(mido.MetaMessage("set_tempo", tempo=tempo, time=time) for time, tempo in tempos)
    messages = [("note_on", 60, 5), ("note_off", 60, 700), ("note_on", 64, 300), ("note_off", 64, 1)]
    file.add_track().extend(mido.Message(kind, note=note, time=time) for kind, note, time in messages)
    out = io.BytesIO()
    file.save(file=out)
    peer = pretty_midi.PrettyMIDI(io.BytesIO(out.getvalue()))
    expected = [(note.start, note.end) for note in peer.instruments[0].notes]
    notes = read(out.getvalue(), 1e9).notes
    found = np.stack([notes["onset_s"], notes["onset_s"] + notes["duration_s"]], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
