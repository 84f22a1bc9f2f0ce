"""Operations: run the pipeline, trace results, register and retrain models, push and pull data, free disk space, send alerts.

No result depends on this package, and no stage imports it.
"""
