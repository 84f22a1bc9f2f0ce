"""What the benchmarks of the feature engine share; the command is ../features.py."""
