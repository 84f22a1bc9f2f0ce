"""Getting what others have published: downloads, archives, and the table of clips made of them.

A folder of its own, so that the recipe can name it (`imports: pipelines/datasets/sources`): an edit here redoes the published
datasets, and neither `scores` nor the folders of a user.
"""
