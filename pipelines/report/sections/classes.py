"""Results by class: matched confusion matrices, and the F1 of each class."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report import charts
from pipelines.report.context import Context
from pipelines.report.sections.clustering import scored

TITLE = "Class by class"
ORDER = 55
TEMPLATE = Path(__file__).with_suffix(".html.j2")
MAX_MATRIX = 40  # classes; of more, the commonest confusions are listed instead of drawing them all


def render(context: Context) -> Markup | None:
    """Matrices and a table for each target; None without a clustering."""
    study = context.study
    if not study.dataset.scores:
        return None
    targets = []
    for target, records in scored(study.dataset, study.embeddings).items():
        first = next(iter(records.values()))
        classes = [
            {
                "name": label,
                "support": first["per_class"][label]["support"],
                "scores": [(name, record["per_class"][label]) for name, record in records.items()],
            }
            for label in first["per_class"]
        ]
        matrices = [matrix(name, study.dataset.confusions[target][name]) for name in records]
        found = {"name": target, "n": first["n"], "k": first["k"], "embeddings": list(records)}
        targets.append(found | {"classes": classes, "matrices": matrices})
    source = context.lineage.mark(paths.clusters(study.dataset.name))
    return context.fill(TEMPLATE, dataset=study.dataset.name, targets=targets, source=source)


def matrix(name: str, confusion: dict) -> dict:
    """A matched confusion matrix: rows of (class, [(count, percent of the row)]), or its commonest confusions."""
    classes, counts = confusion["classes"], confusion["counts"]
    shades = [[(count, charts.shade(count, sum(line))) for count in line] for line in counts]
    pairs = sorted(
        (-count, classes[row], classes[column])
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count and row != column
    )
    return {
        "name": name,
        "classes": classes,
        "rows": list(zip(classes, shades, strict=True)),
        "small": len(classes) <= MAX_MATRIX,
        "pairs": [(-count, own, given) for count, own, given in pairs[:20]],
    }
