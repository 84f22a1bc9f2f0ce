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

FOLDER, AUGMENTING = "pipelines/models/taggers", "pipelines/training/augment/__init__.py"
FORMER = ("log_mel", "waveform", "published")
"""Taggers once stood under these in `taggers`."""
AUGMENT = {
    **dict.fromkeys(("gain_db", "delay_s", "filter_db", "mixup", "reverb_s", "stretch"), number(0)),
    **dict.fromkeys(("pitch_bands", "pitch_semitones"), number(0)),
    "noise_snr_db": number(),
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
    "a list of phases, as in {optimizer: adamw, learning_rate: 0.001, epochs: 60}, or [] to take published weights as they are",
    lambda value: isinstance(value, list) and all(isinstance(phase, dict) for phase in value),
)
RECIPE = {"phases": PHASES, **WHOLE}
NETWORK = {
    "network": (f"the name of a file in {FOLDER}/", WORD[1]),
    "reads": ("the name of an entry of `features`", WORD[1]),
    "recipe": ("the name of an entry of `recipes`", WORD[1]),
}
TAGGER = {
    **NETWORK,
    "width": number(0, 4, above=True),
    "seeds": COUNT,
    **WHOLE,
    **{key: PHASE[key] for key in OF_A_PHASE},
}
WEIGHTS = {"path": WORD, "sha256": HASH, "tags": WORD, "source": WORD, "licence": WORD}


def check(settings: dict, reads: Reads) -> None:
    """Raise `SystemExit` for the first that is wrong. A recipe (dvc.yaml) that reads no `recipes` trains in its own way."""
    recipes, taggers = settings.get("recipes", {}), settings.get("taggers", {})
    _check_form(taggers)
    for name, entry in taggers.items():
        _has(f"taggers.{name}.recipe", entry.get("recipe"), "recipes", recipes)
    if not reads.section("recipes"):
        return
    for name, recipe in recipes.items():
        _check_recipe(f"recipes.{name}", recipe)
    for name, entry in taggers.items():
        where = f"taggers.{name}"
        if "weights" in entry:
            _check_weights(where, entry, recipes[entry["recipe"]])
        else:
            _check_tagger(where, entry, recipes[entry["recipe"]])
        _has_file(f"{where}.network", entry["network"])
        _can_read(where, entry, settings.get("features", {}))
        _can_augment(where, entry, recipes[entry["recipe"]])


def _check_form(taggers: dict) -> None:
    """Raise `SystemExit` where taggers stand under what they read, as they once did: it says how to write them now."""
    for group in FORMER:
        members = taggers.get(group)
        if (
            not isinstance(members, dict)
            or "recipe" in members
            or not all(isinstance(e, dict) for e in members.values())
        ):
            continue
        name = next(iter(members), "short")
        now = f"{name}: {{network: {name}, reads: {group}, recipe: ...}}"
        if group == "published":
            network = (members.get(name) or {}).get("architecture", name)
            now = f"{name}_published: {{network: {network}, reads: waveform, recipe: weights, weights: {{path: ..., ...}}}}"
        raise SystemExit(
            f"taggers.{group} in params.yaml: taggers stand directly under `taggers` now, each with what it reads: write `{now}` "
            "there" + (", and `weights: {phases: []}` under `recipes`" if group == "published" else "")
        )


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


def _check_tagger(where: str, entry: dict, recipe: dict) -> None:
    table(where, entry, TAGGER, (*NETWORK, "width"))
    if not recipe["phases"]:
        raise SystemExit(
            f"{where}.recipe in params.yaml: recipe {entry['recipe']!r} has no phases, so nothing would be trained; name "
            f"another, or published `weights`: {{{', '.join(WEIGHTS)}}}"
        )
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


def _check_weights(where: str, entry: dict, recipe: dict) -> None:
    table(where, entry, {**NETWORK, "weights": WEIGHTS}, NETWORK)
    table(f"{where}.weights", entry["weights"], WEIGHTS, WEIGHTS)
    if recipe["phases"]:
        raise SystemExit(
            f"{where}.recipe in params.yaml: recipe {entry['recipe']!r} trains, and published weights are taken as they are; "
            "name one with phases: []"
        )


def _can_read(where: str, entry: dict, features: dict) -> None:
    """What the entry reads is among the features, and its network reads it, with these parameters."""
    network, reads = entry["network"], entry["reads"]
    _has(f"{where}.reads", reads, "features", features)
    can_read = code.constant(f"{FOLDER}/{network}.py", "READS")
    if not isinstance(can_read, dict):
        return  # not written out on a line: the train stage looks
    if reads not in can_read:
        wrong(f"{where}.reads", reads, f"what the network {network} reads: {' or '.join(can_read)}")
    for key, value in can_read[reads].items():
        if features[reads].get(key) != value:
            wrong(f"features.{reads}.{key}", features[reads].get(key), f"{value}, since {where} reads it")


def _can_augment(where: str, entry: dict, recipe: dict) -> None:
    """Augmentation of samples is for a tagger of samples, that of frames for one of frames."""
    own = "augment" in entry
    reads, place = entry["reads"], f"{where}.augment" if own else f"recipes.{entry['recipe']}.augment"
    for name in entry["augment"] if own else recipe.get("augment", {}):
        if name in code.constant(AUGMENTING, "OF_FRAMES" if reads == "waveform" else "OF_SAMPLES"):
            needs = "frames" if reads == "waveform" else "samples"
            raise SystemExit(
                f"{place}.{name} in params.yaml needs {needs}, and {where} reads {reads}: leave it out, or give the tagger an "
                "`augment` of its own"
            )


def _has(where: str, named: Any, section: str, entries: dict) -> None:
    if not (isinstance(named, str) and named in entries):
        near = nearest(str(named), list(entries))
        meant = f"; do you mean {near}?" if near else f": `{section}` has {', '.join(map(str, entries)) or 'none'}"
        raise SystemExit(f"{where} in params.yaml is {named!r:.200}{meant}")


def _has_file(where: str, name: str) -> None:
    if name not in (known := code.with_name(FOLDER, "create")):
        if not (code.PROJECT / FOLDER / f"{name}.py").exists():
            code.no_file(where, FOLDER, name)
        wrong(where, name, f"a tagger: {', '.join(known)}")
