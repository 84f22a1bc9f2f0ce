"""SDR of the test clips' stems by three definitions, beside the mixture divided by the number of stems.

A score is the median over clips of each stem, then the mean over stems (metrics/separation.py defines each SDR). A scored unit is
a stem of a clip in which it and another sound. Where a stem is silent throughout a clip no SDR is defined: the unit is not
scored, and the details say how loud the estimate is there, beside the mixture. A second in which a sounding stem of the clip
rests has no museval SDR. Values beyond 100 dB count as 100 dB. Floors and ceilings of the same clips stand in the details.
"""

import numpy as np
import torch

from pipelines.core.files import read_json
from pipelines.harness.progress import progress
from pipelines.metrics import separation
from pipelines.metrics.scores import Metric
from pipelines.tasks.separation.fit import masks, mixtures, network, notes
from pipelines.tasks.separation.score import examples, guards

DEFINITIONS = {
    "sdr": "10 log10(|s|² / |s - e|²) over the whole clip",
    "si_sdr": "scale-invariant SDR over the whole clip (Le Roux et al. 2019)",
    "museval_sdr": "BSS Eval v4: SDR of each second, median over seconds (museval)",
}
METRICS = {name: Metric(lambda columns, name=name: mean_of_medians(columns, name), unit="dB") for name in DEFINITIONS}

MOST_DB = 100.0


def predict(run, folder):
    """unit ("<clip_id> <stem>"), group, `stem`, and each SDR in dB."""
    return _columns(run, run.name, _answer(run, folder))


def baseline(run):
    """The mixture divided by the number of stems, as the estimate of each."""
    return _columns(run, "baseline", lambda sounds, clip_id: np.tile(sounds.mean(axis=0), (len(sounds), 1)))


def details(run, found):
    """Median SDRs of each stem by the first training, of floors (the mixture, and divided by k) and of ceilings (ideal ratio
    masks of amplitude and power, which know the stems); the loss by step; how loud estimates of silent stems are."""
    config = read_json(run.trainings[0][1] / "config.json")
    k, options = len(config["stems"]), run.options
    answers = {
        run.name: found[0],
        "mixture": _columns(run, "mixture", lambda sounds, clip_id: np.tile(sounds.sum(axis=0), (k, 1))),
        f"mixture / {k}": baseline(run),
        "ideal amplitude mask": _columns(
            run, "ideal amplitude mask", lambda sounds, clip_id: ideal(sounds, 1, options)
        ),
        "ideal power mask": _columns(run, "ideal power mask", lambda sounds, clip_id: ideal(sounds, 2, options)),
    }
    table = {
        answer: {stem: _medians(columns, stem) for stem in config["stems"]} | {"mean": _means(columns)}
        for answer, columns in answers.items()
    }
    return {
        "definitions": DEFINITIONS,
        "stems": config["stems"],
        "options": config["options"],
        "table": table,
        "history": config["history"],
        "validation_sdr": config["validation_sdr"],
        "sample_rate": config["sample_rate"],
        "silent": _silent(run),
        "examples": examples.of(
            found[0], mixtures.read(run), _answer(run, run.trainings[0][1]), lambda sounds: ideal(sounds, 1, options)
        ),
    }


def plots(details):
    """Median SDR of each stem, for the record."""
    own = next(iter(details["table"].values()))
    values = {stem: own[stem]["sdr"] for stem in details["stems"] if own[stem]["sdr"] is not None}
    return {"stems": {"kind": "bars", "values": values, "title": "median SDR of each stem, dB"}}


def checks(run, found):
    """score/guards.py, by the first training."""
    data = mixtures.read(run)
    return guards.checks(data, _notes(run, data), network.load(run.trainings[0][1]))


def ideal(sounds: np.ndarray, power: float, options) -> np.ndarray:
    """`(stems, samples)`: the mixture through the ratio masks of its own stems."""
    spectra = masks.spectrogram(torch.from_numpy(sounds), options["n_fft"], options["hop"])
    found = masks.ideal_ratio(spectra, power) * spectra.sum(dim=0)
    return masks.inverse(found, sounds.shape[1], options["n_fft"], options["hop"]).numpy()


def mean_of_medians(columns, name: str) -> float:
    """Mean over stems of the median over clips that have a value; NaN where none has."""
    medians = [_median(columns, name, stem) for stem in np.unique(columns["stem"])]
    medians = [value for value in medians if np.isfinite(value)]
    return float(np.mean(medians)) if medians else float("nan")


def _median(columns, name: str, stem: str) -> float:
    values = columns[name][columns["stem"] == stem]
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def _columns(run, what, answer):
    """The columns of the test clips; `answer` gets their stems `(stems, samples)` and clip id, and gives estimates. `what`
    names it in the progress."""
    data, rows = mixtures.read(run), []
    clips = data.of("test")
    for clip in progress(clips.itertuples(), f"score {what}", len(clips)):
        sounds = data.signals(clip.stems_path)
        sounding = np.flatnonzero(sounds.any(axis=1))
        if len(sounding) < 2:
            continue
        estimates = answer(sounds, clip.clip_id)
        by_second = separation.museval_sdr(sounds[sounding], estimates[sounding], data.rate)
        for stem, of_seconds in zip(sounding.tolist(), by_second, strict=True):
            pair = sounds[stem], estimates[stem]
            scores = np.clip([separation.sdr(*pair), separation.si_sdr(*pair), of_seconds], -MOST_DB, MOST_DB)
            rows.append((f"{clip.clip_id} {data.names[stem]}", clip.group, data.names[stem], *scores.tolist()))
    if not rows:
        raise ValueError(f"no test clip of {run.dataset!r} has two stems that sound: nothing is to be separated")
    columns = zip(*rows, strict=True)
    return {name: np.array(each) for name, each in zip(("unit", "group", "stem", *DEFINITIONS), columns, strict=True)}


def _medians(columns, stem: str) -> dict:
    return {name: _rounded(_median(columns, name, stem)) for name in DEFINITIONS}


def _means(columns) -> dict:
    return {name: _rounded(mean_of_medians(columns, name)) for name in DEFINITIONS}


def _rounded(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None


def _answer(run, folder):
    """(stems `(stems, samples)`, clip id) -> estimates of the fitted model in `folder`."""
    separator, data = network.load(folder), mixtures.read(run)
    written = notes.of_clips(run.dataset, data.names) if separator.reads_notes else {}
    return lambda sounds, clip_id: separator.separate(sounds.sum(axis=0), written.get(clip_id, notes.none(data.names)))


def _notes(run, data) -> dict:
    try:
        return notes.of_clips(run.dataset, data.names)
    except ValueError:  # the dataset has none
        return {}


def _silent(run) -> dict:
    """Stems that are silent throughout a test clip: how many, and the median level of their estimates beside the mixture, dB."""
    data, answer, levels = mixtures.read(run), _answer(run, run.trainings[0][1]), []
    for clip in data.of("test").itertuples():
        sounds = data.signals(clip.stems_path)
        silent = ~sounds.any(axis=1)
        if silent.any():
            power = np.mean(answer(sounds, clip.clip_id)[silent] ** 2, axis=1)
            power /= max(np.mean(sounds.sum(axis=0) ** 2), 1e-12)
            levels += (10 * np.log10(np.maximum(power, 1e-12))).tolist()
    return {"n": len(levels), "median_level_db": round(float(np.median(levels)), 2) if levels else None}
