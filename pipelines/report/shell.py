"""The frame of every page: head, contents, sections, lineage, player and scripts, in one file that needs no other."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core.files import atomic
from pipelines.core.record import write_record
from pipelines.report.lineage import Lineage

HERE = Path(__file__).parent
SCRIPTS = ("page.js", "tables.js", "player.js", "maps.js")
MAX_BYTES = 8_000_000
"""Of one page: what mail and browsers take without complaint."""


def page(fill, title: str, sections: list[dict], lineage: Lineage, **options) -> str:
    """The HTML of a page. title: of the window. sections: as `sections.render` gives them.

    options: `heading`, HTML above the sections; `back`, the address of the front page, "" on it; `data`, what the scripts draw
    and play from, a dict a dataset (`maps.data`); `sounds`, of each of those the excerpts in base64.
    """
    values = {"heading": Markup(""), "back": "", "data": []} | options
    sounds = values.pop("sounds", [])
    contents = [(one["id"], one["title"]) for one in sections]
    html = fill(
        "shell.html.j2",
        title=title,
        sections=sections,
        contents=contents,
        stage_lineage=lineage.table(),  # last: it holds what the sections have marked
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)),
        sounds=[[Markup(sound) for sound in clips] for clips in sounds],  # base64: nothing to hide or to escape
        **values,
    )
    return str(html)


def write(path: str | Path, html: str) -> int:
    """Write a page; returns its bytes. Half a surrogate in a title must not cost the page."""
    content = html.encode("utf-8", "replace")
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def record(stage: str, key: str, size: int, lineage: Lineage, **figures) -> None:
    """The record of a stage that has made a page of `size` bytes."""
    unknown = lineage.unknown()
    write_record(
        stage,
        key,
        figures={"bytes": size, **figures, "figures without lineage": unknown},
        checks={
            "every figure has its lineage": (
                unknown == 0,
                f"{unknown} figures come from files that dvc.lock does not know",
            ),
            "under 8 MB": (size < MAX_BYTES, f"{size / 1e6:.1f} MB"),
        },
    )
