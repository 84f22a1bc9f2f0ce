"""The commands `conservatory trace`, `impact`, `diff`, and the withdrawal of a clip."""

import functools
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from pipelines.core.files import atomic
from pipelines.core.plain import CONTROL, one_line, plain
from pipelines.ops.lineage.revision import LOCK, LineageError, Revision

REV = typer.Option("--rev", help="A commit, branch, tag or experiment; by default the working tree.")
JSON = typer.Option("--json", help="Also write everything to this file as JSON; - prints it instead of the text.")


def answered(command):
    """Print a `LineageError` of a command, and exit with status 2."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except LineageError as error:
            print(plain(str(error)), file=sys.stderr)
            raise typer.Exit(2) from error

    return wrapped


@answered
def trace(
    target: Annotated[str, typer.Argument(help="A figure (FILE.json#key.path), model, clip, stage, or any file.")],
    rev: Annotated[str, REV] = "",
    json_file: Annotated[Path | None, JSON] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained HTML page; - prints it.")] = None,
    openlineage: Annotated[
        Path | None, typer.Option(help="Write OpenLineage events, one per line; - prints them.")
    ] = None,
    prov: Annotated[Path | None, typer.Option(help="Write W3C PROV-JSON; - prints it.")] = None,
    card: Annotated[Path | None, typer.Option(help="For a model: write its card in Markdown; - prints it.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash everything again; exit status 1 if something differs.")
    ] = False,
) -> None:
    """Trace a result to its sources: raw bytes, parameters, code, environment, and the run that made it.

    It reads dvc.lock, git and DVC's cache at any revision, and runs nothing.

    \b
    conservatory trace reports/clustering.json#scores.style.short.hungarian_accuracy
    conservatory trace short --verify
    conservatory trace data/space --rev v1.0 --html space.html
    """
    from pipelines.ops.lineage import text
    from pipelines.ops.lineage import trace as tracing

    options = {"--json": json_file, "--html": html, "--openlineage": openlineage, "--prov": prov, "--card": card}
    printed = [option for option, file in options.items() if _printed(file)]
    if len(printed) > 1:
        raise LineageError(f"{' and '.join(printed)} cannot be printed together: give a file name for all but one.")
    revision = Revision(rev)
    found = tracing.trace(revision, target)
    if verify:
        from pipelines.ops.lineage import verify as verifying

        found["verification"] = verifying.verify(revision, found)
    if json_file:
        _write_json(json_file, found)
    if html:
        from pipelines.ops.lineage import page

        _write(html, page.render(found), plain)
    if openlineage:
        from pipelines.ops.lineage import openlineage as events

        _write(openlineage, events.render(found))
    if prov:
        from pipelines.ops.lineage import prov as documents

        _write_json(prov, documents.document(found))
    if card:
        from pipelines.ops.lineage import card as cards

        _write(card, cards.render(revision, found), plain)
    if not printed:  # after the files are written: a reader such as `head` may close the pipe
        _say(text.lines(found))
    if verify and found["verification"]["wrong"]:
        raise typer.Exit(1)


@answered
def impact(
    target: Annotated[
        str, typer.Argument(help="A clip (id, path, title), a file of code or data, or params.yaml#key.")
    ],
    rev: Annotated[str, REV] = "",
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """Find everything that depends on a clip, file or parameter, and the models trained on a clip.

    \b
    conservatory impact d8de1153cc62c4f4
    conservatory impact pipelines/features/log_mel.py
    conservatory impact params.yaml#clustering.seed
    """
    from pipelines.ops.lineage import impact as impacts

    found = impacts.impact(Revision(rev), target)
    if json_file:
        _write_json(json_file, found)
    if not _printed(json_file):
        _say(impacts.lines(found))


@answered
def diff(
    before: Annotated[str, typer.Argument(help="A commit, branch, tag or experiment.")],
    after: Annotated[str, typer.Argument(help="The second revision; by default the working tree.")] = "",
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """Explain the difference between two results: data, parameters, code, environment, and the figures that changed.

    \b
    conservatory diff HEAD~1
    conservatory diff v1.0 v1.1 --json changes.json
    """
    from pipelines.ops.lineage import difference, difference_text

    found = difference.difference(Revision(before), Revision(after))
    if json_file:
        _write_json(json_file, found)
    if not _printed(json_file):
        _say(difference_text.lines(found))


@answered
def withdraw_clip(asked: str, why: str, whole_group: bool) -> bool:
    """Record a clip as withdrawn and print the consequences; False if `asked` is no clip."""
    from pipelines.ops.lineage import clip_bytes, trained_on, withdraw
    from pipelines.ops.lineage import impact as impacts

    revision = Revision()
    found = withdraw.find(revision, asked, whole_group)
    if not found:
        return False
    reasons = withdraw.reasons(revision)
    if not why.strip() and not found.keys() <= reasons.keys():
        raise LineageError("A reason is required: --why 'the rights holder withdrew it, letter of 3 May'.")
    new = withdraw.write(dict.fromkeys(found, why.strip()))
    for content, rows in found.items():
        _say([f"{content[:16]}: {'withdrawn' if content in new else f'already withdrawn: {reasons.get(content)}'}"])
        for dataset, row in rows:
            _say([f"  of {dataset}: {row['title']} ({row['path']})"])
        _say(f"  {line}" for line in trained_on.lines(trained_on.find(content), impacts.ROLES))
    rows = [pair for rows in found.values() for pair in rows]
    if not rows:
        print("No manifest lists it; it will be excluded if it is added.")
        return True
    answers = [impacts.impact(revision, content) for content in found]
    models = {row["path"] for answer in answers for row in answer["models"] if row["must_retrain"]}
    stages = {stage for answer in answers for stage in answer["stages"]}
    _say([f"Models trained on it: {', '.join(sorted(models)) or 'none'}"])
    _say(clip_bytes.lines(clip_bytes.places(revision, rows)))
    print(
        f"It is recorded in params.yaml. Next: conservatory run ({len(stages)} stages without it), then commit the result."
    )
    return True


def not_searched() -> str:
    """A sentence that names the datasets of the working tree whose clips could not be searched; "" if all could."""
    from pipelines.ops.lineage import targets

    revision = Revision()
    return targets.not_searched(revision) if revision.read(LOCK) else ""


def register(app: typer.Typer) -> None:
    for command in (trace, impact, diff):
        app.command(command.__name__)(command)


def _say(lines: Iterable[str]) -> None:
    """Print lines, without control characters: titles and file names may come from others."""
    for line in lines:
        print("\n".join(map(one_line, line.split("\n"))))


def _printed(file: Path | None) -> bool:
    """Is it printed, so that no other text may be?"""
    return str(file) == "-"


def _write_json(path: Path, value: dict) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _write(path, text, lambda text: CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text))


def _write(path: Path, content: str, shown: Callable[[str], str] = str) -> None:
    """Write a file, or print `shown`, in which control characters from others are escaped."""
    if _printed(path):
        print(shown(content), end="")
        return
    with atomic(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    print(f"Written: {path}", file=sys.stderr)
