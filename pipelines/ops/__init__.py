"""Operations: running the recipe, asking where results come from, registering and retraining models, remotes, disk space, alerts.

Not here: anything that a result depends on. No stage loads this.
"""
