"""What to keep and what to delete: old experiments, retrainings, unused files of the DVC cache, the bytes of withdrawn clips.

Each module finds rows (`policy.row`), of which those without a reason to be kept go, and takes them away. What a registered model
needs is never among them. From a remote, only what was purged of withdrawn clips is deleted (`shelved`). Not here: Dagster's runs
(`assets/prune.py`), and the cache of clips, which bounds itself.
"""
