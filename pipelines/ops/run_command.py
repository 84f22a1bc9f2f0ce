"""`conservatory run`: the stages that the user's words mean, the plan of --dry-run, and the run."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer
import yaml

from pipelines.core import paths
from pipelines.core.plain import plain
from pipelines.ops import due, families, run
from pipelines.ops.failing import fail
from pipelines.ops.registry import pending_alerts
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.settings import corpora, load_params
from pipelines.ops.settings.kinds import suggestion


def run_stages(
    stages: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stages, runs or presets to bring up to date, with their inputs: cluster, cluster@mine, notes_svm."
        ),
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="Only the stages of this dataset or corpus, their inputs, and the report.")
    ] = "",
    force: Annotated[bool, typer.Option(help="Run the named stages even if nothing changed.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Run nothing; list the stages that would run, why, and about how long they take."
        ),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, help="Maximum number of stages that run at the same time."),
    ] = 1,
    profile: Annotated[
        str,
        typer.Option(help="Run the demo with the parameters of profiles/PROFILE.yaml, in a folder of its own: class."),
    ] = "",
) -> None:
    """Run stale stages: all of them, or the named ones and their dependencies.

    Fingerprints of your own folders are updated first, so new, changed and removed files count. Then `dvc repro` runs the stages.
    An interrupted run continues where it stopped. With --force, stages that depend on the named ones run in the next run.

    --profile class runs the whole demo in about two minutes: fewer clips, one short training. It changes neither params.yaml nor
    your results, and its report is in .cache/profiles/class/reports.
    """
    settings = load_settings()
    if profile:
        _run_profile(profile, jobs, alone=not (stages or dataset or force or dry_run))
    targets, after = list(stages or []), []
    if dataset:
        known = corpora.with_datasets(settings)
        if dataset not in known:
            fail(f"There is no dataset {dataset!r}{suggestion(dataset, known)}.")
        if stages:
            fail("Give stages or --dataset, not both; a stage of a dataset is written cluster@mine.")
    if force and not targets:
        fail("--force needs the names of stages, for instance: conservatory run --force report")
    if stages:
        known = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
        meant = {stage: families.named(stage, settings) for stage in stages}
        # a run or an enabled preset comes before a kind of stage of the same name
        meant = {stage: found for stage, found in meant.items() if found[0] or stage.partition("@")[0] not in known}
        for stage in [stage for stage, (found, _) in meant.items() if not found]:
            fail(_unknown(stage, [*known, *(settings.get("runs") or {}), *settings["taggers"]], settings))
        for stage in [stage for stage in stages if stage not in meant]:
            if section := due.empty(known[stage.partition("@")[0]], settings):
                fail(
                    f"Stage {stage} has no items: `{section}` in params.yaml is empty. {families.not_enabled(stage)}".strip()
                )
            if (items := due.items(stage)) is not None:
                kind, _, item = stage.partition("@")
                fail(f"There is no stage {stage!r}{suggestion(item, items, f'the items of {kind} are')}.")
        targets = list(dict.fromkeys(found for stage in stages for found in meant.get(stage, ([stage], []))[0]))
        after = list(dict.fromkeys(found for _, summaries in meant.values() for found in summaries))
    from pipelines.datasets import listing

    try:
        run.refresh()
    except listing.SourceError as error:
        fail(str(error))
    if dry_run:
        _say_plan(targets, dataset, after)
        return
    ended = run.repro(targets, force, dataset, jobs, after)
    pending_alerts.send(Path())
    pages = [paths.page(name.replace("_page@", "_")) for name in after if "_page@" in name]
    if ended == 0 and run.REPORT.exists() and (not targets or "report" in targets):
        pages = [run.REPORT]
    for page in pages if ended == 0 else []:
        print(f"Report: {page.absolute()}")
    raise typer.Exit(ended)


def _unknown(stage: str, known: Collection[str], settings: dict) -> str:
    """Why `conservatory run` cannot run `stage`, a name that is neither a stage nor a run."""
    for section in ("datasets", "corpora"):
        if stage in (settings.get(section) or {}):
            return f"{stage!r} is an entry of {section}: conservatory run --dataset {stage}"
    meant = suggestion(stage.partition("@")[0], known)
    return families.not_enabled(stage) or f"There is no stage, run or enabled preset {stage!r}{meant}."


def _run_profile(name: str, jobs: int, alone: bool) -> None:
    from pipelines.ops import profiles

    if not alone:
        fail("--profile runs the whole demo; it takes no stages, and of the other options only --jobs.")
    if name not in profiles.names():
        fail(f"There is no profile {name!r}{suggestion(name, profiles.names())}.")
    try:
        profiles.start(name, jobs)
    except RegistryError as error:
        fail(str(error))


def _say_plan(targets: list[str], dataset: str, after: Sequence[str] = ()) -> None:
    from pipelines.ops.dvc.freshness import StatusError
    from pipelines.ops.runs.progress import duration

    try:
        planned = due.plan(dataset, targets, after)
    except StatusError as error:
        fail(str(error))
    for stage, why, (seconds, like) in planned:
        long = f"{'about ' if like else ''}{duration(seconds)}" if seconds is not None else "unknown"
        print(f"{stage:36s} {long:>15s}  {plain('; '.join(filter(None, (why, f'by {like}' if like else ''))))}")
    if not planned:
        print("Nothing to do.")
        return
    if all(each.seconds is None for *_, each in planned):
        one = len(planned) == 1
        are = (
            "1 stage: its time is known once it has"
            if one
            else f"{len(planned)} stages: their times are known once they have"
        )
        print(f"{are} run here.")
        return
    known = [each for *_, each in planned if each.seconds is not None]
    ran = [each.seconds for each in known if not each.like]
    alike = [each.seconds for each in known if each.like]
    parts = []
    if ran:
        parts.append(f"{len(ran)} of them took {duration(sum(ran))} in their last run here")
    if alike:
        takes = "takes" if len(alike) == 1 else "take"
        parts.append(
            f"{len(alike)} {takes} about {duration(sum(alike))}, by what is named beside {'it' if len(alike) == 1 else 'them'}"
        )
    if unknown := len(planned) - len(ran) - len(alike):
        parts.append(f"the time of {unknown} is unknown")
    count = f"{len(planned)} stages" if len(planned) > 1 else "1 stage"
    print(f"{count}, about {duration(sum(ran + alike))}{' plus unknown times' if unknown else ''}: {'; '.join(parts)}.")
    if len(planned) > 1:
        print(
            "This is the time of one stage after another. A stage after others does not run if their outputs do not change."
        )


def load_settings() -> dict:
    """params.yaml, checked. Ends the command where there is none."""
    try:
        return load_params()
    except FileNotFoundError as error:
        fail(str(error))
