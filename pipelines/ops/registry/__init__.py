"""The model registry: which version of each model is the champion, since when and why, as plain files in git under `registry/`.

`versions.py` registers a version from a commit, `history.py` records its events, `gate.py` compares two versions. Weights and
data stay in DVC's cache and remotes, found by their hashes (`objects.py`)."""
