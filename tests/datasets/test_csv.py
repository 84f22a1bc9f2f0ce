"""A user's CSV: what is listed, in whatever encoding a program wrote it, and what is refused and in which words."""

from pathlib import Path

import pytest
import soundfile

from pipelines.datasets import folder, listing


def csv(root, text):
    path = root / "list.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_csv_with_splits_and_groups(songs, in_tmp):
    root, _ = songs
    names = sorted(str(path.relative_to(root)) for path in root.rglob("a*.wav"))
    quoted = [name.replace('"', '""') for name in names]
    text = "path,label,split,group\n" + f'"{quoted[0]}",x,train,band\n"{quoted[1]}",y,test,\n'
    path = csv(root, text)
    files = listing.scan(path).set_index("path")
    assert files.loc[names[0]].to_dict() | {"sha256": ""} == {
        "label": "x",
        "split": "train",
        "group": "band",
        "sha256": "",
        "problem": "",
    }
    assert files.loc[names[1], "group"] == names[1] and len(files.loc[names[1], "sha256"]) == 64
    Path("raw").mkdir()
    entry = {"path": str(path), "fingerprint": listing.fingerprint(listing.scan(path))}
    folder.build(Path("raw"), entry)
    clips = folder.clips(Path("raw"), entry)
    assert soundfile.info(clips["path"][0]).frames > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.wav,x\n", "must name the columns path,label"),
        ("path,label,mood\na.wav,x,sad\n", "must name the columns"),
        ("\n", "list.csv is empty: its first line must name the columns path,label"),
        ("", "list.csv is empty"),
        (",\na,b\n", "not 'nothing'"),
        ("path,label\n", "names no file: add one line"),
        ("file,class\na.wav,x\n", "not 'file,class': call file path, class label$"),
        ("Filename,Label,Artist\na.wav,x,b\n", "call filename path, artist group$"),
        ("path,label,mood,year\na.wav,x,sad,1\n", "not 'path,label,mood,year': take out mood, year$"),
        ("path,label,split\na.wav,x,Train\n", "line 2: split is 'Train'; it may be train, .*: write train$"),
        ("path,label,split\na.wav,x,val\n", "split is 'val'; .*: write validation$"),
        ("path,label,split\na.wav,x,valid\n", ": write validation$"),
        ("path,label,split\na.wav,x,testing\n", ": write test$"),
        ("path,label,split\na.wav,x,7\n", "it may be train, validation, test or empty$"),
        ('path,label\n"a.wav,x\nb.wav,y\n', "line 2: an opening quotation mark is not closed"),
        ('path,label\na.wav,x\n"b" 2.wav,y\n', "line 3: a quotation mark inside a name must be doubled"),
        ("path,label\n‘a.wav’,x\n", 'is in quotation marks that are not those of CSV; write " or none'),
        ("path,label\ra.wav,x\ra.wav,x\r", "line 3: a.wav is listed a second time$"),
        ("sep=;\npath;label\na.wav;\n", "line 3: path and label must both be given$"),
        ("sep=;\npath,label\na.wav,x\n", "must name the columns path,label"),
        ("path,label\na.wav,\n", "line 2: path and label must both be given"),
        ("path,label\na.wav,x,y,z\n", "line 2: more fields"),
        ("path,label,split\na.wav,x,dev\n", "split is 'dev'"),
        ("path,label\na.wav,x\na.wav,y\n", "line 3: a.wav is listed a second time$"),
        ("path,label\na.wav,x\n./a.wav,y\n", r"line 3: \./a.wav is listed a second time; line 2 calls it a.wav"),
        ("path,label\na.wav,x\n../{here}/a.wav,y\n", "a.wav is listed a second time; line 2 calls it a.wav"),
        ("path;label\na.wav;x\n", "separated by semicolons: export it again with commas"),
        ("path,label\na.wav;x\n", "its columns are separated by ';', and the first line's by commas"),
        ("path\tlabel\na.wav\tx\n", "separated by tabs"),
        ("path,label,label\na.wav,x,y\n", "names the column label twice"),
        ("path,label\nx\\a.wav,x\n", "written with backslashes; write / instead"),
        ("path,label,split\na.wav,x,train\nb.wav,x,\n", "b.wav has no split"),
        ("path,label\ngone.wav,x\n", "no usable audio"),
    ],
)
def test_csv_refusals_say_where(in_tmp, text, message):
    with pytest.raises(listing.SourceError, match=message):
        listing.scan(csv(in_tmp, text.replace("{here}", in_tmp.name)))


def test_spaces_around_the_columns_of_a_csv_mean_nothing(songs, in_tmp):
    root, _ = songs
    name = next(root.rglob("a*0.wav")).relative_to(root)
    quoted = str(name).replace('"', '""')
    files = listing.scan(csv(root, f',Path , label,\n0, "{quoted}", x y ,\n'))
    assert files[["path", "label", "problem"]].to_numpy().tolist() == [[str(name), "x y", ""]]


@pytest.mark.parametrize(
    ("encoding", "mark", "end"),
    [
        ("utf-16", ",", "\r\n"),
        ("utf-16-be", ";", "\n"),
        ("utf-8-sig", ";", "\r\n"),
        ("utf-8", "\t", "\r"),
        ("utf-8", ",", "\r"),
    ],
)
def test_csv_as_programs_write_it(in_tmp, chord, encoding, mark, end):
    """UTF-16 with a mark of its bytes' order, Excel's line for another separator, every kind of line end."""
    for name in ("ä.wav", "b, c; d.wav"):
        soundfile.write(in_tmp / name, chord(), 16_000)
    lines = [f"sep={mark}"] if mark != "," else []
    lines += [f"Path{mark}LABEL{mark}Split", f"ä.wav{mark}x{mark}train", f'"b, c; d.wav"{mark}"y ""z"""{mark}test', ""]
    bom = "\ufeff" if encoding == "utf-16-be" else ""
    (in_tmp / "list.csv").write_bytes((bom + end.join(lines)).encode(encoding))
    files = listing.scan(in_tmp / "list.csv")
    assert files[["path", "label", "split", "problem"]].to_numpy().tolist() == [
        ["b, c; d.wav", 'y "z"', "test", ""],
        ["ä.wav", "x", "train", ""],
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_csv_in_utf_16_without_a_mark(in_tmp, encoding):
    (in_tmp / "list.csv").write_bytes("path,label\na.wav,x\n".encode(encoding))
    with pytest.raises(
        listing.SourceError, match="is not in UTF-8 .each second byte is zero.: save it again as CSV UTF-8"
    ):
        listing.scan(in_tmp / "list.csv")
