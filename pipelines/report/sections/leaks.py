"""Leaks: scored clips that are also in the training data, copies within the dataset, and the scores without them."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.core.splits import NO_GROUPS
from pipelines.report.context import Context
from pipelines.report.sections.probes import PROBES

TITLE = "Leaks and copies"
ORDER = 80
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup | None:
    """What the leak audit found in the dataset; None before the leaks stage ran."""
    dataset = context.study.dataset
    if not dataset.leaks:
        return None
    grouped = dataset.leaks["grouped"]
    found = _of_what_is_known(dataset.leaks, grouped)
    validation = _of_what_is_known(dataset.leaks.get("validation", {}), grouped)
    return context.fill(
        TEMPLATE,
        dataset=dataset.name,
        within=dataset.leaks["of"] == "all",
        no_groups="" if grouped else f"{NO_GROUPS.capitalize()}. ",
        found=_counts(found),
        validation=_counts(validation),
        named_validation=_named(validation),
        near_cosine=_threshold(found.get("near copy", {}).get("threshold")),
        named=_named(found),
        skipped=dataset.leaks["skipped"],
        scores=[
            (f"{target}: {name}", PROBES.get(method, (method,))[0], record)
            for target, methods in dataset.leaks.get("scores", {}).items()
            for method, records in methods.items()
            for name, record in records.items()
            if record["n_flagged"]
        ],
        source=context.lineage.mark(paths.leaks(dataset.name)),
    )


def _of_what_is_known(found: dict, grouped: bool) -> dict:
    """The finders' records; that no group is on two sides says nothing where no two clips share one."""
    return {
        name: record
        for name, record in found.items()
        if isinstance(record, dict) and "n_flagged" in record and (grouped or "groups" not in record)
    }


def _threshold(cosine: float | None) -> str | None:
    """Four digits, or as many as tell a cosine from 1."""
    texts = (f"{cosine:.{digits}f}" for digits in range(4, 18))
    return None if cosine is None else next(text for text in texts if float(text) < 1 or cosine >= 1)


def _counts(found: dict) -> list[dict]:
    return [
        {"name": name, "n_flagged": record["n_flagged"], "of": record.get("n_test", record["n"])}
        for name, record in found.items()
    ]


def _named(found: dict) -> list[str]:
    """Pairs and groups in words."""
    pairs = [
        f"{name}: {' and '.join(map(str, pair[:2]))}" + (f" (cosine {pair[2]})" if len(pair) > 2 else "")
        for name, record in found.items()
        for pair in record.get("pairs", [])
    ]
    return pairs + [f"{name}: {group}" for name, record in found.items() for group in record.get("groups", [])]
