"""The first page of a run: `.cache/first_look.html`, some clips of each class with player and piano roll.

`conservatory run` writes it when the manifest of the training dataset exists, minutes before the report. It is no stage's output.
"""

import html
import os
from pathlib import Path

import pandas as pd

from pipelines.core import paths
from pipelines.core.files import atomic
from pipelines.core.manifest import MANIFEST, NOTES
from pipelines.core.tables import read_table
from pipelines.report.pictures import piano_roll

PAGE = Path(".cache/first_look.html")
CLIPS_A_CLASS = 2
MAX_CLASSES = 12
ROLL_S = 30.0
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
.clips { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem; }
audio { width: 100%; } svg { width: 100%; height: 9rem; background: #8881; }
line { stroke: #8886; vector-effect: non-scaling-stroke; }
p { margin: .2rem 0; overflow-wrap: anywhere; } :root { color-scheme: light dark; }
.c0 { fill: #1f77b4 } .c1 { fill: #d62728 } .c2 { fill: #2ca02c } .c3 { fill: #9467bd }
.c4 { fill: #ff7f0e } .c5 { fill: #17becf } .c6 { fill: #e377c2 } .c7 { fill: #7f7f7f }
"""


def write(dataset: str) -> Path:
    """Write the page of a dataset that has a manifest, and return its path. Clips are linked, not copied."""
    clips = read_table(paths.manifest(dataset), MANIFEST)
    targets = [name for name in clips if name.startswith("target_")]
    classes = clips[targets[0]].fillna("") if targets else pd.Series("", index=clips.index)
    notes = paths.raw(dataset) / "notes.parquet"
    rolls = _rolls(notes) if notes.exists() else {}
    parts = []
    for name in sorted(classes.unique())[:MAX_CLASSES]:
        cards = "".join(_card(clip, rolls) for clip in clips[classes == name].head(CLIPS_A_CLASS).itertuples())
        parts.append(f'<h2>{html.escape(name or "Clips")}</h2><div class="clips">{cards}</div>')
    title = f"{dataset}: the first clips"
    about = (
        f"{len(clips)} clips, {clips['duration_s'].sum() / 3600:.1f} hours. The report follows at the end of the run."
    )
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    PAGE.parent.mkdir(exist_ok=True)
    with atomic(PAGE) as temporary:
        Path(temporary).write_text(f"{head}<h1>{title}</h1><p>{about}</p>{''.join(parts)}</html>", encoding="utf-8")
    return PAGE


def _rolls(notes: Path) -> dict[str, pd.DataFrame]:
    """A clip's path in the manifest -> its notes."""
    table = read_table(notes, NOTES)
    return {(notes.parent / path).as_posix(): part for path, part in table.groupby("path", sort=False)}


def _card(clip, rolls: dict[str, pd.DataFrame]) -> str:
    address = Path(clip.path).as_uri() if os.path.isabs(clip.path) else html.escape(f"../{clip.path}")
    roll = piano_roll(rolls[clip.path], 0.0, min(ROLL_S, clip.duration_s)) if clip.path in rolls else None
    tags = html.escape(", ".join(clip.tags))
    player = f'<audio controls preload="none" src="{address}"></audio>'
    return (
        f"<div><p>{html.escape(clip.title)}</p>{player}{roll['svg'] if roll else ''}<p><small>{tags}</small></p></div>"
    )
