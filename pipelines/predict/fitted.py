"""The fitted runs that `predict`, `separate` and `generate` use for new files."""

from functools import reduce

from pipelines import recipe, tasks
from pipelines.core import params, paths
from pipelines.core.files import read_json
from pipelines.ops.settings.kinds import suggestion

SHAPING = ("audio", "baseline", "embed", "encode", "features", "symbols")
"""Kinds of stages whose parameters shape a representation."""


def of_family(name: str, family: str, settings: dict) -> tasks.Run:
    """The fitted run `name` of a family, or its only run where `name` is "". Raises `ValueError` that says what to do."""
    runs = [each for each, entry in (settings.get("runs") or {}).items() if entry.get("task") == family]
    if not runs:
        raise ValueError(
            f"params.yaml has no run of {family}: `conservatory tasks` lists presets that `conservatory enable` adds"
        )
    if name and name not in runs:
        raise ValueError(f"params.yaml has no run {name!r} of {family}{suggestion(name, runs)}")
    if len(runs) > 1 and not name:
        raise ValueError(f"params.yaml has several runs of {family}, name one: {', '.join(runs)}")
    return checked(tasks.run(settings, name or runs[0]), settings)


def checked(run: tasks.Run, settings: dict) -> tasks.Run:
    """The run itself. Raises `ValueError` that says what to do where it is not fitted, or was fitted with another params.yaml."""
    path = paths.fitted(run.name) / "config.json"
    if not path.exists():
        raise ValueError(f"run {run.name!r} is not fitted yet: `conservatory run {run.name}` fits it")
    fitted = read_json(path)
    changed = [f"its {key}" for key, value in tasks.identity(run).items() if fitted[key] != value] + _changed(
        run, settings
    )
    if changed or not run.trainings[0][1].is_dir():
        raise ValueError(
            f"run {run.name!r} was fitted before a change of {', '.join(changed) or 'its first seed'}: "
            f"`conservatory run {run.name}` fits it again"
        )
    return run


def _changed(run: tasks.Run, settings: dict) -> list[str]:
    """What shapes the run's representation and differs from what dvc.lock says of the input it was fitted on."""
    graph = recipe.Graph(recipe.locked_stages())
    # of the folder that the run reads, or of a file in it
    makers = [graph.maker[path] for path in graph.outputs(run.input.as_posix())]
    found = {}
    for stage in graph.upstream(makers):
        kind = stage.partition("@")[0]
        for key, value in graph.stages[stage].get("params", {}).get(params.PARAMS.name, {}).items():
            if kind in SHAPING and _value(settings, key) != value:
                found[f"{key} in params.yaml"] = None
        for dep in graph.inputs(stage):
            maker = graph.maker.get(dep["path"], "")
            if maker.startswith("export@") and recipe.data_version(graph.stages[maker], dep["path"]) != dep["md5"]:
                found[dep["path"]] = None
    return list(found)


def _value(settings: dict, key: str):
    """The value of a dotted key; None where it is not there."""
    return reduce(lambda table, name: (table or {}).get(name), key.split("."), settings)
