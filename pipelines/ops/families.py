"""`conservatory tasks`, `enable` and `disable`: what families of tasks there are, and their presets."""

import ast
from pathlib import Path
from typing import Annotated

import typer

from pipelines.ops import estimate, presets
from pipelines.ops.failing import fail
from pipelines.ops.runs import record
from pipelines.ops.settings import code, load_params
from pipelines.ops.settings.kinds import nearest


def tasks() -> None:
    """List the families of tasks, their runs in params.yaml, and their presets with what they need and how long they take.

    `conservatory enable PRESET` adds a preset, `conservatory run NAME` runs a preset or a single run.
    """
    settings, found = load_params(), presets.presets()
    took = estimate.took(record.read(Path()))
    for path in sorted(presets.FOLDER.glob("[!_]*/__init__.py")):
        family = path.parent.name
        about = (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]
        print(f"{family}: {about}")
        options = code.constant(f"pipelines/tasks/{family}/__init__.py", "OPTIONS") or {}
        described = [
            f"{option} ({kind if isinstance(kind, str) else ', '.join(kind)})" for option, (_, kind) in options.items()
        ]
        if described:
            print(f"  options: {', '.join(described)}")
        runs = [name for name, entry in (settings.get("runs") or {}).items() if entry["task"] == family]
        if runs:
            print(f"  runs: {', '.join(runs)}")
        for preset in (each for each in found.values() if each.task == family):
            state = "enabled" if presets.is_enabled(preset, settings) else "not enabled"
            print(f"  preset {preset.name} ({state}): {preset.about}")
            print(f"      needs: {preset.needs or 'no download and no further package'}; takes {_time(preset, took)}")


def _time(preset: presets.Preset, took: dict[str, float]) -> str:
    """How long its own stages took when they last ran here; before that, what the preset states."""
    from pipelines.ops.runs.progress import duration

    stages = estimate.own_stages(preset)
    if stages and all(stage in took for stage in stages):
        return f"{duration(sum(took[stage] for stage in stages))}, as measured here, once its inputs are there"
    return f"about {preset.minutes:g} min on two cores"


def enable(preset: Annotated[str, typer.Argument(help="A preset, as `conservatory tasks` lists them.")]) -> None:
    """Add a preset's datasets, features and runs to params.yaml, and say what it needs and how long it takes. Entries that are
    there already stay as they are."""
    found = _preset(preset)
    added = presets.enable(found)
    if not added:
        print(f"{preset} is enabled already.")
        return
    print(f"Added to params.yaml: {', '.join(added)}.")
    if found.needs:
        print(f"It needs: {found.needs}")
    print(f"It takes {_time(found, estimate.took(record.read(Path())))}.")
    print(f"`conservatory run {preset}` runs it with what it needs; `conservatory disable {preset}` removes it.")


def disable(preset: Annotated[str, typer.Argument(help="A preset, as `conservatory tasks` lists them.")]) -> None:
    """Remove a preset's entries from params.yaml. Entries that you changed, or that other entries need, stay.

    The results stay in DVC's cache and are restored if you enable the preset again.
    """
    try:
        removed, kept = presets.disable(_preset(preset))
    except presets.PresetError as error:
        fail(str(error))
    print(f"Removed from params.yaml: {', '.join(removed) or 'nothing'}.")
    for name, why in kept.items():
        print(f"Kept {name}: {why}.")


def named(name: str, settings: dict) -> tuple[list[str], list[str]]:
    """The stages that `conservatory run NAME` means by a run, a cross test, a tagger or an enabled preset: (stages to run with
    their inputs, summaries to make again afterwards). Empty lists for any other name."""
    preset = presets.presets().get(name)
    entries = preset.entries if preset and presets.is_enabled(preset, settings) else {}
    runs = [name] if name in (settings.get("runs") or {}) else list(entries.get("runs", {}))
    crossed = [name] if name in (settings.get("cross_tests") or {}) else list(entries.get("cross_tests", {}))
    taggers = [name] if name in settings["taggers"] else list(entries.get("taggers", {}))
    stages = [f"score@{run}" for run in runs] + [f"tagging@{tagger}" for tagger in taggers]
    stages += [f"cross_test@{each}" for each in crossed]
    tasks = {settings["runs"][run]["task"] for run in runs} | ({"tagging"} if taggers else set())
    tasks |= {settings["cross_tests"][each]["task"] for each in crossed}
    return stages, ["compare", *(f"task_page@{task}" for task in sorted(tasks))] if stages else []


def not_enabled(name: str) -> str:
    """A sentence that says how to add the preset, or the run or tagger of a preset, of this name; "" if there is none."""
    for preset in presets.presets().values():
        if name == preset.name or any(name in preset.entries.get(section, {}) for section in ("runs", "taggers")):
            own = f"{name!r} is in the preset {preset.name}, which" if name != preset.name else f"The preset {name}"
            return f"{own} is not enabled: conservatory enable {preset.name}"
    return ""


def _preset(name: str) -> presets.Preset:
    found = presets.presets()
    if name not in found:
        near = nearest(name, found)
        meant = f" (do you mean {near}?)" if near else f"; there is {', '.join(found) or 'none'}"
        fail(f"There is no preset {name!r}{meant}.")
    return found[name]


def register(app: typer.Typer) -> None:
    for command in (tasks, enable, disable):
        app.command()(command)
