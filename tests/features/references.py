"""What each feature must equal: librosa 0.11, or where it has no such function the published formula.

`REFERENCES[name](y, rate, p)` takes the feature's parameters `p` and gives its frames, time first. The relative
error, max |a - b| / max |b|, is at most 1e-4. `DOWN_TO[name]` is how many dB below the loudest are compared, where it is
not all of them, and why. `FLOORS[name]` is the least max |b| that counts, where
a signal's true value is 0 and both have rounding. `VARIANTS` are parameters beside the defaults.
"""

import librosa
import numpy as np
import torch


def of(p, *names, **renamed):
    """The parameters librosa calls by the same names, and those it calls otherwise."""
    return {name: p[name] for name in names} | {theirs: p[ours] for theirs, ours in renamed.items()}


FRAMES = ("n_fft", "hop_length")
MEL = (*FRAMES, "n_mels", "fmin", "fmax")
CHROMA = ("hop_length", "fmin", "n_chroma", "n_octaves", "bins_per_octave", "tuning")


def log_mel(y, rate, p):
    """The published definition, in torch: HTK's scale and triangles written out, float64."""
    hz = torch.arange(p["n_fft"] // 2 + 1, dtype=torch.float64) * rate / p["n_fft"]
    low, high = (2595 * np.log10(1 + f / 700) for f in (p["fmin"], p["fmax"]))
    feet = 700 * (10 ** (torch.linspace(low, high, p["n_mels"] + 2, dtype=torch.float64) / 2595) - 1)
    left, centre, right = feet[:-2, None], feet[1:-1, None], feet[2:, None]
    filters = torch.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)).clamp(min=0)
    mode = "reflect" if len(y) > p["n_fft"] // 2 else "constant"
    window = torch.hann_window(p["n_fft"], dtype=torch.float64)
    spectrum = torch.stft(
        torch.from_numpy(y).double(), p["n_fft"], p["hop_length"], window=window, pad_mode=mode, return_complex=True
    )
    return 10 * torch.log10((filters @ spectrum.abs() ** 2).clamp(min=1e-10)).T.numpy()


def log_mel_hifigan(y, rate, p):
    """The published code's steps (Kong et al. 2020), float64."""
    pad = (p["n_fft"] - p["hop_length"]) // 2
    mode = "reflect" if len(y) > pad else "constant"
    padded = torch.nn.functional.pad(torch.from_numpy(y).double()[None, None], (pad, pad), mode=mode)[0, 0]
    if len(padded) < p["n_fft"]:
        return np.zeros((0, p["n_mels"]))
    window = torch.hann_window(p["n_fft"], dtype=torch.float64)
    spectrum = torch.stft(padded, p["n_fft"], p["hop_length"], window=window, center=False, return_complex=True)
    filters = librosa.filters.mel(sr=rate, **of(p, "n_fft", "n_mels", "fmin", "fmax"))
    mel = torch.from_numpy(filters).double() @ torch.sqrt(spectrum.abs() ** 2 + 1e-9)
    return torch.log(mel.clamp(min=1e-5)).T.numpy()


def mel_db(y, rate, p):
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=rate, **of(p, *MEL)))


def mfcc(y, rate, p):
    base = librosa.feature.mfcc(y=y, sr=rate, **of(p, *MEL, "n_mfcc", "lifter"))
    return np.concatenate([base, *(librosa.feature.delta(base, order=n + 1) for n in range(p["deltas"]))]).T


def onset(y, rate, p, aggregate="mean", **options):
    p = {"n_fft": 2048, "fmin": 0, "fmax": None} | p
    aggregate = {"mean": np.mean, "median": np.median}[aggregate]
    return librosa.onset.onset_strength(S=mel_db(y, rate, p), aggregate=aggregate, **of(p, *FRAMES), **options)


def beats(y, rate, p):
    options = of(p, "hop_length", "start_bpm", "tightness", "trim", "bpm")
    envelope = onset(y, rate, p, "median")
    return librosa.beat.beat_track(onset_envelope=envelope, sr=rate, units="time", **options)[1][:, None]


def hpss(y, rate, p):
    """Mirrored by hand, because scipy's median filter reads beyond arrays of two or three frames."""
    pad = p["kernel_size"] // 2
    magnitude = np.abs(librosa.stft(y, **of(p, *FRAMES)))
    padded = np.pad(magnitude, ((0, 0), (pad, pad)), mode="symmetric")
    parts = librosa.decompose.hpss(padded, **of(p, "kernel_size", "margin"))
    return np.concatenate(parts)[:, pad : pad + magnitude.shape[1]].T


def f0(y, rate, p):
    return np.array(
        librosa.pyin(y, sr=rate, fill_na=0.0, **of(p, "frame_length", "hop_length", "fmin", "fmax")), dtype=float
    ).T


def pooled_frames(y, rate, p):
    """`{descriptor: (bands, n_frames)}`, all from one spectrum."""
    options = of(p, *FRAMES)
    magnitude = np.abs(librosa.stft(y, **options))
    db = librosa.power_to_db(
        librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=p["n_mels"], fmax=p["fmax"])
    )
    energy = {"frame_length": p["n_fft"], "hop_length": p["hop_length"]}
    return {
        "log_mel": db,
        "mfcc": librosa.feature.mfcc(S=db, n_mfcc=p["n_mfcc"]),
        "chroma": librosa.feature.chroma_stft(S=magnitude**2, sr=rate, n_fft=p["n_fft"], tuning=0),
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=rate),
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude, sr=rate),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude, sr=rate),
        "flatness": librosa.feature.spectral_flatness(S=magnitude),
        "contrast": librosa.feature.spectral_contrast(S=magnitude, sr=rate),
        "rms": librosa.feature.rms(y=y, **energy),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(y, **energy),
    }


def pooled(y, rate, p):
    """`{column: (value, scale of its descriptor)}`."""
    found = {}
    for name, frames in pooled_frames(y, rate, p).items():
        scale = max(np.abs(frames).max(), 1.0 if name == "contrast" else 1e-6)
        for statistic, values in (("mean", frames.mean(axis=1)), ("std", frames.astype(float).std(axis=1))):
            for band, value in enumerate(values):
                place = "" if len(values) == 1 else f"_{band:03d}"
                found[f"{name}{place}_{statistic}"] = value, scale
    return found


REFERENCES = {
    "stft": lambda y, rate, p: np.abs(librosa.stft(y, **p)).T,
    "log_mel": log_mel,
    "log_mel_slaney": lambda y, rate, p: mel_db(y, rate, p).T,
    "log_mel_hifigan": log_mel_hifigan,
    "mfcc": mfcc,
    "cqt": lambda y, rate, p: np.abs(librosa.cqt(y, sr=rate, **p)).T,
    "chroma_stft": lambda y, rate, p: librosa.feature.chroma_stft(y=y, sr=rate, **p).T,
    "chroma_cqt": lambda y, rate, p: librosa.feature.chroma_cqt(y=y, sr=rate, **p).T,
    "chroma_cens": lambda y, rate, p: (
        librosa.feature.chroma_cens(y=y, sr=rate, win_len_smooth=p["win_len_smooth"] or None, **of(p, *CHROMA)).T
    ),
    "tonnetz": lambda y, rate, p: librosa.feature.tonnetz(y=y, sr=rate, **p).T,
    "spectral_centroid": lambda y, rate, p: librosa.feature.spectral_centroid(y=y, sr=rate, **p).T,
    "spectral_bandwidth": lambda y, rate, p: librosa.feature.spectral_bandwidth(y=y, sr=rate, **p).T,
    "spectral_rolloff": lambda y, rate, p: librosa.feature.spectral_rolloff(y=y, sr=rate, **p).T,
    "spectral_flatness": lambda y, rate, p: librosa.feature.spectral_flatness(y=y, **p).T,
    "spectral_contrast": lambda y, rate, p: librosa.feature.spectral_contrast(y=y, sr=rate, **p).T,
    "zero_crossing_rate": lambda y, rate, p: librosa.feature.zero_crossing_rate(y, **p).T,
    "rms": lambda y, rate, p: librosa.feature.rms(y=y, **p).T,
    "onset_strength": lambda y, rate, p: onset(y, rate, p, p["aggregate"], lag=p["lag"])[:, None],
    "tempogram": lambda y, rate, p: (
        librosa.feature.tempogram(onset_envelope=onset(y, rate, p), sr=rate, **of(p, "hop_length", "win_length")).T
    ),
    "tempo": lambda y, rate, p: {
        "tempo": librosa.feature.tempo(
            onset_envelope=onset(y, rate, p), sr=rate, **of(p, "hop_length", "start_bpm", "std_bpm", "ac_size")
        )[0]
    },
    "beats": beats,
    "hpss": hpss,
    "f0": f0,
    "pooled": pooled,
}

DOWN_TO = {
    "log_mel": (80, "a float32 transform, as the taggers were trained with: what is lower is its rounding"),
}
FLOORS = {
    "spectral_contrast": (1.0, "dB: a flat spectrum has none"),
    "onset_strength": (1.0, "dB a frame: a steady sound has none"),
}
VARIANTS = [
    ("stft", {"n_fft": 1000, "hop_length": 300}),
    ("stft", {"n_fft": 513, "hop_length": 100}),
    ("log_mel", {"n_fft": 1024, "hop_length": 300, "n_mels": 96, "fmin": 30, "fmax": 7000}),
    ("log_mel_slaney", {"n_fft": 1024, "hop_length": 300, "n_mels": 40, "fmin": 50, "fmax": 5000}),
    ("log_mel_hifigan", {"n_fft": 512, "hop_length": 128, "n_mels": 40}),
    ("mfcc", {"deltas": 2, "lifter": 22, "n_mfcc": 13}),
    ("cqt", {"bins_per_octave": 24, "n_bins": 100, "fmin": 110.0, "hop_length": 256}),
    ("cqt", {"hop_length": 300, "n_bins": 30, "fmin": 220.0}),
    ("cqt", {"hop_length": 441, "n_bins": 24, "fmin": 400.0}),
    ("cqt", {"tuning": None}),
    ("chroma_stft", {"tuning": None, "n_fft": 4096}),
    ("chroma_stft", {"n_chroma": 24, "tuning": 0.3}),
    ("chroma_cqt", {"tuning": None, "n_octaves": 5, "fmin": 65.4}),
    ("chroma_cens", {"win_len_smooth": 0}),
    ("chroma_cens", {"win_len_smooth": 12}),
    ("tonnetz", {"bins_per_octave": 12, "tuning": None}),
    ("spectral_rolloff", {"roll_percent": 0.5, "n_fft": 1000}),
    ("spectral_contrast", {"n_bands": 4, "fmin": 100.0, "quantile": 0.1, "n_fft": 4096}),
    ("zero_crossing_rate", {"frame_length": 301, "hop_length": 77}),
    ("rms", {"frame_length": 301, "hop_length": 77}),
    ("onset_strength", {"lag": 2, "aggregate": "median", "n_mels": 64, "fmax": 4000}),
    ("tempogram", {"win_length": 101}),
    ("tempo", {"start_bpm": 80.0, "std_bpm": 0.5, "ac_size": 4.0}),
    ("beats", {"tightness": 400.0, "trim": False}),
    ("beats", {"bpm": 100.0}),
    ("hpss", {"kernel_size": 17, "margin": 2.0, "n_fft": 512, "hop_length": 256}),
    ("f0", {"fmin": 100.0, "fmax": 800.0, "hop_length": 400}),
    ("pooled", {"n_mels": 64, "n_mfcc": 13, "hop_length": 600}),
]
