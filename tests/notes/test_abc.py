"""ABC tunes: what each sign means, written by hand; random tunes against abc2midi (inside symusic); and what is refused."""

import re

import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.notes.abc import fields, tunes
from pipelines.notes.abc.read import read
from pipelines.notes.tables import Unreadable

HEAD = "X:1\nT:x\nM:4/4\nL:1/8\nK:C\n"


def placed(music: str, head: str = HEAD) -> list[tuple]:
    """(onset, duration, pitch) in quarters, rounded to thousandths."""
    notes = read(f"{head}{music}\n").notes
    return [(round(a, 3), round(b, 3), c) for a, b, c in notes[["onset", "duration", "pitch"]].tolist()]


def line(*notes: tuple) -> list[tuple]:
    """Notes (duration, pitch) one after another; pitch 0 is a rest."""
    found, now = [], 0.0
    for duration, pitch in notes:
        found += [(round(now, 3), round(duration, 3), pitch)] if pitch else []
        now += duration
    return found


@pytest.mark.parametrize(
    ("music", "notes"),
    {
        "C c, c' =B": [(0.5, 60), (0.5, 60), (0.5, 84), (0.5, 71)],
        "A2 A/ A// A3/2 A/4": [(1, 69), (0.25, 69), (0.125, 69), (0.75, 69), (0.125, 69)],
        "^C C c|C": [(0.5, 61), (0.5, 61), (0.5, 73), (0.5, 60)],  # in all octaves, to the bar line
        "^^F __B": [(0.5, 67), (0.5, 69)],
        "A>B A<B A>>B": [(0.75, 69), (0.25, 71), (0.25, 69), (0.75, 71), (0.875, 69), (0.125, 71)],
        "A2>B c3/2>d": [(1.5, 69), (0.25, 71), (1.125, 72), (0.25, 74)],  # of unequal length too
        "(3ABc (2AB (5ABcde": [
            *[(1 / 3, pitch) for pitch in (69, 71, 72)],
            *[(0.75, pitch) for pitch in (69, 71)],
            *[(0.2, pitch) for pitch in (69, 71, 72, 74, 76)],
        ],
        "(3:2:2A2B c": [(2 / 3, 69), (1 / 3, 71), (0.5, 72)],
        "C-|C2 z C": [(1.5, 60), (0.5, 0), (0.5, 60)],
        "B3 -B3 A": [(3, 71), (0.5, 69)],  # the tie stands before the note it leads to
        "^c-|c c": [(1, 73), (0.5, 72)],  # the accidental is held with the note
        "C|-C": [(1, 60)],
        "C-D": [(0.5, 60), (0.5, 62)],
        "Z2|A": [(8, 0), (0.5, 69)],
        '{ga}A "Am"B !trill!c ~d Te .f (gf)': [(0.5, p) for p in (69, 71, 72, 74, 76, 77, 79, 77)],
        "A\\\nB % a comment": [(0.5, 69), (0.5, 71)],
        "w: words\nA\nN: more": [(0.5, 69)],
        "[L:1/4] A [K:D] f": [(1, 69), (1, 78)],
        "A:|B:|": [(0.5, p) for p in (69, 69, 71, 71)],  # the second goes back to the first, not to the start
        "|:A::B:|c": [(0.5, p) for p in (69, 69, 71, 71, 72)],
        "A|1 B:|2 c||d": [(0.5, p) for p in (69, 71, 69, 72, 74)],
        "A|[1 B:|[2 c||d|[1 e:|[2 f|]": [(0.5, p) for p in (69, 71, 69, 72, 74, 76, 74, 77)],
        "A [1 B:|[2 c|]": [(0.5, p) for p in (69, 71, 69, 72)],
        "P:A\nA||\nP:B\nB:|": [(0.5, p) for p in (69, 71, 71)],  # a repeat does not reach into the part before
    }.items(),
)
def test_written_by_hand(music, notes):
    assert placed(music) == line(*notes)


def test_chords_layers_and_voices():
    assert placed("[CE]2 [C-E-][CE]") == [(0, 1, 60), (0, 1, 64), (1, 1, 60), (1, 1, 64)]
    assert placed("[CE2]") == [(0, 0.5, 60), (0, 1, 64)], "the first note is the length of the chord"
    assert placed("C4 & E2 G2|A") == [(0, 2, 60), (0, 1, 64), (1, 1, 67), (2, 0.5, 69)]
    piece = read("X:1\nL:1/4\nV:S\nV:B clef=bass octave=-1\nK:C\nV:S\nc d|e\nV:B\nC2|[V:S]f|g\nV:B\nC|C\n")
    assert piece.notes[["track", "pitch"]].tolist()[:3] == [(0, 72), (1, 48), (0, 74)] and piece.n_tracks == 2


@pytest.mark.parametrize(
    ("said", "pitches"),
    [
        ("K:C\nV:1 transpose=-12\nc|\nV:1 transpose=-12\nd|", [60, 62]),
        ("V:1 transpose=-12\nK:C\nV:1 transpose=-12\nc|\nV:1 transpose=-12\nd|", [60, 62]),
        ("V:1 transpose=-12\nK:C\nV:1\nc|[V:1]d|\nV:1 transpose=2\ne|", [60, 62, 78]),
        ("V:1 transpose=-12\nK:C octave=1 transpose=2\nc|", [72]),  # of each property the voice's own word counts
        ("V:1 clef=treble-8\nK:C\nV:1 clef=treble-8\nc|\nV:1 octave=-1\nd|\nV:1 clef=bass\ne|", [60, 50, 64]),
        ('V:1 name="treble-8 transpose=5"\nK:C\nc|', [72]),
        ("K:C\nc|\nK:D transpose=-12\nf|\nK:C\nf|[K:C transpose=0]f|", [72, 66, 65, 77]),
        ("K:D\nf|[K:transpose=-12]f|[K:clef=treble+8]f|", [78, 66, 78]),  # without a key the key stays
    ],
)
def test_a_transposition_holds_until_another_is_stated(said, pitches):
    """ABC 2.1, section 4.6: `transpose=` is what is played above what is written, and no step from what held before."""
    assert read(f"X:1\nL:1/4\n{said}\n").notes["pitch"].tolist() == pitches


def test_a_key_inside_a_tune_moves_its_own_voice():
    piece = read("X:1\nL:1/4\nV:A\nV:B\nK:C\nV:A\nc|\nK:C transpose=-12\nc|\nV:B\nc|c|\n")
    assert sorted(piece.notes[["track", "pitch"]].tolist()) == [(0, 60), (0, 72), (1, 72), (1, 72)]


def test_a_hornpipe_is_as_written():
    """abc2midi swings hornpipes: .667 and .333."""
    assert placed("AB", HEAD.replace("K:C", "R:hornpipe\nK:C")) == line((0.5, 69), (0.5, 71))


THE_DUKE = """X:58
T:Grand Old Duke of York
{order}M:4/4
L:1/4
K:D
P:A
f/e/|dAFA|d3/d/dd|ceee|e3/A/B/c/d/e/|f3/f/fa|gfed|cAd/c/B/c/|d2-d:|
P:B
d/c/|BBcd|e3/e/dc|BBcd|ef/e/dc|BBcd|ef/e/de/d/|cd/c/Bc/B/|AAB||
"""


def test_the_grand_old_duke_of_york():
    """Nottingham, reelsd-g.abc, 58: a reader that ignores `P:AABA` plays A A B (108 notes), abc2midi plays each A of the order
    with its repeat, A A A A B A A (248 notes).

    The order means 143. Part A has 35 notes and eight bars, B has 38 and eight. A dance of 32 bars is AABA; A A B has 24 and ends
    on the dominant that leads back into A, and A A A A B A A has 56. `AA` is what the repeat sign of A stands for, as in the
    collection's other tunes: where the order is AAB, A alone has the sign in 30 of 41 tunes.
    """
    played = read(THE_DUKE.format(order="P:AABA\n"))
    assert len(played.notes) == 3 * 35 + 38 == 143 and played.length == 32 * 4
    assert len(read(THE_DUKE.format(order="")).notes) == 108
    assert len(read(THE_DUKE.format(order="P:ABA\n")).notes) == 4 * 35 + 38, "without a pair, parts have their repeats"
    theirs = symusic.Score.from_abc(THE_DUKE.format(order="P:AABA\n"))
    assert sum(len(track.notes) for track in theirs.tracks) == 248


@pytest.mark.parametrize(
    ("order", "letters"),
    [
        ("AABA", "AABA"),
        ("A2.B", "AAB"),
        ("(AB)2C", "ABABC"),
        ("A(B(CD)2)2", "ABCDCDBCDCD"),
        ("", ""),
        ("A C % x", "AC"),
    ],
)
def test_orders_of_parts(order, letters):
    assert fields.parts(order) == letters


def test_parts_of_an_order_take_their_endings():
    music = "P:A\nA|[1 B:|[2 c||\nP:B\nd||"
    assert [pitch for *_, pitch in placed(music, HEAD.replace("K:C", "P:AABA\nK:C"))] == [69, 71, 69, 72, 74, 69, 72]
    assert [pitch for *_, pitch in placed(music, HEAD.replace("K:C", "P:AZ\nK:C"))] == [69, 71, 69, 72, 74], "no part Z"


@pytest.mark.parametrize(
    ("value", "fifths", "mode"),
    [
        ("C", 0, "major"), ("Am", 0, "minor"), ("D dorian", 0, "minor"), ("Gmix", 0, "major"), ("F#m", 3, "minor"),
        ("Bb clef=bass", -2, "major"), ("E Phr", 0, "minor"), ("Ebmaj", -3, "major"), ("G treble", 1, "major"),
        ("none", 0, ""), ("", 0, ""), ("HP", 0, ""), ("D exp _b", 0, ""),
    ],
)  # fmt: skip
def test_keys(value, fifths, mode):
    assert fields.key(value)[1:] == (fifths, mode)


def test_maps_of_a_tune():
    piece = read('X:1\nM:6/8\nQ:"fast" 3/8=60\nK:G\n|:GAB cde|[M:3/4][K:Em]e2 e2 e2:|[Q:1/4=120]B4|\n')
    assert piece.metres[["onset", "numerator", "denominator"]].tolist() == [(0, 6, 8), (3, 3, 4), (6, 6, 8), (9, 3, 4)]
    assert piece.keys[["onset", "fifths", "mode"]].tolist() == [
        (0, 1, "major"), (3, 1, "minor"), (6, 1, "major"), (9, 1, "minor"),
    ]  # fmt: skip
    assert piece.tempos[["onset", "onset_s", "quarter_us"]].tolist() == [(0, 0, 666_667), (12, 12 * 0.666667, 500_000)]
    assert piece.length == 14 and piece.length_s == pytest.approx(8 + 1, abs=1e-5)
    assert read("X:1\nM:3/4\nK:C\nC\n").division == 2 and read("X:1\nM:2/4\nK:C\nC\n").division == 4, "L: by the metre"


def test_a_book_of_tunes():
    book = "%abc\nL:1/4\n\nX:1\nT:one\nK:C\nC\n\nfree text\n\nX: 2 % two\nT:h\xe9\nT:other\nK:C\nD\n"
    for content in (book.encode("latin-1"), book.encode(), book.replace("\n", "\r\n").encode("utf-8-sig")):
        found = tunes.tunes(content)
        assert [tune[:2] for tune in found] == [("1", "one"), ("2", "hé")]
        assert [read(tune.text).notes["duration"].tolist() for tune in found] == [[1], [1]], "L: of the file"
    for content, reason in (
        (b"words", "no tune"),
        (b"X:1\n" * 20_001, "20,001 tunes"),
        (b"L:1/4\n" * 2000 + b"X:1\n", "12,000 char"),
    ):
        with pytest.raises(Unreadable, match=reason):
            tunes.tunes(content)


@pytest.mark.parametrize(
    ("text", "reason"),
    {
        "X:1\n": "no key",
        "X:1\nK:C\n": "without notes",
        "X:1\nK:C\nz4|\n": "no notes",
        "X:1\nK:H\nC": "no key, such as",
        "X:1\nK:C#mix\nX:\nC" + "'" * 20: "beyond what MIDI numbers",
        "X:1\nM:9999/8\nK:C\nC": "no metre",
        "X:1\nM:4/5\nK:C\nC": "no metre",
        "X:1\nL:1/0\nK:C\nC": "no length",
        "X:1\nQ:0\nK:C\nC": "no tempo",
        "X:1\nK:C\nC/0": "divided by 0",
        "X:1\nK:G#lyd\nC": "sharps or flats",
        "X:1\nP:((A999)999)999\nK:C\nP:A\nC": "more than 1000 parts",
        "X:1\nL:9999/1\nK:C\n" + "C9999" * 99: "at most 200,000",
        "X:1\nK:C\nV:1\nC|C|\nV:2\nC|\n": "voices have 2 and 1 bars",
        "X:1\nK:C\n(3CCC(7CCCCCCC(5CCCCC(9CCCCCCCCCC/128C////////C/127C/121": "ticks a quarter",
        "X:1\nK:C\n" + "".join(f"V:{n}\nC|\n" for n in range(99)): "more than 64 voices",
        "X:1\nK:C\n" + "C|[1,2-999 C:|" * 999: "20,000 bars",
        "X:1\nK:C\n" + "Z999|" * 999: "20,000 bars",
        "X:1\nK:C\n" + "C" * 100_000: "100,008 characters",
    }.items(),
)
def test_what_is_refused(text, reason):
    with pytest.raises(Unreadable, match=reason):
        read(text)


@given(st.text(alphabet="ABcdz23/|:[]()-<>^_=,'&\n \"{}!+PKLMVQ1", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        piece = read(HEAD + text)
    except Unreadable:
        return
    assert (piece.notes["duration"] > 0).all() and piece.length >= (
        piece.notes["onset"] + piece.notes["duration"]
    ).max() - 1e-6


LENGTHS = st.sampled_from(["", "2", "3", "/", "3/2", "4"])
ONE = st.builds("{}{}{}{}".format, st.sampled_from(["", "", "", "^", "_", "="]), st.sampled_from("CDEFGABcdefgab"),
                st.sampled_from(["", "", ",", "'"]), LENGTHS)  # fmt: skip
PAIR = st.builds("{}{}{}".format, st.sampled_from("CDEFG"), st.sampled_from(["<", ">", ">>"]), st.sampled_from("ABcde"))
GROUP = st.one_of(
    ONE, ONE, PAIR, st.builds("(3{}{}{}".format, *[st.sampled_from("CDEFGABcde")] * 3), st.builds("z{}".format, LENGTHS)
)
BAR = st.lists(GROUP, min_size=1, max_size=6).map(" ".join)
STRAIN = st.builds(
    lambda bars, sign, last: f"{'|'.join(bars)}{last if sign else '||'}", st.lists(BAR, min_size=1, max_size=3), st.booleans(),
    st.sampled_from([":|", "|[1 C:|[2 D||"]),
)  # fmt: skip
TUNE = st.builds(
    lambda key, metre, strains: f"X:1\nM:{metre}\nL:1/8\nK:{key}\n" + "\n".join(f"|:{strain}" for strain in strains),
    st.sampled_from(["C", "D", "Am", "Bb", "Edor", "Amix"]), st.sampled_from(["4/4", "6/8", "C|"]),
    st.lists(STRAIN, min_size=1, max_size=3),
)  # fmt: skip


@given(TUNE)
@settings(max_examples=60, deadline=None)
def test_random_tunes_are_what_abc2midi_plays(text):
    """abc2midi begins all notes at 1/480 of a quarter and rounds to ticks; a strain that opens with |: ends with a repeat."""
    text = re.sub(r"\|:((?:(?!\|:).)*)\|\|", lambda m: m[0] if ":|" in m[1] else m[0].replace("|:", "", 1), text)
    score = symusic.Score.from_abc(text + "\n")
    theirs = [(note.time / score.ticks_per_quarter, note.pitch) for track in score.tracks for note in track.notes]
    try:
        ours = read(text).notes[["onset", "pitch"]].tolist()
    except Unreadable:
        assert not theirs
        return
    assert [pitch for _, pitch in ours] == [pitch for _, pitch in theirs]
    assert all(abs(one - other) < 0.02 for (one, _), (other, _) in zip(ours, theirs, strict=True))
