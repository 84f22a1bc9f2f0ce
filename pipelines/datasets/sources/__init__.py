"""Published datasets: downloads, archives, and the table of their clips.

A folder of its own, so that the recipe can name it (`imports: pipelines/datasets/sources`): an edit here makes the published
datasets stale, and neither `scores` nor a user's folders.
"""
