"""Find the parts of params.yaml that dvc.yaml reads and that must be present: fewer if dvc.yaml has fewer stages.

Stages that do not run `pipelines.stages` are not examined.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Reads:
    """`keys`: sections, and keys with dots, that the recipe reads. `of_entries`: section -> keys that it reads of each of its
    entries. `features`: whose files it names. `text`: the recipe; empty where there is none, and then nothing need be there."""

    keys: list[str] = field(default_factory=list)
    of_entries: dict[str, set[str]] = field(default_factory=dict)
    features: set[str] = field(default_factory=set)
    text: str = ""

    def files(self, folder: str) -> bool:
        """Does it name the files of this folder by names of params.yaml? Without a recipe, it is taken to."""
        return not self.text or f"{folder}/${{" in self.text

    def section(self, name: str) -> bool:
        """Does it read anything of this section? Likewise."""
        return not self.text or any(key.partition(".")[0] == name for key in self.keys)


def reads(path: Path) -> Reads:
    """What the recipe at `path` reads; nothing where it cannot be read, which DVC says."""
    try:
        text = path.read_text(encoding="utf-8")
        stages = (yaml.load(text, Loader=_Loader) or {}).get("stages") or {}
        ours = [stage for stage in stages.values() if "-m pipelines.stages." in str(stage.get("do", stage).get("cmd"))]
    except (OSError, ValueError, AttributeError, RecursionError, yaml.YAMLError):
        return Reads()
    found = Reads(text=text)
    keys: dict[str, None] = {}
    for stage in ours:
        written = json.dumps(stage)
        for key in stage.get("do", stage).get("params") or ():
            if isinstance(key, str) and key.startswith("features.") and "$" not in key:
                found.features.add(key.removeprefix("features.").partition(".")[0])
            elif isinstance(key, str):
                keys[key.partition(".$")[0]] = None
        for key in re.findall(r"\$\{([a-z_]+(?:\.[a-z_]+)*)\}", written):
            if key.partition(".")[0] not in ("item", "key"):
                keys[key] = None
        section = str(stage.get("foreach", "")).removeprefix("${").removesuffix("}")
        if section:
            found.of_entries.setdefault(section, set()).update(re.findall(r"\$\{item\.([a-z_]+)\}", written))
        else:
            found.features.update(re.findall(r"data/features/\$\{[^}]+\}/(\w+)", written))
    # a section before its keys: the message about both names the section
    found.keys = sorted(keys, key=lambda key: key.count("."))
    return found
