"""The hyperparameters from which validation chooses."""

from itertools import product


def choices(grid: dict, n_validation: int) -> list[dict]:
    """Every combination of the grid's values, a value alone being the only one. Raises `ValueError` where there is a choice and
    no validation clip to make it."""
    values = [value if isinstance(value, list) else [value] for value in grid.values()]
    found = [dict(zip(grid, combination, strict=True)) for combination in product(*values)]
    if len(found) > 1 and not n_validation:
        several = ", ".join(name for name, each in zip(grid, values, strict=True) if len(each) > 1)
        raise ValueError(f"no validation clips to choose {several} with: state one value of each under `parameters`")
    return found


def check(module, candidates, n_clips):
    """Raises `ValueError` where the model's file says that it cannot be fitted on so few clips."""
    if hasattr(module, "check"):
        module.check(candidates, n_clips)
