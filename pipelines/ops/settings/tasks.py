"""`tasks` and `runs` in params.yaml: families of tasks, and a model each (pipelines/tasks/__init__.py)."""

from collections.abc import Collection
from typing import Any

from pipelines.ops.settings import code, views
from pipelines.ops.settings.corpora import with_datasets
from pipelines.ops.settings.kinds import (
    COUNT,
    SEED,
    SHARE,
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
from pipelines.ops.settings.recipe import Reads

FOLDER = "pipelines/tasks"


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1


KINDS = {
    "word": WORD,
    "words": ("a list of words", lambda value: isinstance(value, list) and all(map(WORD[1], value))),
    "count": COUNT,
    "whole": whole(0),
    "number": number(),
    "positive": number(0, above=True),
    "share": SHARE,
    "shares": (
        "a list of shares, above 0 and up to 1",
        lambda value: isinstance(value, list) and all(map(_share, value)),
    ),
    "yes_or_no": YES_OR_NO,
    "table": ("a table", lambda value: isinstance(value, dict)),
}
"""What a family's `OPTIONS` may call an option; a list instead of a word names the values it may have."""
SHARED = {"n_bootstrap": COUNT, "seed": SEED}
RUN = {
    "task": WORD,
    "dataset": WORD,
    "from": one_of("features", "embeddings"),
    "reads": WORD,
    "model": WORD,
    "seeds": COUNT,
}


CROSS = {key: rule for key, rule in RUN.items() if key != "seeds"} | {"run": WORD}
CROSS_OPTIONS = {"labels": KINDS["table"], "target": WORD}
SAME = ("task", "from", "reads", "model")
"""Keys of a cross test that are those of its run."""


def check(settings: dict, reads: Reads) -> None:
    """Raise `SystemExit` for the first entry that is wrong, with the nearest name where one is not known."""
    tasks, runs = settings.get("tasks") or {}, settings.get("runs") or {}
    families = sorted(path.parent.name for path in (code.PROJECT / FOLDER).glob("[!_]*/__init__.py"))
    if not reads.section("runs") or not families:  # a recipe of one's own, over code of one's own
        return
    for name, entry in tasks.items():
        _known(name, families, f"tasks.{name}", f"families in {FOLDER}/")
        table(f"tasks.{name}", entry, SHARED, SHARED)
    taggers = settings.get("taggers") or {}
    for name, entry in runs.items():
        where = f"runs.{name}"
        if name in taggers:
            raise SystemExit(f"{where} in params.yaml has the name of a tagger: both would be data/scores/{name}")
        for key, rule in RUN.items():
            if key not in entry:
                missing(f"{where}.{key}", rule)
        task = entry["task"]
        _known(task, families, f"{where}.task", f"families in {FOLDER}/")
        if task not in tasks:
            raise SystemExit(
                f"tasks.{task} is missing in params.yaml: {where} needs it, as {{n_bootstrap: 1000, seed: 2026}}"
            )
        table(where, entry, RUN | _sources(task) | _rules(task), _required(task))
        corpora, dataset = settings.get("corpora") or {}, entry["dataset"]
        _known(dataset, with_datasets(settings), f"{where}.dataset", "`datasets` and `corpora`")
        models = [path.stem for path in sorted((code.PROJECT / FOLDER / task / "models").glob("[!_]*.py"))]
        _known(entry["model"], models, f"{where}.model", f"models in {FOLDER}/{task}/models/")
        if entry["from"] == "answers":  # of other runs
            _check_fused(name, entry, settings)
        elif dataset in corpora:
            if entry["from"] != "features":
                wrong(f"{where}.from", entry["from"], f"features: {dataset} is a corpus of notes and has no embeddings")
            _known(entry["reads"], settings.get("symbols") or {}, f"{where}.reads", "`symbols`")
        elif entry["from"] == "features":
            _known(entry["reads"], settings.get("features", {}), f"{where}.reads", "`features`")
        elif entry["from"] == "raw":  # the stems of a multitrack (core/stems.py)
            _known(entry["reads"], ["stems"], f"{where}.reads", "what a dataset's own files have")
        else:
            _known(entry["reads"], views.readable(settings, entry["from"], dataset), f"{where}.reads", entry["from"])
    _check_cross_tests(settings)


def _check_cross_tests(settings: dict) -> None:
    runs = settings.get("runs") or {}
    for name, entry in (settings.get("cross_tests") or {}).items():
        where = f"cross_tests.{name}"
        if name in runs or name in (settings.get("taggers") or {}):
            raise SystemExit(
                f"{where} in params.yaml has the name of a run or tagger: both would be data/scores/{name}"
            )
        table(where, entry, CROSS | CROSS_OPTIONS, CROSS)
        _known(entry["run"], runs, f"{where}.run", "`runs`")
        fitted = runs[entry["run"]]
        for key in SAME:
            if entry[key] != fitted[key]:
                wrong(f"{where}.{key}", entry[key], f"{fitted[key]}, as in runs.{entry['run']}, which was fitted so")
        if "labels" not in _options(entry["task"]):
            wrong(f"{where}.task", entry["task"], "a family with the option labels: others take no cross tests")
        there = "corpora" if fitted["dataset"] in (settings.get("corpora") or {}) else "datasets"
        _known(entry["dataset"], settings.get(there) or {}, f"{where}.dataset", f"`{there}`")
        if entry["dataset"] == fitted["dataset"]:
            wrong(f"{where}.dataset", entry["dataset"], f"another dataset than that of runs.{entry['run']}")


def _check_fused(name: str, entry: dict, settings: dict) -> None:
    """A run that fuses others: they are runs of the family that it reads, which is not its own, on its dataset."""
    where, runs = f"runs.{name}", settings["runs"]
    families = [task for task in settings["tasks"] if task != entry["task"]]
    _known(entry["reads"], families, f"{where}.reads", "other families in `tasks`")
    fits = [each for each, one in runs.items() if (one["task"], one["dataset"]) == (entry["reads"], entry["dataset"])]
    for each in entry["runs"]:
        _known(each, fits, f"{where}.runs", f"runs of {entry['reads']} on {entry['dataset']}")


def _known(value: str, known: Collection[str], where: str, what: str) -> None:
    if value not in known:
        near = nearest(value, known)
        meant = f"; do you mean {near}?" if near else f"; {what}: {', '.join(known) or 'none'}"
        raise SystemExit(f"{where} in params.yaml is {value!r:.60}, which is not there{meant}")


def _options(task: str) -> dict[str, tuple]:
    return code.constant(f"{FOLDER}/{task}/__init__.py", "OPTIONS") or {}


def _rules(task: str) -> dict[str, Any]:
    options = _options(task)
    return {option: KINDS[kind] if isinstance(kind, str) else one_of(*kind) for option, (_, kind) in options.items()}


def _sources(task: str) -> dict[str, tuple]:
    """The rule of `from`, where the family's `FROM` says that it reads something else than features or embeddings."""
    sources = code.constant(f"{FOLDER}/{task}/__init__.py", "FROM")
    return {"from": one_of(*sources)} if sources else {}


def _required(task: str) -> list[str]:
    return [option for option, (default, _) in _options(task).items() if default is None]
