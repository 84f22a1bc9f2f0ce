"""`python -m pipelines.ops.settings`: check params.yaml, and nothing else. It stands before each command of dvc.yaml that holds a
name from params.yaml."""

from pipelines.ops.settings import load_params

if __name__ == "__main__":
    load_params()
