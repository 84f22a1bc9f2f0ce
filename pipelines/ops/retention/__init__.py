"""What to keep and what to delete: old experiments, retrainings, unused files of the DVC cache, the bytes of withdrawn clips.

Each module finds rows (`policy.row`) and deletes those without a reason to keep them. Files that a registered model needs are
always kept. From a remote, only purged files of withdrawn clips are deleted (`withdrawn_on_remote.py`). Dagster's runs are
deleted by `assets/prune.py`; the cache of clips has its own limit."""
