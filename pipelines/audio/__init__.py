"""Audio files: probe, decode and resample them, and write the PCM shards that every later stage reads.

Features are in `pipelines/features/`; labels are in the manifest.
"""
