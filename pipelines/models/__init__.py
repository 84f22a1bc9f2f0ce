"""Models: taggers (`taggers/`), and the baselines an embedding must beat (`baselines/`).

Networks and closed forms only: loops over data are in `pipelines/training/`, scores in `pipelines/evaluation/`.
"""
