"""The model registry: which model is the champion, since when and why; plain files in git, under `registry/`.

`versions.py` makes a version of a commit, `history.py` says what became of it, `gate.py` compares two. Weights and data stay with
DVC, named by their hashes (`objects.py` finds them). Not here: how models are trained, and what is measured (`evaluation/`).
"""
