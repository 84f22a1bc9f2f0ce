"""Find everything that the policy deletes, and delete it. A killed prune can be repeated."""

import shutil
from collections.abc import Callable
from pathlib import Path

from pipelines.ops import run
from pipelines.ops.patches.cache import of_project
from pipelines.ops.registry import cache_references, history, saving
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.retention import dvc_cache, experiments, policy, withdrawn
from pipelines.ops.retention.policy import row


def find(project: Path, rules: dict, also: list[str] = (), purge: bool = False) -> list[dict]:
    """Rows of everything that the policy covers; those without `kept` are to be deleted. also: of `policy.ALSO`; purge: withdrawn
    clips too. `RegistryError` if the needed files are unknown; nothing is removed then."""
    found = policy.choose(experiments.find(project), **rules["experiments"])
    found += policy.choose(experiments.unfinished(project), **rules["retrainings"])
    going = {ref for each in found if not each["kept"] for ref in each.get("refs", ())}
    going |= {
        f"{experiments.BRANCH}{each['name']}" for each in found if each["kind"] == "retraining" and not each["kept"]
    }
    cache = of_project(project)
    if why := dvc_cache.why_not(project, cache):
        found.append(row("cache", str(cache), 0, kept=why))
    elif cache.is_dir():
        found += dvc_cache.find(project, cache, rules["cache"]["keep_days"], going)
    if purge:
        found += [row("withdrawn", "bytes of withdrawn clips", 0, kept=why)] if why else withdrawn.find(project, cache)
    for name, folder in policy.ALSO.items():
        if (project / folder).is_dir():
            files = [file for file in (project / folder).rglob("*") if file.is_file()]
            kept = dvc_cache.busy(project) if name in also else f"only if named: --also {name}"
            found.append(row("folder", str(folder), 0, sum(file.stat().st_size for file in files), kept))
    return found


def remove(project: Path, rows: list[dict], say: Callable = print) -> None:
    """Delete the rows that are not kept. The caller holds the locks of runs and of the registry. What is in use by now is kept,
    and reported."""
    for each in (each for each in rows if not each["kept"]):
        try:
            if each["kind"] == "experiment":
                experiments.remove(project, each)
            elif each["kind"] == "retraining":
                experiments.remove_unfinished(project, each)
            elif each["kind"] == "cache":
                dvc_cache.remove(each)
            elif each["kind"] == "withdrawn":
                withdrawn.remove(project, each)
            else:
                shutil.rmtree(project / each["name"])
        except RegistryError as error:
            say(f"{each['name']} is kept: {error}")


def prune(
    project: Path, rules: dict, also: list[str], purge: bool, really: bool, show: Callable, say: Callable = print
) -> None:
    """Find, show, and with `really` delete, all under the locks of runs and of the registry."""
    if not really:
        show(find(project, rules, also, purge))
        return
    with run.alone(say), history.alone(project):
        found = find(project, rules, also, purge)
        show(found)
        remove(project, found, say)
        if purge and (project / cache_references.PURGED).exists():
            saving.save(project, "Registry: bytes of withdrawn clips purged", say)
