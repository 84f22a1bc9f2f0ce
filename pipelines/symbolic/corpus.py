"""The scores inside the installed `music21`: list the pieces, and read a piece's notes and bars as arrays.

A *piece* is the result of one parse: a chorale, a mass movement, a quartet movement (or a file with a whole quartet), a
tune. Its *work* is the whole composition: the mass, the quartet. Listing the pieces parses nothing. MusicXML and
Humdrum are read by this package as music21 reads them, ABC is read by music21.

Of 493 tunes without ornaments or slurs 421 have the same notes at the same times as abc2midi (inside symusic) gives
them. Most others differ in a note or two: music21 drops ABC's notes under a fermata (`HB2`), and forgets a natural
later in its bar.
"""

import functools
import gc
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.symbolic import humdrum, musicxml
from pipelines.symbolic.music21_score import from_score, tune_bars
from pipelines.symbolic.score import Music, Unsupported, as_played

BIBTEX = """@inproceedings{cuthbert2010music21,
  author = {Cuthbert, Michael Scott and Ariza, Christopher},
  title = {music21: A Toolkit for Computer-Aided Musicology and Symbolic Music Data},
  booktitle = {Proceedings of the 11th International Society for Music Information Retrieval Conference},
  pages = {637--642},
  year = {2010}
}"""

# MusicXML files of these styles say "major" whatever the mode, because the notation program wrote so (48 of 49
# Monteverdi madrigals, 41 of them with a minor Krumhansl-Schmuckler key); Humdrum key signatures say none
STATED_MODE = ("chorale", "quartet", "oneill", "aird", "ryan")

# hymns and tunes are sung or played again from the top; longer music is not
STROPHIC = ("chorale", "oneill", "aird", "ryan")

# what these cannot read, music21 reads
READERS = {".mxl": musicxml.read, ".xml": musicxml.read, ".krn": humdrum.read}

STYLES = ("chorale", "palestrina", "madrigal", "trecento", "quartet", "oneill", "aird", "ryan")

MAX_BYTES = 32_000_000  # of a score, unpacked; the largest here has 4 million
# metres in ABC, Humdrum and MusicXML, and numbered endings
TOO_LARGE = re.compile(
    rb"""(?m)^\s*M:[^%\n]*\d{4} | \[M:[^\]]*\d{4} | \*M\d*/?\d{4} | <beats>[^<]*\d{4} | <beat-type>[^<]*\d{4}
    | <ending\b[^>]*\bnumber\s*=\s*["'][^"']*\d{4} | [|\[][\d,-]*\d{4}""",
    re.VERBOSE,
)
# a note or rest of an ABC tune, in a line of music, chord names aside
CHORD_NAME = re.compile(rb'"[^"\n]*"')
TOO_LONG = re.compile(rb"(?m)^(?![A-Za-z]:)[^%\n]*?[A-Ga-gxyzZ][,']*\d{4}")


@dataclass(frozen=True)
class Piece:
    """Where a piece is and what it belongs to; small enough to hand to a worker process."""

    style: str
    work: str  # "palestrina/Missa Papae Marcelli"
    title: str
    path: str  # below music21's corpus folder
    number: int = -1  # ABC reference number in a book of tunes; -1: the whole file


@functools.cache
def folder() -> Path:
    """music21's corpus folder. Raises `FileNotFoundError` where music21 was installed without it."""
    import music21  # seconds to import: only where a score is needed

    path = Path(music21.__file__).parent / "corpus"
    if not (path / "bach").is_dir():
        raise FileNotFoundError(f"{path}: this copy of music21 has no corpus; reinstall it with pip install music21")
    return path


def catalogue(style: str) -> list[Piece]:
    """The pieces of a style, in a fixed order; only file names and headers are read."""
    return _LISTS[style]()


def _chorales() -> list[Piece]:
    from music21.corpus.chorales import ChoraleListRKBWV

    titles = {str(entry["bwv"]): entry["title"] for entry in ChoraleListRKBWV().byRiemenschneider.values()}
    pieces = []
    for path in _files("bach", "bwv*.mxl", "bwv*.xml"):
        number = path.stem.removeprefix("bwv")
        if number == "846":  # the one file that is no chorale: a prelude and fugue
            continue
        # "bwv112.5-sc" is another edition of "bwv112.5"
        work = re.sub(r"-(sc|lpz|lz|w|inst|a|s|c|\d)$", "", number)
        name = titles.get(number, titles.get(work, ""))
        title = f"J. S. Bach, chorale BWV {number}" + (f", {name}" if name else "")
        pieces.append(Piece("chorale", f"chorale/bwv{work}", title, _relative(path)))
    return pieces


def _masses() -> list[Piece]:
    pieces = []
    for path in _files("palestrina", "*.krn"):
        header = _humdrum_header(path)
        mass, movement = header.get("OPR", path.stem), header.get("OTL", path.stem)
        pieces.append(Piece("palestrina", f"palestrina/{mass}", f"Palestrina, {mass}, {movement}", _relative(path)))
    return pieces


def _madrigals() -> list[Piece]:
    pieces = []
    for path in _files("monteverdi", "madrigal.*.mxl"):
        if path.stem.endswith("_old"):
            continue
        _, book, number = path.stem.split(".")
        title = f"Monteverdi, madrigals, book {book}, no. {number}"
        pieces.append(Piece("madrigal", f"madrigal/{book}.{number}", title, _relative(path)))
    return pieces


def _trecento() -> list[Piece]:
    pieces = {}
    for path in _files("trecento", "*.xml", "*.mxl"):
        if not path.stem.endswith("_bak"):
            title = re.sub(r"[_\s]+", " ", path.stem.replace("-", " "))
            pieces[path.stem] = Piece("trecento", f"trecento/{path.stem}", f"Trecento, {title}", _relative(path))
    return list(pieces.values())


def _quartets() -> list[Piece]:
    pieces = []
    for composer in ("haydn", "mozart", "beethoven"):
        for path in _files(composer, "*.mxl", "*/*.mxl"):
            work = path.stem if path.parent.name == composer else path.parent.name
            if work == "k545":  # a piano sonata
                continue
            movement = path.stem.removeprefix("movement") if path.parent.name == work else "complete"
            opus = re.sub(r"opus(\d+)(?:no(\d+))?", lambda m: f"op. {m[1]}" + (f" no. {m[2]}" if m[2] else ""), work)
            opus = re.sub(r"^k(\d+)$", r"K. \1", opus)
            title = f"{composer.title()}, string quartet {opus}, " + (
                movement if movement == "complete" else f"movement {movement}"
            )
            pieces.append(Piece("quartet", f"quartet/{composer} {work}", title, _relative(path)))
    return pieces


def _tunes(style: str, name: str, book: str) -> list[Piece]:
    pieces = {}
    for path in _files(name, "*.abc"):
        text = path.read_text(encoding="utf-8", errors="replace")
        heads = re.findall(r"^\s*X:\s*(\d+)[^\n]*\n(?:[^T][^\n]*\n)*?\s*T:\s*([^\n]*)", text, flags=re.MULTILINE)
        for number, tune in heads:
            tune, number = tune.strip(), int(number)
            if name == "ryansMammoth":  # a tune a file, each numbered 1
                work, title = f"{style}/{path.stem}", f"{book}: {tune}"
            else:
                work, title = f"{style}/{number}", f"{book}, no. {number}: {tune}"
            # a number given twice in a file: music21 reads the first
            pieces.setdefault((path, number), Piece(style, work, title, _relative(path), number))
    return list(pieces.values())


_LISTS = {
    "chorale": _chorales,
    "palestrina": _masses,
    "madrigal": _madrigals,
    "trecento": _trecento,
    "quartet": _quartets,
    "oneill": lambda: _tunes("oneill", "oneills1850", "O'Neill's Music of Ireland"),
    "aird": lambda: _tunes("aird", "airdsAirs", "Aird's Airs"),
    "ryan": lambda: _tunes("ryan", "ryansMammoth", "Ryan's Mammoth Collection"),
}


def _files(name: str, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in (folder() / name).glob(pattern))


def _relative(path: Path) -> str:
    return path.relative_to(folder()).as_posix()


def _humdrum_header(path: Path) -> dict[str, str]:
    """Reference records (`!!!OPR: ...`) before the first data line."""
    header = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("!!!"):
                break
            name, _, value = line[3:].partition(":")
            header[name] = value.strip()
    return header


def read(piece: Piece) -> Music:
    """Parse a piece. Raises `ValueError` with the reason where what it holds cannot be read or played."""
    collecting = gc.isenabled()
    gc.disable()  # a third of the time goes to looking for garbage among music21's many live objects
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # music21 on odd but harmless notation
            check(folder() / piece.path)
            return _read(piece, mode_stated=piece.style in STATED_MODE)
    except ValueError:
        raise
    except Exception as error:  # music21 has no error of its own for most of what may be wrong with a file
        raise ValueError(f"music21 cannot read {piece.path} ({type(error).__name__}: {error!s:.100})") from error
    finally:
        if collecting:
            gc.enable()


def check(path: Path) -> None:
    """Raise `ValueError` for a score that would fill the memory: one that unpacks to too much, or with a metre, an ending or, in
    ABC, a length whose number music21 counts up to."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"{path.name} unpacks to more than {MAX_BYTES:,} bytes")
            texts = [archive.read(info) for info in archive.infolist()]
    else:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.name} has more than {MAX_BYTES:,} bytes")
        texts = [path.read_bytes()]
    for text in texts:
        found = TOO_LARGE.search(text)
        if not found and path.suffix == ".abc":
            found = TOO_LONG.search(CHORD_NAME.sub(b"", text))
        if found:
            raise ValueError(f"{path.name} has an impossible number: {found[0].decode(errors='replace').strip()!r:.60}")


def _read(piece: Piece, mode_stated: bool) -> Music:
    path = folder() / piece.path
    if piece.number >= 0:
        return as_played(tune_bars(_tune(path, piece.number)), mode_stated)
    if reader := READERS.get(path.suffix):
        try:
            parts = reader(path)
        except (Unsupported, ValueError, ArithmeticError, AttributeError, LookupError, TypeError):
            pass  # music21 has a rule for it, or says what is wrong with the file
        else:
            return as_played(parts, mode_stated)
    from music21 import converter

    return from_score(converter.parse(path, forceSource=True, storePickle=False), mode_stated)


def _tune(path: Path, number: int) -> str:
    from music21 import abcFormat

    text = path.read_text(encoding="utf-8", errors="replace")
    return abcFormat.ABCFile.extractReferenceNumber(text, number)
