"""What the benchmark of the networks uses; the command is ../taggers.py."""
