"""DVC remotes: transfer files, and verify each by its hash.

`dvc push` and `dvc pull` compare names, not content: a damaged file of the cache is pushed, and pulled by everybody; half a file
left by a broken SSH connection counts as pushed; a missing file is only a warning. Here each file is hashed before it is sent and
after it is received. Cache and remote keep DVC's layout, so plain `dvc` works too.

`local_cache.py` is the cache here, `remote_store.py` a remote, `transfer.py` pushes and pulls. The registry decides which files
are transferred.
"""
