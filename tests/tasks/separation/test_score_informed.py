"""Score-informed separation: notes on the grid of frames, and stems of one timbre that only their notes tell apart."""

import band_stems
import numpy as np
import pandas as pd
import pytest
import torch

from pipelines.core import events
from pipelines.separating import midi
from pipelines.tasks.separation import fit, score
from pipelines.tasks.separation.fit import mixtures, network, notes
from pipelines.tasks.separation.models import score_templates


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """(informed run, its columns, columns of a blind run), in the current folder of this file's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("lines"))
        band_stems.write_lines()
        found = []
        for model in ("score_templates", "conv_masks"):
            run = band_stems.run("lines", model, steps=8, learning_rate=0.005)
            fit.fit(run, 2026, run.trainings[0][1])
            found.append((run, score.predict(run, run.trainings[0][1])))
        (run, informed), (_, blind) = found
        yield run, informed, blind


def test_notes_separate_what_timbre_cannot(lines):
    run, informed, blind = lines
    floor = score.baseline(run)
    assert (informed["unit"] == blind["unit"]).all()
    assert (informed["sdr"] > floor["sdr"] + 5).all()
    assert (informed["sdr"] > blind["sdr"] + 3).all(), "paired, each stem of each clip"
    assert all(passed for passed, _ in score.checks(run, [informed]).values())


def test_exchanged_notes_exchange_the_estimates(lines):
    """So it is the notes that say which stem is which."""
    run, *_ = lines
    data, separator = mixtures.read(run), network.load(run.trainings[0][1])
    clip = data.of("test").iloc[0]
    mixture = data.signals(clip["stems_path"]).sum(axis=0)
    written = notes.of_clips("lines", data.names)[clip["clip_id"]]
    estimates = separator.separate(mixture, written)
    np.testing.assert_allclose(separator.separate(mixture, written[::-1]), estimates[::-1], atol=1e-5)
    # a stem without notes gets what no note explains
    silent = separator.separate(mixture, [written[0], np.zeros((0, 3))])
    assert np.sum(silent[1] ** 2) < 0.3 * np.sum(mixture**2)


def test_the_grid_of_frames_is_that_of_events(lines):
    rng, hop_s = np.random.default_rng(0), 0.05
    table = np.stack([rng.uniform(0, 2, 30), np.zeros(30), rng.integers(60, 64, 30)], axis=1)
    table[:, 1] = table[:, 0] + rng.uniform(hop_s, 0.5, 30)
    found = notes.roll([table], 50, hop_s, 0.2)[0]
    for pitch in range(60, 64):
        own = table[table[:, 2] == pitch]
        rows = [("x", "note", "p", a, b, 0.0) for a, b, _ in own]
        expected = events.grid(pd.DataFrame(rows, columns=events.EVENTS.names), ["p"], 50, hop_s, 0.2)[:, 0]
        np.testing.assert_array_equal(found[:, pitch] > 0, expected)
    assert notes.roll([np.array([[0.01, 0.011, 60.0]])], 3, hop_s, 0)[0, :, 60].tolist() == [0, 1, 0]


def test_rolls_of_remixes_are_parts_of_their_clips(lines):
    clips = list(notes.of_clips("lines", ["one", "two"]).values())
    places = np.array([[[0, 0], [3, 2000]], [[2, 400], [2, 400]]])
    found = notes.rolls(clips, places, 8, 100, 4000)
    np.testing.assert_array_equal(found[0, 1], notes.roll([clips[3][1]], 28, 0.025, 0)[0][20:28])
    np.testing.assert_array_equal(found[1, 0], notes.roll([clips[2][0]], 12, 0.025, 0)[0][4:12])


def test_a_frame_of_a_note_has_one_phase():
    rolls = torch.zeros(1, 10, 128)
    rolls[0, 2:5, 60] = 1
    found = score_templates.phases(rolls)[0, :, 60::128]
    assert found.argmax(dim=1)[1:8].tolist() == [0, 1, 2, 2, 3, 4, 5] and (found.sum(dim=1)[1:8] == 1).all()
    assert not found[:1].any() and not found[8:].any()


def test_harmonics_lie_where_the_notes_are():
    """The STFT of a sine of the note has its maximum in the bin of the first partial."""
    templates = score_templates.harmonics(1025, 16000)
    for pitch in (57, 69, 81):
        time = torch.arange(2048) / 16000
        sine = torch.sin(2 * torch.pi * band_stems.hertz(pitch) * time) * torch.hann_window(2048)
        assert abs(int(torch.fft.rfft(sine).abs().argmax()) - int(templates[pitch].argmax())) <= 1


def test_tracks_of_a_midi_file_are_stems(tmp_path):
    band_stems.midi_file(tmp_path / "song.mid", ["Two", "ONE"])
    one, two, none = midi.of_midi(tmp_path / "song.mid", ["one", "two", "three"])
    np.testing.assert_allclose([one[0], two[0]], [[0.5, 0.75, 61], [0.5, 0.75, 60]])
    assert none.shape == (0, 3)
    band_stems.midi_file(tmp_path / "other.mid", ["one", "Piano"])
    with pytest.raises(ValueError, match="track 2 is called 'piano', which is no stem: name tracks one, two"):
        midi.of_midi(tmp_path / "other.mid", ["one", "two"])
    # a key of 9 sharps, which the reader of notes passes over
    whole = (tmp_path / "song.mid").read_bytes()
    key = b"\x00\xff\x59\x02\x09\x00"
    size = int.from_bytes(whole[18:22], "big") + len(key)
    (tmp_path / "key.mid").write_bytes(whole[:18] + size.to_bytes(4, "big") + key + whole[22:])
    with pytest.raises(ValueError, match="the names of its tracks cannot be read"):
        midi.of_midi(tmp_path / "key.mid", ["one", "two"])
