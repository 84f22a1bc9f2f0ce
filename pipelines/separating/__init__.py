"""`conservatory separate`: the stems of your own files, by a fitted run of separation."""

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pipelines.core import params
from pipelines.core.plain import one_line
from pipelines.ops.failing import fail
from pipelines.predict.files import end, music

TASK = "separation"
MOST_BYTES = 1 << 32
"""Of a WAV file: its sizes are numbers of 32 bits."""


def separate_files(
    files: Annotated[list[Path], typer.Argument(help="Audio files of any length, and folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for the stems, <file's name>/<stem>.wav.")],
    run: Annotated[str, typer.Option(help="The fitted run; needed where there are several.")] = "",
    notes: Annotated[
        Path | None,
        typer.Option(help="MIDI file of the notes, a track a stem: for a run of a model that reads notes."),
    ] = None,
    channels: Annotated[int, typer.Option(min=1, max=2, help="2: stereo stems of stereo files.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Overwrite stems that are there already.")] = False,
) -> None:
    """Separate your own files into stems with a fitted run of separation.

    Stems are WAV files of 32-bit floats, mono unless `--channels 2`, at the rate of the run and as long as the file; together
    they add up to it. A file is read and written in parts: memory does not depend on its length.

    A run whose model reads notes (score_templates) needs `--notes`, a MIDI file in time with the one audio file. Its tracks are
    named as the stems; a stem without a track is taken to be silent.

    If a file cannot be separated, or its stems are there already, the reason is printed, the others are separated, and the exit
    status is 1.
    """
    from pipelines.audio.probe import Unreadable
    from pipelines.harness.progress import progress
    from pipelines.predict import fitted
    from pipelines.tasks.separation.fit import network

    if output.exists() and not output.is_dir():
        fail(f"-o {output}: that is a file; name a folder.")
    settings = params.read() if params.PARAMS.exists() else {}
    try:
        separator = network.load(fitted.of_family(run, TASK, settings).trainings[0][1])
    except ValueError as error:
        fail(str(error))
    found, failed, n_passed_over = music(files)
    written = _notes(notes, separator, len(found))
    # stems are named by their file: those of a/song.wav and b/song.mp3 would be the same
    named = Counter(path.stem for path in found)
    problems = {Path(entry["path"]): entry["reason"] for entry in failed}
    problems |= {
        path: f"another file is called {path.stem} too: separate them into different folders"
        for path in found
        if named[path.stem] > 1
    }
    for path in found:
        targets = {name: output / path.stem / f"{name}.wav" for name in separator.names}
        there = [target for target in targets.values() if target.exists()]
        if path not in problems and there and not force:
            problems[path] = f"{there[0]} is there already: --force overwrites it"
        if path in problems:
            continue
        try:
            parts = write(path, targets, separator, written, channels)
            n, rate = sum(progress(parts, one_line(path.name), unit="part")), separator.rate
            print(f"{one_line(str(path))}  {n / rate:.1f} s, {', '.join(separator.names)}: {output / path.stem}")
        except (Unreadable, OSError) as error:
            problems[path] = str(error)
    for path, reason in problems.items():
        print(one_line(f"{path}: {reason}"), file=sys.stderr)
    end(found, [{"path": str(path)} for path in problems], n_passed_over, "audio")


def _notes(path, separator, n_files):
    """The notes of the stems in a MIDI file; None where the model reads none. Ends with a message where both do not fit."""
    from pipelines.notes.tables import Unreadable
    from pipelines.separating import midi

    if path is None:
        if separator.reads_notes:
            fail("the model of this run reads the notes of each stem: name their MIDI file with --notes.")
        return None
    if not separator.reads_notes:
        fail(f"--notes {path}: the model of this run reads no notes.")
    if n_files > 1:
        fail(f"--notes {path}: these are the notes of one file; name one audio file.")
    try:
        return midi.of_midi(path, separator.names)
    except (OSError, Unreadable, ValueError) as error:
        fail(f"--notes {path}: {error}")


def write(path, targets, separator, notes=None, channels=1):
    """Separate a file and write its stems, each at once when all are whole; yields the samples of each part as it is done."""
    import soundfile

    from pipelines.audio import decode, probe
    from pipelines.core.files import atomic

    header = probe.header(path)  # of a file that is none, no folder is made
    if 4 * channels * separator.rate * header["duration_s"] > 0.99 * MOST_BYTES:
        raise probe.Unreadable("its stems would be larger than a WAV file can be, 4 GB: cut it, or use --channels 1")
    with ExitStack() as stack:
        whole = [stack.enter_context(atomic(target)) for target in targets.values()]
        with ExitStack() as opened:
            files = [
                opened.enter_context(soundfile.SoundFile(name, "w", separator.rate, channels, "FLOAT", format="WAV"))
                for name in whole
            ]
            decoded = decode.blocks(path, separator.rate, channels, header)
            blocks = (block.reshape(-1, channels).T.astype("float32") / 32768 for block in decoded)
            for estimates in separator.stream(blocks, notes):
                for file, estimate in zip(files, estimates, strict=True):
                    file.write(estimate.T)
                yield estimates.shape[-1]
