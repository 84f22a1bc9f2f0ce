"""`corpora` and `symbols` in params.yaml: collections of notes, and representations of them."""

from pipelines.ops.settings import code
from pipelines.ops.settings.datasets import SHARES
from pipelines.ops.settings.kinds import (
    COUNT,
    FINGERPRINT,
    SEED,
    WORD,
    YES_OR_NO,
    missing,
    one_of,
    some_of,
    table,
    unknown,
    whole,
    wrong,
)
from pipelines.ops.settings.recipe import Reads

FOLDER = "pipelines/corpora"
REPRESENTATIONS = "pipelines/notes/representations"
OPTIONS = {
    "jsb": {"local": WORD},
    "folder": {"path": WORD, "fingerprint": FINGERPRINT, "folders": one_of("group", "label")},
    "nottingham": {"local": WORD, "checksums": one_of("published", "ignore")},
    "pop909": {"local": WORD},
    "maestro": {"local": WORD},
    "groove": {"local": WORD},
    "lakh_clean": {"local": WORD},
    "chorales": {},
    "composers": {"few_works": YES_OR_NO},
    "folk": {"books": some_of("ryan", "oneill", "aird", none=False)},
}
"""Module -> option -> rule."""
REQUIRED = {"folder": ("path", "fingerprint")} | dict.fromkeys(
    ("jsb", "nottingham", "pop909", "lakh_clean"), ("local",)
)
OF_ALL = {"module": WORD, "imports": WORD, "split": SHARES, "seed": SEED}
PARAMETERS = {
    "steps_per_quarter": COUNT,
    "drums": YES_OR_NO,
    "track": ("a track from 0, or -1 for all", lambda value: type(value) is int and value >= -1),
    "scheme": one_of("remi", "tsd", "midi_like", "structured", "octuple"),
    "bars": COUNT,
    "bpe": whole(0, "none"),
}
"""Parameters of representations by name; others may be anything."""
LEARNED = "learned"
"""A parameter that the stage gives."""


def with_datasets(settings: dict) -> list[str]:
    """The names of all datasets and corpora: what a run reads, and `--dataset` takes."""
    return [name for section in ("datasets", "corpora") for name in settings.get(section) or {}]


def check(settings: dict, reads: Reads) -> None:
    """Raise `SystemExit` for the first entry that is wrong."""
    for name, entry in (settings.get("corpora") or {}).items():
        where = f"corpora.{name}"
        if name in (settings.get("datasets") or {}):
            raise SystemExit(
                f"{where} in params.yaml has the name of a dataset: both would be data/manifests/{name}.parquet"
            )
        for key in ("module", "imports"):
            if key not in entry:
                missing(f"{where}.{key}", WORD)
        module = entry["module"]
        if not (code.PROJECT / FOLDER / f"{module}.py").exists():
            if reads.files(FOLDER):
                code.no_file(f"{where}.module", FOLDER, module)
            continue
        if not (code.PROJECT / entry["imports"]).exists():
            wrong(f"{where}.imports", entry["imports"], "a file or folder below pipelines/ that is there")
        if module in OPTIONS:
            table(where, entry, OPTIONS[module] | OF_ALL, REQUIRED.get(module, ()))
        if "split" in entry and "seed" not in entry:
            missing(f"{where}.seed", SEED)
    for name, entry in (settings.get("symbols") or {}).items():
        where = f"symbols.{name}"
        if name in (settings.get("features") or {}):
            raise SystemExit(f"{where} in params.yaml has the name of a feature: a run could mean either")
        if not (code.PROJECT / REPRESENTATIONS / f"{name}.py").exists():
            if reads.files(REPRESENTATIONS):
                code.no_file(where, REPRESENTATIONS, name)
            continue
        known, required = code.parameters(f"{REPRESENTATIONS}/{name}.py", "compute") or (list(entry), [])
        known = [key for key in known if key != LEARNED]
        for key, value in entry.items():
            if key not in known:
                unknown(key, where, known)
            if key in PARAMETERS and not PARAMETERS[key][1](value):
                wrong(f"{where}.{key}", value, PARAMETERS[key][0])
        for key in required:
            if key not in entry:
                missing(f"{where}.{key}", PARAMETERS.get(key, ("given", None)))
