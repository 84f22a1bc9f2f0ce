"""`python -m pipelines.ops.settings`: check params.yaml, and nothing else. dvc.yaml runs it before each command
that contains a name from params.yaml."""

from pipelines.ops.settings import load_params

if __name__ == "__main__":
    load_params()
