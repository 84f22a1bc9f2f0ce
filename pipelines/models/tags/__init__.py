"""Tag lists of published taggers: text files with one tag per line, in the order of the outputs; `#` starts a comment.

A list in this folder is used by its name; any other text file of this form can be used by its path.
"""

from pathlib import Path

FOLDER = Path(__file__).parent


def read(name: str) -> list[str]:
    """The tags of a list by name ("jamendo") or of a text file. Raises `ValueError` that says which lists there are."""
    here = FOLDER / f"{name}.txt"
    path = here if here.exists() else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.txt")))
        raise ValueError(
            f"no list of tags {name!r}: there is {known}, or give the path of a text file with one tag per line"
        )
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8") from error
    tags = [line for line in lines if line and not line.startswith("#")]
    if twice := sorted({tag for tag in tags if tags.count(tag) > 1}):
        raise ValueError(f"{path} contains {twice[0]!r} more than once")
    if not tags:
        raise ValueError(f"{path} contains no tags")
    return tags
