"""Published weights of a tagger: checked, and laid out as if the tagger had been trained here."""

from pathlib import Path

from torch import nn

from pipelines.core.files import sha256
from pipelines.models import taggers, tags

WANTED = ("path", "sha256", "tags", "source", "licence")


def load(network: str, entry: dict) -> tuple[nn.Module, list[str], dict]:
    """(tagger in eval mode, its tags, facts for its config) of the published checkpoint that `entry` (`WANTED`) names.

    Raises `ValueError` that says what is wrong with the entry or its file.
    """
    if missing := [key for key in WANTED if not isinstance(entry, dict) or key not in entry]:
        raise ValueError(f"{', '.join(missing)} is missing; it needs {', '.join(WANTED)}")
    path = Path(entry["path"])
    if not path.is_file():
        raise ValueError(f"there is no file {path}; get it from {entry['source']}")
    if (found := sha256(path)) != entry["sha256"]:
        raise ValueError(
            f"{path} is not the file that was meant: its SHA-256 is {found}, and {entry['sha256']} is written. "
            "Download it again, or write the new one if you mean it"
        )
    tagger, named = taggers.load_published(network, path), tags.read(entry["tags"])
    if len(named) != taggers.count_tags(tagger):
        raise ValueError(f"tags {entry['tags']!r} names {len(named)}, and {path} has {taggers.count_tags(tagger)}")
    return tagger, named, {"source": entry["source"], "licence": entry["licence"], "file": path.name, "sha256": found}
