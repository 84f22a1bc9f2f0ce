"""What lies on disk and how: atomic files, checked Parquet tables, NPY shards.

Nothing here knows what music is. Every write goes to a temporary name and is renamed when complete,
so a reader never meets half a file.
"""
