"""`conservatory generate`: new music of a run of the family `sequences`, as MIDI, MusicXML or ABC, and sound."""

import re
from pathlib import Path
from typing import Annotated

import typer

from pipelines.ops.failing import fail

NAMES = {1: ("melody",), 4: ("soprano", "alto", "tenor", "bass")}
"""Voices of a model -> what `--infill` calls them; of other numbers, voice1, voice2, ..., the highest first."""
BAR = 16
STEPS = 4  # of a quarter
MOST_BARS = 512
CANDIDATES = 64
"""Samples of which an infilled piece is drawn."""
SAMPLE_RATE = 44_100
LEVEL_DBFS = -20.0
TAIL_S = 1.5
"""Sound after the last note."""


def generate(
    model: Annotated[
        str, typer.Argument(help="A run of the family sequences (bach_lstm), or a folder with its model.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write: .mid, .musicxml or .abc.")],
    bars: Annotated[int, typer.Option(help="Bars of 16 steps, those of a primer included.", min=1, max=MOST_BARS)] = 16,
    seed: Annotated[int, typer.Option(help="The same seed gives the same piece.", min=0)] = 0,
    temperature: Annotated[
        float, typer.Option(help="Below 1: likelier cells; above: less likely ones.", min=0.01, max=10)
    ] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest pitches of each cell; 0: all.", min=0)] = 0,
    top_p: Annotated[
        float, typer.Option(help="Only the likeliest pitches, of this probability together.", min=0, max=1)
    ] = 1.0,
    primer: Annotated[
        Path | None,
        typer.Option(help="A MIDI, ABC or MusicXML file to go on from: a track a voice of the model, highest first."),
    ] = None,
    infill: Annotated[
        str,
        typer.Option(
            help="With --primer: write only this voice (soprano, alto, tenor, bass; melody) or these bars (5-8) of it anew."
        ),
    ] = "",
    tempo: Annotated[float, typer.Option(help="Quarter notes a minute.", min=20, max=300)] = 80.0,
    program: Annotated[
        int, typer.Option(help="General MIDI program, 0 to 127; 19 is a church organ.", min=0, max=127)
    ] = 19,
    wav: Annotated[
        Path | None, typer.Option(help="Also write the sound, rendered with the SoundFont of the demo.")
    ] = None,
) -> None:
    """Generate music with a fitted model of the family `sequences`, and write it as MIDI, MusicXML or ABC: in as many
    voices as it was fitted on.

    With --primer the piece begins with the notes of that file, which are rounded to 16ths, and the model continues it. With
    --infill too, only the named voice or bars are new, and fit what comes before and after.
    """
    from pipelines.core.files import atomic
    from pipelines.notes import writing
    from pipelines.report.voices import piece_of

    if infill and not primer:
        fail("--infill needs --primer: the file whose voice or bars are to be written anew.")
    try:
        grid = make(folder_of(model), bars, seed, (temperature, top_k, top_p), primer, infill)
        piece = piece_of(grid, tempo, program)
        with atomic(out) as temporary:
            temporary.write_bytes(writing.content(piece, out, f"{model}, seed {seed}"))
        print(f"{out}: {len(grid) / BAR:g} bars, {len(piece.notes)} notes")
        if wav:
            _write_sound(piece, wav)
            print(f"{wav}: {piece.length_s + TAIL_S:.1f} s")
    except (ValueError, OSError) as error:
        fail(str(error))


def folder_of(model: str) -> Path:
    """The fitted model of a run (of its first seed), or the folder itself. Raises `ValueError` where there is none."""
    from pipelines.core import params
    from pipelines.predict import fitted

    if (Path(model) / "model.npz").is_file():
        return Path(model)
    settings = params.read() if params.PARAMS.exists() else {}
    return fitted.of_family(model, "sequences", settings).trainings[0][1]


def make(
    folder: Path, bars: int, seed: int, how: tuple[float, int, float], primer: Path | None = None, infill: str = ""
):
    """`(steps, voices)` uint8 by the model in `folder`. how: temperature, top k, top p."""
    import numpy as np

    from pipelines.tasks.sequences.fit import model_file, sampling
    from pipelines.tasks.sequences.score import generators

    module, model, voices = model_file.load(folder)
    if not (begin := generators.beginning(module, model)):
        if primer or how != (1.0, 0, 1.0):
            raise ValueError(
                f"{folder}: this model writes whole pieces at once. It cannot continue or fill in a --primer, and has no "
                "probabilities that --temperature, --top-k or --top-p could change: leave them out"
            )
        return module.draw(model, 1, bars * BAR, np.random.default_rng(seed))[0]
    given = np.full((bars * BAR, voices), sampling.FREE)
    if primer:
        known = _grid_of(primer, voices)
        if not infill and len(known) >= len(given):
            raise ValueError(f"{primer} has {len(known) / BAR:g} bars: --bars must be more, it counts them too")
        given = known if infill else np.concatenate([known, given[len(known) :]])
    if not infill:
        return sampling.sample(begin, given, 1, seed, *how)[0]
    given[_meant(infill, *given.shape)] = sampling.FREE
    return sampling.infill(begin, given, CANDIDATES, seed, *how)


def _grid_of(path: Path, n_voices: int):
    """The voices of a file of notes: of one voice all its notes, else a track each. Raises `ValueError` for a file without notes,
    or with notes that fit no voice."""
    import numpy as np

    from pipelines.corpora import folder
    from pipelines.notes import grids

    piece = folder.read(path, path.read_bytes())
    notes = grids.pitched(piece.notes)
    voice = np.unique(notes["track"], return_inverse=True)[1] if n_voices > 1 else np.zeros(len(notes), int)
    grid = grids.compute(notes, piece.length, voice, n_voices, STEPS)
    if not grid[:, :n_voices].any():
        raise ValueError(f"{path} has no notes on the grid of 16ths")
    if lost := int(np.count_nonzero(grid[:, -1])):
        todo = (
            f"give each of {n_voices} voices its own track" if n_voices > 1 else "the model writes one note at a time"
        )
        raise ValueError(f"{path} has notes that fit no voice in {lost} of {len(grid)} 16ths: {todo}")
    return grid[:, :n_voices].astype(np.int64)


def _meant(infill: str, n_steps: int, n_voices: int):
    """The index of the cells that `--infill` names."""
    names = NAMES.get(n_voices) or tuple(f"voice{number}" for number in range(1, n_voices + 1))
    if infill in names:
        return slice(None), names.index(infill)
    bars = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", infill)
    first, last = (int(bars[1]), int(bars[2] or bars[1])) if bars else (0, 0)
    if not 1 <= first <= last or (first - 1) * BAR >= n_steps:
        n_bars = -(-n_steps // BAR)
        raise ValueError(
            f"--infill {infill}: name a voice ({', '.join(names)}), or bars of the file from 1 to {n_bars}, as 5-8"
        )
    return slice((first - 1) * BAR, last * BAR), slice(None)


def _write_sound(piece, path: Path) -> None:
    import numpy as np
    import soundfile

    from pipelines.core.files import atomic
    from pipelines.symbolic import render

    columns = ("onset_s", "duration_s", "pitch", "velocity", "program")
    notes = np.empty(len(piece.notes), [*((name, piece.notes.dtype[name]) for name in columns), ("voice", np.int64)])
    for name in columns:
        notes[name] = piece.notes[name]
    notes["voice"] = piece.notes["track"]
    sound = render.mix(notes, SAMPLE_RATE, piece.length_s + TAIL_S, LEVEL_DBFS)
    with atomic(path) as temporary:
        soundfile.write(temporary, sound, SAMPLE_RATE, format="WAV", subtype="PCM_16")
