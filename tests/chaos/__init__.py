"""Faults, and what is left after them: see docs/faults.md. `make chaos` tries them all."""
