"""DVC remotes: transfer files, and verify each by its hash.

`dvc push` and `dvc pull` ask whether a name is there, not what is under it: a spoilt file of the cache is pushed, and pulled by
everybody; half a file that a broken SSH connection left counts as pushed; a file that is nowhere is a warning. Here a file is
hashed before it leaves and when it arrives. What lies in cache and remote is DVC's own layout, and plain `dvc` works beside it.

`local_cache.py` is the cache here, `remote_store.py` a remote, `transfer.py` pushes and pulls. Not here: which files are
wanted (registry/).
"""
