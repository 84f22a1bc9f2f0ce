"""Training of taggers: random chunks, recipes, fitting with Lightning, checkpoints, resuming. Networks are in
`pipelines/models/`. `loop.py` trains the networks of families of tasks."""
