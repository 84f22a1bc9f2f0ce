"""Sound as samples: probing, decoding and resampling files, and the PCM shards every later step reads.

No features here (see `pipelines/features/`), and no labels.
"""
