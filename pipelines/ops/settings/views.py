"""`views` and `combined` in params.yaml: words and notes of clips, and tables side by side (pipelines/views/__init__.py)."""

from pipelines.core import params
from pipelines.ops.settings import code, encoders
from pipelines.ops.settings.kinds import FINGERPRINT, WORD, missing, nearest, one_of, table

FOLDER = "pipelines/views"
SOURCES = ("features", "embeddings", "views", "combined")
VIEW = {"dataset": WORD, "kind": WORD, "path": WORD, "fingerprint": FINGERPRINT}
COMBINED = {
    "dataset": WORD,
    "from": one_of(*SOURCES),
    "reads": WORD,
    "with_from": one_of(*SOURCES),
    "with_reads": WORD,
}


def check(settings: dict) -> None:
    """Raise `SystemExit` for the first entry that is wrong."""
    kinds = [path.stem for path in sorted((code.PROJECT / FOLDER).glob("[!_]*.py"))]
    for section, rules, required in (
        ("views", VIEW, ("dataset", "kind")),
        ("combined", COMBINED, tuple(COMBINED)),
    ):
        for name, entry in (settings.get(section) or {}).items():
            where = f"{section}.{name}"
            table(where, entry, rules, required)
            _known(f"{where}.dataset", entry["dataset"], settings.get("datasets") or {})
    for name, entry in (settings.get("views") or {}).items():
        _known(f"views.{name}.kind", entry["kind"], kinds)
        if "path" in entry and "fingerprint" not in entry:
            missing(f"views.{name}.fingerprint", FINGERPRINT)
    for name, entry in (settings.get("combined") or {}).items():
        for source, reads in (("from", "reads"), ("with_from", "with_reads")):
            known = readable(settings, entry[source], entry["dataset"])
            if entry[source] == "combined":
                # only earlier ones: two that read each other would never be made
                names = list(settings["combined"])
                known = [each for each in known if names.index(each) < names.index(name)]
            _known(f"combined.{name}.{reads}", entry[reads], known)


def readable(settings: dict, source: str, dataset: str) -> list[str]:
    """What `reads` of a run, or of a combined table, may be on a dataset of sound, by its `from`."""
    if source == "features":
        return list(settings.get("features") or {})
    if source == "embeddings":
        names = params.embedding_names(settings) + encoders.of_dataset(settings, dataset)
        return [f"{name}.parquet" for name in names]
    return [name for name, entry in (settings.get(source) or {}).items() if entry["dataset"] == dataset]


def _known(where: str, value: str, known) -> None:
    if value not in known:
        near = nearest(str(value), list(known))
        meant = f"; do you mean {near}?" if near else f"; there is {', '.join(known) or 'none'}"
        raise SystemExit(f"{where} in params.yaml is {value!r:.60}, which is not there{meant}")
