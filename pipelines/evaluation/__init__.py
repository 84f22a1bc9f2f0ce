"""What the studies compute: clustering, probes, leaks, drift, robustness. Arrays in, numbers out; no files, no plots."""
