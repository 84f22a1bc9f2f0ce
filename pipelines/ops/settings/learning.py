"""`recipes` and `taggers` in params.yaml. `pipelines/training/recipes.py` combines them without checking again."""

from typing import Any

from pipelines.ops.settings import code
from pipelines.ops.settings.kinds import (
    COUNT,
    HASH,
    SHARE,
    WORD,
    YES_OR_NO,
    missing,
    nearest,
    number,
    one_of,
    table,
    unknown,
    whole,
    wrong,
)  # fmt: skip
from pipelines.ops.settings.recipe import Reads

FOLDER = "pipelines/models/taggers"
GROUPS = ("log_mel", "waveform", "published")
AUGMENT = {
    "gain_db": number(0),
    "polarity": YES_OR_NO,
    **dict.fromkeys(("time_masks", "frequency_masks"), whole(0, "none")),
    **dict.fromkeys(("time_mask", "frequency_mask"), SHARE),
}
PHASE = {
    "optimizer": one_of("adam", "adamw", "sgd"),
    "schedule": one_of("constant", "cosine"),
    "learning_rate": number(0, above=True),
    "epochs": COUNT,
    "weight_decay": number(0),
    "momentum": number(0, 1, below=True),
}
OF_A_PHASE = ("epochs", "learning_rate", "weight_decay")
"""What a tagger may change of a recipe with one phase."""
WHOLE = {
    "augment": AUGMENT,
    "batch_size": COUNT,
    "chunks_per_clip": COUNT,
    "monitor": one_of("roc_auc", "loss"),
    "patience": whole(0, "none"),
    "precision": one_of("auto", "32-true", "bf16-mixed"),
}
PHASES = (
    "a list of phases, at least one, as in {optimizer: adamw, learning_rate: 0.001, epochs: 60}",
    lambda value: isinstance(value, list) and bool(value) and all(isinstance(phase, dict) for phase in value),
)
RECIPE = {"phases": PHASES, **WHOLE}
TAGGER = {
    "recipe": WORD,
    "width": number(0, 4, above=True),
    **WHOLE,
    **{key: PHASE[key] for key in OF_A_PHASE},
}
PUBLISHED = {
    "path": WORD,
    "sha256": HASH,
    "tags": WORD,
    "source": WORD,
    "licence": WORD,
    "architecture": WORD,
}


def check(settings: dict, reads: Reads) -> None:
    """Raise `SystemExit` for the first that is wrong. A recipe (dvc.yaml) that reads no `recipes` trains in its own way."""
    recipes, groups = settings.get("recipes", {}), settings.get("taggers", {})
    for group, members in groups.items():
        if group not in GROUPS:
            raise SystemExit(
                f"taggers.{group} in params.yaml: taggers stand under {', '.join(GROUPS)}, by what they read"
            )
        if not isinstance(members, dict):
            wrong(f"taggers.{group}", members, "a table, {} for an empty one")
        for name, entry in members.items() if group != "published" else ():
            _has_recipe(f"taggers.{group}.{name}.recipe", entry.get("recipe"), recipes)
    if not reads.section("recipes"):
        return
    for name, recipe in recipes.items():
        _check_recipe(f"recipes.{name}", recipe)
    for group in ("log_mel", "waveform"):
        for name, entry in groups.get(group, {}).items():
            _check_tagger(group, name, entry, recipes)
    for name, entry in groups.get("published", {}).items():
        where = f"taggers.published.{name}"
        table(where, entry, PUBLISHED, [key for key in PUBLISHED if key != "architecture"])
        given = "architecture" in entry
        _has_file(f"{where}.architecture" if given else where, entry.get("architecture", name))


def _check_recipe(where: str, recipe: Any) -> None:
    table(where, recipe, RECIPE, ("phases",))
    for place, phase in enumerate(recipe["phases"], start=1):
        own = f"{where}.phases, phase {place},"
        for key, value in phase.items():
            if key not in PHASE:
                unknown(key, f"{where}.phases", list(PHASE))
            if not PHASE[key][1](value):
                wrong(f"{key} of {own}", value, PHASE[key][0])
        for key in ("optimizer", *(("learning_rate", "epochs") if len(recipe["phases"]) > 1 else ())):
            if key not in phase:
                missing(f"{key} of {own}", PHASE[key])
        if phase.get("momentum") and phase["optimizer"] != "sgd":
            wrong(
                f"momentum of {own}",
                phase["momentum"],
                f"left out: it is for sgd, and {phase['optimizer']} has its own",
            )


def _check_tagger(group: str, name: str, entry: dict, recipes: dict) -> None:
    where = f"taggers.{group}.{name}"
    table(where, entry, TAGGER, ("recipe", "width"))
    _has_file(where, name)
    reads = code.constant(f"{FOLDER}/{name}.py", "INPUT")
    if reads in GROUPS and reads != group:
        raise SystemExit(f"{where} in params.yaml: {name} reads {reads}, so it stands under taggers.{reads}")
    recipe = recipes[entry["recipe"]]
    changed = [key for key in OF_A_PHASE if key in entry]
    if changed and len(recipe["phases"]) > 1:
        raise SystemExit(
            f"{where}.{changed[0]} in params.yaml: recipe {entry['recipe']!r} has {len(recipe['phases'])} phases; change them "
            "under `recipes`, or name another recipe"
        )
    for key in WHOLE:
        if key not in recipe and key not in entry:
            missing(f"recipes.{entry['recipe']}.{key}", WHOLE[key])
    for phase in recipe["phases"]:
        for key in ("learning_rate", "epochs"):
            if key not in phase and key not in entry:
                missing(f"{key} of a phase of recipes.{entry['recipe']}", PHASE[key])


def _has_recipe(where: str, named: Any, recipes: dict) -> None:
    if not (isinstance(named, str) and named in recipes):
        near = nearest(str(named), list(recipes))
        meant = f"; do you mean {near}?" if near else f": `recipes` has {', '.join(map(str, recipes)) or 'none'}"
        raise SystemExit(f"{where} in params.yaml is {named!r:.200}{meant}")


def _has_file(where: str, name: str) -> None:
    if name not in (known := code.with_name(FOLDER, "create")):
        if not (code.PROJECT / FOLDER / f"{name}.py").exists():
            code.no_file(where, FOLDER, name)
        wrong(where, name, f"a tagger: {', '.join(known)}")
