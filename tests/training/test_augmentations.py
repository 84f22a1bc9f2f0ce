"""Each augmentation against its closed form: impulses, tones, ratios of power, labels; and that steps alone decide the draws."""

import math

import numpy as np
import pytest
import torch
from test_training import SETTINGS, Level, loud_and_soft

from pipelines.training import augment, fit
from pipelines.training.augment import masks, noise, pitch, rooms, tone

RATE = 16_000
OF_SOUND = {
    "stretch": 0.2, "pitch_semitones": 2, "filter_db": 6, "delay_s": 0.1, "reverb_s": 0.2, "noise_snr_db": 10, "gain_db": 6,
    "polarity": True, "time_masks": 1, "time_mask": 0.2,
}  # fmt: skip
OF_FRAMES = {"stretch": 0.2, "pitch_bands": 3, "filter_db": 6, "noise_snr_db": 10, "gain_db": 6}


def impulse(n=64, size=8_000, at=1_000):
    x = torch.zeros(n, size)
    x[:, at] = 1
    return x


def tone_of(frequency, n=4, size=16_000):
    return torch.sin(2 * torch.pi * frequency * torch.arange(size) / RATE).repeat(n, 1)


def loudest(x):
    """Hz of the largest bin of each row."""
    return torch.fft.rfft(x * torch.hann_window(x.shape[1])).abs().argmax(dim=1) * RATE / x.shape[1]


def test_an_echo_is_the_impulse_again_later_and_softer():
    torch.manual_seed(1)
    y = rooms.echoed(impulse(), 0.25)
    assert (y[:, 1_000] >= 1).all() and ((y != 0).sum(dim=1) <= 2).all()
    row, place = (y * (torch.arange(8_000) != 1_000)).nonzero(as_tuple=True)
    assert len(row) > 60 and place.min() > 1_000 and 4_500 < place.max() < 5_000
    assert y[row, place].max() <= 0.5 and 0.2 < y[row, place].mean() < 0.3


def test_reverberation_decays_by_60_db_in_its_time():
    """Of an exponential decay the mean time, weighted by energy, is T60 / (6 ln 10), or 0.0724 T60."""
    torch.manual_seed(2)
    y = rooms.reverberated(impulse(n=256, size=16_000, at=0), 0.4)
    torch.testing.assert_close(y[:, 0], torch.ones(256), atol=1e-3, rtol=0)
    energy = y[:, 1:] ** 2
    level = energy.sum(dim=1)
    assert level.max() <= 1.0 + 1e-4 and 0.25 < level.mean() < 0.42, "the square of a level from 0 to 1"
    times = (energy * torch.arange(15_999) / RATE).sum(dim=1) / level * 6 * math.log(10)
    assert 0.02 < times.min() and times.max() < 0.5 and abs(times.mean() - 0.22) < 0.02


def test_a_filter_has_the_response_of_its_curve():
    torch.manual_seed(3)
    size = 8_192 - tone.PAD
    y = tone.filtered_sound(impulse(8, size, size // 2), 12.0)
    torch.manual_seed(3)
    knots = tone.even((8, tone.KNOTS), 12.0, torch.device("cpu"))
    bins = torch.fft.rfft(y, 8_192).abs()
    response = tone.curve(knots, tone.places(4_097, y.device))
    torch.testing.assert_close(20 * bins.log10()[:, 40:], response[:, 40:], atol=0.5, rtol=0)
    assert response.abs().max() <= 12 and response.diff(dim=1)[:, 200:].abs().max() < 0.2, "smooth"
    places = torch.linspace(0, 1, tone.KNOTS)
    torch.testing.assert_close(tone.curve(knots, places), knots)
    x = torch.rand(8, 5, tone.KNOTS)
    torch.manual_seed(3)
    torch.testing.assert_close(
        tone.filtered_frames(x, 12.0) - x, knots[:, None].expand(-1, 5, -1), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("snr_db", [0, 20])
def test_noise_has_the_ratio_it_says(snr_db):
    torch.manual_seed(4)
    x = tone_of(440, n=64)
    ratio = 10 * (x.pow(2).sum(dim=1) / (noise.noisy_sound(x, snr_db) - x).pow(2).sum(dim=1)).log10()
    assert snr_db - 0.1 < ratio.min() < snr_db + 3 and snr_db + 27 < ratio.max() < snr_db + noise.RANGE + 0.1
    frames = 10 * torch.rand(64, 100, 80) - 30
    power, louder = 10 ** (frames / 10), 10 ** (noise.noisy_frames(frames, snr_db) / 10)
    ratio = 10 * (power.mean(dim=(1, 2)) / (louder - power).mean(dim=(1, 2))).log10()
    assert snr_db - 0.3 < ratio.min() < snr_db + 3 and snr_db + 27 < ratio.max() < snr_db + noise.RANGE + 0.5
    assert noise.noisy_sound(torch.zeros(2, 99), 10).abs().max() == 0 and (louder >= power * 0.999).all()


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_stretching_changes_the_length_and_not_the_pitch(rate):
    y = pitch.vocoded(tone_of(1_000), rate)
    assert y.shape[1] == round(16_000 / rate)
    np.testing.assert_allclose(loudest(y), 1_000, atol=3)


def test_transposing_changes_the_pitch_by_up_to_so_many_semitones():
    torch.manual_seed(5)
    y = pitch.transposed(tone_of(1_000, n=64), 3)
    assert y.shape == (64, 16_000)
    semitones = 12 * torch.log2(loudest(y) / 1_000)
    assert semitones.abs().max() < 3.05 and (semitones.reshape(pitch.PARTS, -1).std(dim=1) < 0.01).all()
    drawn = [pitch.transposed(tone_of(1_000, n=1), 2)[0] for _ in range(20)]
    found = 12 * torch.log2(loudest(torch.stack(drawn)) / 1_000)
    assert found.min() < -1 and found.max() > 1 and found.mean().abs() < 0.8


def test_frames_are_stretched_and_moved_by_interpolation():
    """A ramp over time has the slope of its rate, until it is repeated; one over bands is moved by a constant."""
    torch.manual_seed(6)
    ramp = torch.arange(100.0)[:, None].expand(64, 100, 3).contiguous()
    rates = pitch.stretched_frames(ramp, 0.25).diff(dim=1)[:, :70, 0]
    assert (rates.std(dim=1) < 1e-4).all() and rates.min() > 1 / 1.26 and rates.max() < 1.26
    assert rates[:, 0].log().mean().abs() < 0.05
    bands = torch.arange(40.0).expand(64, 3, 40).contiguous()
    by = (pitch.moved(bands, 4) - bands)[:, :, 5:-5]
    assert (by.std(dim=(1, 2)) < 1e-4).all() and by.min() > -4 and by.max() < 4 and by.min() < -3 and by.max() > 3


def test_mixup_mixes_labels_as_it_mixes_chunks():
    torch.manual_seed(7)
    eye = torch.eye(64)
    chunks, targets = augment.mixed(eye[:, :, None].expand(64, 64, 3), eye, {"mixup": 0.4})
    torch.testing.assert_close(chunks, targets[:, :, None].expand_as(chunks))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64))
    own = torch.cat([augment.mixed(eye, eye, {"mixup": 0.4})[1].diagonal() for _ in range(40)])
    # Beta(0.4, 0.4): mean 1/2, variance 1 / (4 (2 alpha + 1))
    assert abs(own.mean() - 0.5) < 0.04 and abs(own.var() - 1 / (4 * 1.8)) < 0.02


def test_a_killed_training_on_augmented_samples_ends_with_the_same_weights(tmp_path, monkeypatch):
    data = loud_and_soft(tmp_path / "pcm")
    phase = SETTINGS["phases"][0] | {"epochs": 2}
    settings = SETTINGS | {"augment": OF_SOUND | {"mixup": 0.4}, "phases": [phase], "batch_size": 8, "monitor": "loss"}

    def train(place):
        torch.manual_seed(0)
        tagger = Level()
        fit.fit("level", tagger, data, settings, tmp_path / place)
        return tagger.dense.weight.tolist()

    whole = train("whole")
    begin = fit.Tagging.on_train_epoch_start

    def killed(self):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        begin(self)

    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, SystemExit)):
        patched.setattr(fit.Tagging, "on_train_epoch_start", killed)
        train("killed")
    assert train("killed") == whole


@pytest.mark.parametrize("function, x, options", [
    (augment.sound, torch.randn(4, 3_000), OF_SOUND), (augment.frames, torch.randn(6, 50, 32) - 30, OF_FRAMES)
])  # fmt: skip
def test_each_alone_keeps_the_shape_changes_something_and_is_drawn_from_the_seed(function, x, options):
    alone = [{name: options[name]} for name in options if not name.startswith("time_")] + [options]
    for chosen in alone:
        drawn = []
        for seed in (5, 5, 6):
            torch.manual_seed(seed)
            drawn.append(function(x, chosen))
        assert drawn[0].shape == x.shape and drawn[0].isfinite().all() and not torch.equal(drawn[0], x), chosen
        assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2]), chosen


def test_what_does_not_apply_is_told():
    augment.check(OF_SOUND | {"mixup": 0.2}, "waveform")
    augment.check(OF_FRAMES | {"polarity": True, "frequency_masks": 1, "frequency_mask": 0.1}, "log_mel")
    for settings, reads, said in [
        ({"delay_s": 0.1}, "log_mel", "delay_s needs samples, and log_mel has frames: read `waveform`"),
        ({"pitch_bands": 2}, "waveform", "pitch_bands needs frames, .* pitch_semitones transposes"),
        ({"filter_db": 3}, "mfcc", r"filter_db needs frames in dB \(log_mel, log_mel_slaney\), and mfcc is not"),
        ({"reverb": 1}, "waveform", "reverb is no augmentation; there are delay_s, "),
        ({"stretch": -1}, "waveform", "stretch is -1, and must be 0 or more"),
        ({"polarity": 1}, "waveform", "polarity is 1, and must be true or false"),
        ({"gain_db": "6"}, "waveform", "gain_db is '6', and must be a number"),
        ({"time_mask": 2}, "log_mel", "time_mask is 2, and must be a share"),
    ]:
        with pytest.raises(ValueError, match=said):
            augment.check(settings, reads)
    assert masks.masked is augment.masked and len(set(augment.SETTINGS)) == len(augment.SETTINGS)
