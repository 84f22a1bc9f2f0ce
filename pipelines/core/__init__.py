"""What every stage stands on: files, tables, shards, the clip cache, parameters, records. A change here makes every stage stale.

Not here: what belongs to one kind of stage, and what shapes no result (`pipelines/harness`).
"""
