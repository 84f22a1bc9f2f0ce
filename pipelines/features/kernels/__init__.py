"""Code shared by features: a feature module imports these, never another feature module.

signal      samples with their padding, float32 or int16, a block at a time
sharing     one pass: intermediate results of a signal are computed once
stft        power and magnitude spectra in blocks of frames
mel         mel filters, decibels, log-mel
cepstrum    MFCC
chroma      chroma from a spectrum or a CQT, CENS, tonnetz
tuning      deviation of a recording from A4 = 440 Hz
cqt         constant-Q magnitudes by octaves
spectral    centroid, bandwidth, rolloff, flatness
contrast    spectral contrast
energy      RMS and zero crossings, from samples
rhythm      onset strength, tempogram, tempo, beats
pooling     deltas and statistics over time
batched     the spectral features in torch, on `(batch, samples)`
"""
