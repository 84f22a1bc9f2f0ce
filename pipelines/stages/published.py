"""published: a tagger with published weights, laid out and exported as if it had been trained here."""

import argparse
from pathlib import Path

from pipelines.core import params
from pipelines.core.files import sha256
from pipelines.core.record import write_record
from pipelines.harness.logging import start
from pipelines.models import taggers, tags
from pipelines.stages import export

WANTED = ("path", "sha256", "tags", "source", "licence")


def main(key: str) -> None:
    name = params.published_name(key)
    log = start(f"published {key}")
    settings = params.read()
    entry = settings["taggers"]["published"][key]
    try:
        figures = lay_out(key, name, entry)
    except ValueError as error:
        raise SystemExit(f"taggers.published.{key} in params.yaml: {error}") from error
    found, checks = export.build(name, settings)
    write_record("export", name, figures={**figures, **found}, checks=checks)
    log.info("%s, from %s: %s", name, entry["path"], checks["equals PyTorch"][1])


def lay_out(key: str, name: str, entry: dict) -> dict:
    """Write models/tagging/<name>/; returns figures. The entry's architecture is its key, unless it names one.

    Raises `ValueError` that says what is wrong with the entry or its file.
    """
    if missing := [key for key in WANTED if not isinstance(entry, dict) or key not in entry]:
        raise ValueError(f"{', '.join(missing)} is missing; it needs {', '.join(WANTED)}")
    architecture, path = entry.get("architecture", key), Path(entry["path"])
    if not path.is_file():
        raise ValueError(f"there is no file {path}; get it from {entry['source']}")
    if (found := sha256(path)) != entry["sha256"]:
        raise ValueError(
            f"{path} is not the file that was meant: its SHA-256 is {found}, and {entry['sha256']} is written. "
            "Download it again, or write the new one if you mean it"
        )
    module = taggers.load_module(architecture)
    tagger, named = taggers.load_published(architecture, path), tags.read(entry["tags"])
    if len(named) != taggers.count_tags(tagger):
        raise ValueError(f"tags {entry['tags']!r} names {len(named)}, and {path} has {taggers.count_tags(tagger)}")
    facts = {"source": entry["source"], "licence": entry["licence"], "file": path.name, "sha256": found}
    figures = {"precision": "as published", "parameters": sum(tensor.numel() for tensor in tagger.parameters())}
    config = {
        "name": architecture,
        "width": 1.0,
        "tags": named,
        "input": "waveform",  # whatever the shards hold, which may be other log-mel than these weights know
        "chunk": module.CHUNK,
        "dataset": "",
        "published": facts,
        "figures": figures,
    }
    folder = Path("models/tagging") / name
    taggers.save(tagger, config, folder)
    return {"tags": len(named), **facts, **figures}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("key", help="of taggers.published in params.yaml")
    main(parser.parse_args().key)
