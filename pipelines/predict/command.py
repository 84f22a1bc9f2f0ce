"""`conservatory predict`: predictions of a tagger or a fitted run for files and folders of music."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pipelines.core import params
from pipelines.core.plain import one_line
from pipelines.ops.failing import fail
from pipelines.predict.files import end, midi, music, near_missing


def predict_files(
    model: Annotated[
        str,
        typer.Argument(
            help="A trained tagger (short), a folder with one, a published .pth, or a fitted run (style_pooled)."
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(help="Audio files of any length (MIDI files for a run that reads notes), and folders of them."),
    ],
    top: Annotated[int, typer.Option(help="Number of tags or classes to print per file.", min=1)] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write all results to this JSON file.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for one picture per file: tags over time.")] = None,
    architecture: Annotated[str, typer.Option(help="For a .pth: its network, for instance fcn.")] = "",
    tags: Annotated[
        str,
        typer.Option(help="For a .pth: jamendo, or a text file with one tag per line, in the order of its outputs."),
    ] = "",
) -> None:
    """Tag your own files, or classify them with a fitted run: the most likely tags or classes.

    Folders are searched recursively for audio files, in alphabetical order; other files are ignored and counted.

    A run's features are computed from the whole file, as in the pipeline.

    For a tagger, a file is divided into chunks of the model's length (3.7 s of short, 29 s of fcn). The rest after the last
    whole chunk is not used, and the file's line then says how much was decoded. A file shorter than a chunk is repeated.

    If a file cannot be read, the reason is printed, the other files are tagged, and the exit status is 1. Files that
    are farther from the tagger's training music than 95% of the training dataset's held-out clips are reported as outside it.
    """
    if settings := _with_run(model):
        if pictures or architecture or tags:
            fail(f"{model} is a run; --pictures, --architecture and --tags are for taggers.")
        return _predict_by_run(model, files, top, json_file, settings)
    from pipelines import novelty
    from pipelines.audio.probe import Unreadable
    from pipelines.core.files import write_json
    from pipelines.harness.progress import progress
    from pipelines.models import tags as tag_lists
    from pipelines.predict import taggers

    try:
        tagger, config = taggers.load_model(model, architecture, tag_lists.read(tags) if tags else None)
    except (ValueError, OSError) as error:
        fail(str(error))
    if pictures:
        if pictures.exists() and not pictures.is_dir():
            fail(f"--pictures {pictures}: that is a file; name a folder.")
        pictures.mkdir(parents=True, exist_ok=True)
    found_files, failed, n_passed_over = music(files)
    for entry in failed:
        print(one_line(f"{entry['path']}: {entry['reason']}"), file=sys.stderr)
    detector = novelty.detector(config) if found_files else None
    entries, outside, drawn = [], [], Counter()
    for path in progress(found_files, "predict", unit="file"):
        try:
            found = taggers.predict(tagger, config, path)
        except (Unreadable, OSError) as error:
            failed.append({"path": str(path), "reason": f"{error}{near_missing(str(path))}"})
            print(one_line(f"{path}: {failed[-1]['reason']}"), file=sys.stderr)
            continue
        likeliest = ", ".join(f"{tag} {p:.2f}" for tag, p in taggers.top(found, config["tags"], top))
        part = f"  (decoded {found['decoded_s']:.1f} of {found['duration_s']:.1f} s)"
        is_outside = detector[0](found["embedding"]) if detector else None
        outside += [path] if is_outside else []
        print(
            f"{one_line(str(path))}  {likeliest}{part if found['decoded_s'] < found['duration_s'] else ''}"
            f"{'  (outside)' if is_outside and len(found_files) > 1 else ''}"
        )
        if json_file:
            known = {} if is_outside is None else {"outside_training_music": is_outside}
            entries.append(taggers.as_json(found, config["tags"]) | known)
        if pictures:
            drawn[path.name] += 1  # two files of one name from two folders
            number = f"-{drawn[path.name]}" if drawn[path.name] > 1 else ""
            taggers.picture(found, config["tags"], pictures / f"{path.name}{number}.png")
    if json_file:
        weights = {"file": config["file"], "sha256": config["sha256"]}
        about = {"model": model, "architecture": config["name"], "weights": weights}
        write_json(json_file, {**about, "files": entries, "failed": failed, "passed_over": n_passed_over})
    if outside:
        print(_warning(outside, len(found_files), config["name"], detector[1], novelty.PERCENTILE), file=sys.stderr)
    end(found_files, failed, n_passed_over, "audio")


def _with_run(name: str) -> dict | None:
    """The settings of the project if it has a run of this name, and no folder here has."""
    if not params.is_name(name) or not params.PARAMS.exists() or Path(name).exists():
        return None
    settings = params.read()
    return settings if name in (settings.get("runs") or {}) else None


def _predict_by_run(name: str, files: list[Path], top: int, json_file: Path | None, settings: dict) -> None:
    from pipelines import novelty, tasks
    from pipelines.core.files import write_json
    from pipelines.predict import runs

    try:
        run = runs.load(name, settings)
        of_notes = runs.reads_notes(run, settings)
        found_files, failed, n_passed_over = (midi if of_notes else music)(files)
        found, bad = runs.predict(run, found_files, settings) if found_files else ([], [])
    except (ValueError, OSError) as error:
        fail(str(error))
    bad = [entry | {"reason": f"{entry['reason']}{near_missing(entry['path'])}"} for entry in bad]
    failed += bad
    for entry in failed:
        print(one_line(f"{entry['path']}: {entry['reason']}"), file=sys.stderr)
    line = tasks.part(run.task, "predict").line
    outside = [Path(answer["path"]) for answer in found if answer.get("outside_training_music")]
    for answer in found:
        mark = "  (outside)" if Path(answer["path"]) in outside and len(found_files) > 1 else ""
        print(f"{one_line(answer['path'])}  {line(answer, top)}{mark}")
    if json_file:
        about = {"model": name, "task": run.task, "dataset": run.dataset, "reads": str(run.input)}
        fitted = {"folder": str(run.trainings[0][1]), "sha256": runs.digest(run)}
        write_json(
            json_file, {**about, "fitted": fitted, "files": found, "failed": failed, "passed_over": n_passed_over}
        )
    if outside:
        print(
            _warning(outside, len(found_files), name, run.dataset, novelty.PERCENTILE, "predictions"), file=sys.stderr
        )
    end(found_files, failed, n_passed_over, "MIDI" if of_notes else "audio")


def _warning(outside: list[Path], n: int, model: str, dataset: str, percentile: int, answers: str = "tags") -> str:
    lie, their = ("lies", f"its {answers} are") if len(outside) == 1 else ("lie", f"their {answers} are")
    what = one_line(str(outside[0])) if n == 1 else f"{len(outside)} of {n} files"
    return (
        f"{what} {lie} outside the music that {model} was trained on (farther from it than {percentile}% of the held-out clips "
        f"of {dataset}): {their} guesses."
    )
