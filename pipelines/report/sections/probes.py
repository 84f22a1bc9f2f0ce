"""Results beyond k-means: probes, other clusterings, neighbours, paired differences, trees of classes."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report import drawing
from pipelines.report.context import Context

TITLE = "Probes"
ORDER = 20
TEMPLATE = Path(__file__).with_suffix(".html.j2")

# as params.yaml names them -> (column, what it is)
CLUSTERINGS = {
    "agglomerative": (
        "agglomerative",
        "Ward's agglomerative clustering, clusters matched to classes; share of clips in their class's cluster",
    ),
    "gaussian_mixture": ("Gaussian mixture", "a Gaussian mixture with diagonal covariances, matched likewise"),
}
PROBES = {
    "linear": (
        "linear probe",
        "logistic regression from the embedding to the class: accuracy on the scored clips",
    ),
    "knn": ("k-NN probe", "vote of the nearest training clips by cosine: accuracy on the scored clips"),
}
IN_STUDY = "No two clips share a group (work, artist): clips count as independent, which may make intervals too narrow."
TRIVIAL = "the most frequent class of training, or the probe's accuracy with the clips' labels permuted"


def render(context: Context) -> Markup | None:
    """Tables, pairs and trees of the dataset; None before the study stage ran, or where it scored nothing."""
    study = context.study
    found, grouped = study.dataset.study, bool(study.facts["groups"])
    targets = [
        _target(name, parts, study.embeddings, grouped)
        for name, parts in (found or {"targets": {}})["targets"].items()
        if any(part for part in (parts["probes"], parts["clusterers"], parts["neighbours"]))
    ]
    if not targets:
        return None
    return context.fill(
        TEMPLATE,
        dataset=study.dataset.name,
        targets=targets,
        trees=[(title, drawing.draw(plot)) for title, plot in study.dataset.trees.items()],
        skipped=found["skipped"],
        grouped=grouped,
        no_groups=IN_STUDY,
        source=context.lineage.mark(paths.study(study.dataset.name)),
    )


def _target(name: str, parts: dict, embeddings: list[str], grouped: bool) -> dict:
    columns, values = [], []
    for probe, records in parts["probes"].items():
        columns.append((*PROBES.get(probe, (f"{probe} probe", probe)), "the larger", TRIVIAL))
        values.append({n: (r["accuracy"], r["accuracy_ci95"], r["trivial"], r["n"]) for n, r in records.items()})
    for clusterer, records in parts["clusterers"].items():
        title, about = CLUSTERINGS.get(clusterer, (clusterer, clusterer))
        columns.append((f"{title}, matched", about, "chance", "the same with labels permuted"))
        values.append({n: (r["hungarian_accuracy"], r["ci95"], r["chance"], r["n"]) for n, r in records.items()})
    if parts["neighbours"]:
        k = next(iter(parts["neighbours"].values()))["k"]
        others = "clips of other groups" if grouped else "other clips"
        about = f"of the {k} nearest {others}, the share with the clip's own class"
        columns.append((f"nearest {k}", about, "random", "the same for clips drawn at random"))
        values.append({n: (r["precision"], r["ci95"], r["chance"], r["n"]) for n, r in parts["neighbours"].items()})
    compared = [("k-means", parts["paired"])]
    compared += [(PROBES.get(probe, (probe,))[0], found) for probe, found in parts["paired_probes"].items()]
    return {
        "name": name,
        "columns": [
            {
                "name": title,
                "about": about,
                "trivial": sum(v[2] for v in column.values()) / len(column) if column else None,
                "trivial_is": f"{short}: {meaning}",
            }
            for (title, about, short, meaning), column in zip(columns, values, strict=True)
        ],
        "rows": [
            (
                embedding,
                [
                    {"value": column[embedding][0], "ci95": column[embedding][1], "n": column[embedding][3]}
                    if embedding in column
                    else None
                    for column in values
                ],
            )
            for embedding in embeddings
        ],
        "compared": [
            {"how": how, "pairs": found["pairs"], "real": sum(pair["p_holm"] < 0.05 for pair in found["pairs"])}
            for how, found in compared
            if found
        ],
    }
