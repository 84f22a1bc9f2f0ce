"""Used by every stage: files, tables, shards, the clip cache, parameters, records. A change here makes every stage stale.

Code of one kind of stage is in the package of that stage; code that does not affect results is in `pipelines/harness`.
"""
