"""A model card in Markdown: how the model was trained, on what music, its scores and its lineage.

Training itself does not know scores and licences. The card is made at any revision from the model's config.json, the manifests,
the scores with their intervals, and dvc.lock."""

import csv
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import yaml

from pipelines.core import paths, training_clips
from pipelines.ops.lineage import clips, text
from pipelines.ops.lineage.revision import LineageError, Revision, listing
from pipelines.report import cards

RUN_SCORES, RUNS = (str(paths.report("scores")),), f"{paths.fitted()}/"
SCORES = (*RUN_SCORES, str(paths.report("clustering")))
USE = """To tag and to embed music like what it was trained on, for study, teaching and search in a collection, where a person
looks at what comes out. Not to decide about people, their rights or their pay; and on other music only beside the figures of
`reports/ood.json` and `reports/robustness.json`, which say how far it can be trusted there."""


def render(revision: Revision, found: dict) -> str:
    """The card of the model in a trace (`trace.trace`). Raises `LineageError` if its target is no model."""
    path = found["target"]["path"]
    stages = [name for name in found["roots"] if any(out["path"] == path for out in found["stages"][name]["outputs"])]
    if not path.startswith(paths.MODELS) or len(stages) != 1:
        raise LineageError(f"{found['target']['asked']} is not a model; --card needs one, for instance short.")
    stage, name = found["stages"][stages[0]], PurePosixPath(path).name
    parts = [
        _training(revision, path, name),
        f"## Intended use\n\n{USE}",
        "\n".join(["## Data", "", *_data(revision, found, stage)]),
        "\n".join(["## Metrics", "", *_metrics(revision, path)]),
        "\n".join(["## Lineage", "", *_lineage(revision, found, stages[0])]),
    ]
    return "\n\n".join(parts) + "\n"


def _training(revision: Revision, path: str, name: str) -> str:
    """The description written by training; older commits have it as text."""
    if text := revision.data(f"{path}/README.md"):
        return text.decode().strip()
    try:
        if path.startswith(RUNS):
            about, scores = (
                json.loads(revision.data(str(paths.scores(name) / f"{part}.json"))) for part in ("about", "scores")
            )
            return cards.of_run(name, about, scores).strip()
        config = json.loads(revision.data(f"{path}/config.json") or b"null")
        history = (revision.data(f"{path}/history.csv") or b"").decode().splitlines()
        return cards.written(name, config, list(csv.DictReader(history))).strip()
    except (ValueError, TypeError, KeyError, IndexError, OSError):  # missing, or written by other code
        return f"# {name}"


def _data(revision: Revision, found: dict, stage: dict) -> Iterator[str]:
    """The music it was trained on, by role and by licence of the clips."""
    training = stage["parameters"].get("training")
    for dataset, source in found["sources"].items():
        if source["files"] is None:
            yield f"- `{dataset}`: its manifest ({source['md5']}) is not available; `dvc pull` fetches it"
            continue
        listed = f"{source['manifest']} ({source['md5']})"
        yield f"- `{dataset}`: {source['clips']} clips, {source['bytes']:,} bytes, listed in {listed}"
        if training and training["dataset"] == dataset:
            counts = training_clips.roles(clips.read(revision, dataset), training.get("leave_out")).value_counts()
            for role in training_clips.ROLES:
                if role in counts:
                    yield f"  - {counts[role]} clips: {training_clips.ROLES[role]}"
        for part in source["licences"]:
            more = f" and {part['sources'] - 1} more sources" if part["sources"] > 1 else ""
            yield f"  - {part['clips']} clips from {part['source']}{more}. Licence: {part['licence']}"


def _metrics(revision: Revision, path: str) -> Iterator[str]:
    """The scores of the model at `path` in the reports made from it; other reports are named."""
    name, files = PurePosixPath(path).name, RUN_SCORES if path.startswith(RUNS) else SCORES
    there = [file for file in files if file in revision.graph.maker]
    own = [file for file in there if revision.graph.made_from(file, path, listing)]
    contents = {file: revision.data(file) for file in own}
    away = [file for file in own if contents[file] is None]
    rows = [(file, *row) for file in own if file not in away for row in _scores(json.loads(contents[file]), name)]
    if rows:
        yield "| figure | value | 95% interval | clips |"
        yield "| --- | --- | --- | --- |"
        for file, key, value, (low, high), n in rows:
            yield f"| {file}#{key} | {value:.4f} | {low:.4f} to {high:.4f} | {n} |"
    elif not away:
        yield "reports/ has no scores with intervals for it."
    for file in away:
        yield f"\nLeft out: the figures of {file}, because the file in dvc.lock is not available."
    for file in there:
        if file not in own:
            yield f"\nLeft out: the figures of {file}. By dvc.lock they are of another model, or that cannot be checked."


def _scores(value, name: str, prefix: str = "") -> Iterator[tuple[str, float, list, int]]:
    """(key path, value, interval, n) of each score of a model that has an interval: `<score>_ci95`, `ci95` right after it, or
    beside `value` in a table of its own."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        path = f"{prefix}{key}"
        if key == name and isinstance(inner, dict):
            names = list(inner)
            for place, field in enumerate(names):
                score = names[place - 1] if field == "ci95" else field.removesuffix("_ci95")
                own = inner[field]
                if isinstance(own, dict) and own.get("ci95") and "value" in own:
                    yield f"{path}.{field}.value", own["value"], own["ci95"], own["n"]
                elif field.endswith("ci95") and inner[field] and isinstance(inner.get(score), int | float):
                    yield f"{path}.{score}", inner[score], inner[field], inner.get("n", "")
        else:
            yield from _scores(inner, name, f"{path}.")


def _lineage(revision: Revision, found: dict, name: str) -> Iterator[str]:
    stage, run, pins = found["stages"][name], found["stages"][name]["run"], found["environment"]["file"]
    path, pinned = found["target"]["path"], "not known" if stage["cut_off"] else stage["environment"]
    yield f"- {path}: {found['target']['md5']}, made by `{stage['command']}`"
    for file, md5 in revision.files(path).items():
        yield f"  - {file}: md5 {md5}"
    if stage["cut_off"]:
        yield f"- Recorded {text.CUT_OFF}"
    else:
        yield f"- Recorded {run['date']} in {run['commit']}" if run else "- In no commit yet"
    if stage["ran"]:
        yield f"- By {text.ran(stage['ran'])}"
    yield f"- Code {stage['code_version']}: {len(stage['code'])} files; environment {pins}, sha256 {pinned}"
    for dep in stage["inputs"]:
        yield f"- From {dep['path']}: {dep['md5']}"
    yield f"- Full lineage: `conservatory trace {PurePosixPath(path).name} --rev {(found['revision']['commit'] or 'REV')[:12]}`"
    yield "\nParameters:\n"
    yield "```yaml"
    yield yaml.safe_dump(stage["parameters"], sort_keys=False, allow_unicode=True, width=100).strip()
    yield "```"
