"""The page's parts about what lies beyond k-means, and about leaks between splits and copies."""

from pipelines.core.splits import NO_GROUPS, is_grouped
from pipelines.report.lineage import Lineage
from pipelines.report.state import Dataset

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
IN_STUDY = (
    "No two clips share a group (work, artist): each clip counts as independent, which may make intervals too narrow."
)
TRIVIAL = "always training's commonest class, or the probe's answers with the clips' labels permuted"


def study(dataset: Dataset, embeddings: list[str], lineage: Lineage) -> dict | None:
    """Tables, pairs and trees of one dataset; None before the study stage ran."""
    if not dataset.study:
        return None
    grouped = is_grouped(dataset.clips)
    return {
        "targets": [
            _target(name, parts, embeddings, grouped)
            for name, parts in dataset.study["targets"].items()
            if any(part for part in (parts["probes"], parts["clusterers"], parts["neighbours"]))
        ],
        "trees": list(dataset.trees.items()),
        "skipped": dataset.study["skipped"],
        "grouped": grouped,
        "no_groups": IN_STUDY,
        "mark": lineage.mark(f"data/study/{dataset.name}"),
    }


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
    told = [("k-means", parts["paired"])]
    told += [(PROBES.get(probe, (probe,))[0], found) for probe, found in parts["paired_probes"].items()]
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
            for how, found in told
            if found
        ],
    }


def leaks(dataset: Dataset, lineage: Lineage) -> dict | None:
    """What the leak audit found in one dataset; None before the leaks stage ran."""
    if not dataset.leaks:
        return None
    grouped = dataset.leaks["grouped"]
    found = _of_what_is_known(dataset.leaks, grouped)
    validation = _of_what_is_known(dataset.leaks.get("validation", {}), grouped)
    return {
        "within": dataset.leaks["of"] == "all",
        "no_groups": "" if grouped else f"{NO_GROUPS.capitalize()}. ",
        "found": _counts(found),
        "validation": _counts(validation),
        "named_validation": _named(validation),
        "near_cosine": _threshold(found.get("near copy", {}).get("threshold")),
        "named": _named(found),
        "skipped": dataset.leaks["skipped"],
        "scores": [
            (f"{target}: {name}", PROBES.get(method, (method,))[0], record)
            for target, methods in dataset.leaks.get("scores", {}).items()
            for method, records in methods.items()
            for name, record in records.items()
            if record["n_flagged"]
        ],
        "mark": lineage.mark(f"data/leaks/{dataset.name}.json"),
    }


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
