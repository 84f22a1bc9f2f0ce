"""`encoders` in params.yaml: models from elsewhere, and vectors made elsewhere (pipelines/models/encoders/__init__.py)."""

from typing import Any

from pipelines.ops.settings.kinds import (
    FINGERPRINT,
    RATE,
    WORD,
    YES_OR_NO,
    missing,
    nearest,
    number,
    one_of,
    table,
    whole,
    wrong,
)  # fmt: skip

OF_A_MODEL = {"kind": WORD, "path": WORD, "fingerprint": FINGERPRINT, "chunk_s": number(0.05, 600)}
KINDS: dict[str, dict[str, Any]] = {
    "vectors": {
        "kind": WORD,
        "files": ("a table from dataset to {path, fingerprint}", lambda value: isinstance(value, dict) and bool(value)),
        "missing": one_of("error", "mean"),
    },
    "huggingface": OF_A_MODEL
    | {
        "layer": whole(0, "the input of the first layer"),
        "pooling": one_of("mean", "max", "first"),
        "trust_remote_code": YES_OR_NO,
    },
    "onnx": OF_A_MODEL
    | {
        "sample_rate": RATE,
        "input": WORD,
        "output": WORD,
        "pooling": one_of("mean", "max", "first"),
    },
}
"""Kind -> key -> rule."""
REQUIRED = {
    "vectors": ("files",),
    "huggingface": ("path", "fingerprint"),
    "onnx": ("path", "fingerprint", "sample_rate"),
}
FILE = {"path": WORD, "ids": WORD, "fingerprint": FINGERPRINT}


def check(settings: dict) -> None:
    """Raise `SystemExit` for the first entry that is wrong."""
    for name, entry in (settings.get("encoders") or {}).items():
        where = f"encoders.{name}"
        for section in ("taggers", "baselines"):
            if name in (settings.get(section) or {}):
                raise SystemExit(f"{where} in params.yaml is also the name of one of `{section}`: rename one of them")
        kinds = " or ".join(KINDS)
        if "kind" not in entry:
            missing(f"{where}.kind", (kinds, None))
        if entry["kind"] not in KINDS:
            wrong(f"{where}.kind", entry["kind"], kinds)
        table(where, entry, KINDS[entry["kind"]], REQUIRED[entry["kind"]])
        for dataset, file in entry.get("files", {}).items():
            if dataset not in (known := settings.get("datasets") or {}):
                near = nearest(str(dataset), known)
                meant = f"; do you mean {near}?" if near else f": `datasets` has {', '.join(known) or 'none'}"
                raise SystemExit(f"{where}.files in params.yaml names the dataset {dataset!r:.60}{meant}")
            table(f"{where}.files.{dataset}", file, FILE, ("path", "fingerprint"))


def of_dataset(settings: dict, dataset: str) -> list[str]:
    """The encoders that embed a dataset."""
    entries = (settings.get("encoders") or {}).items()
    return [name for name, entry in entries if "files" not in entry or dataset in entry["files"]]
