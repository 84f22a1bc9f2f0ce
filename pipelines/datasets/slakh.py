"""Slakh2100: 2,100 MIDI files of Lakh rendered with sampled instruments, each stem alone (Manilow et al. 2019).

Layout: folders `Track00001` to `Track02100`, at any depth, each with `metadata.yaml`, `stems/S00.flac`, ... and
`MIDI/S00.mid`, ..., mono, 44.1 kHz. A clip is the sum of the stems. `all_src.mid` and `mix.flac` are not read.

`variant`: `redux` (default), the archive of all tracks, or `baby`, its first 20 tracks at 16 kHz as WAV.
`split`: `redux` (default) uses only the first of the tracks that have one MIDI file (1,289, 270 and 151); `original` uses all, by
their numbers (1,500, 375 and 225). Or shares with a `seed`: `baby` needs them, because its tracks are all of the training side.

**Duplicates**: the metadata name the MIDI file in Lakh by its MD5. Of 308 files there are several tracks; 146 of these are on two
sides of the original split, and 57 of its 225 test tracks have their file in train (github.com/ethman/slakh-utils, splits).
The stage hashes the notes of each track too (`sources/same_notes.py`), which finds the same music in another file. Tracks with
the same file or the same notes are one group. The record counts both.

Stems are instrument classes (`inst_class`: bass, drums, chromatic_percussion, ...), whose files are added. `stems: [bass, drums,
guitar, piano]` names those to keep; the others are added up as `other`.

Events: `instrument` and `stem` (the class; the stem) while a note is held, `program` (General MIDI, 0 to 127; drums), and
each `note` with its stem, its value the MIDI note number. Notes are as pretty_midi reads them. `targets` names those to write
(default: all four); the stage `manifest` needs about 0.4 GB of memory for a million events.

`problems`: `keep` (default), or `leave_out`, without the 22 stems known to be faulty (`PROBLEMS`). `limit`: the greatest number
of tracks a side; the first are used. `sample_rate`: of the clips (default: the published one). `gain_db`: of all stems, in dB,
for sums that clip. `lengths: pad`: shorter stems of a track are followed by silence. A stem that is silent throughout is left out
of its clip with its events, and counted.

`local`: a folder of tracks; without it, `redux` downloads 104 GB and `baby` 0.9 GB. Stems are copied as 16-bit samples: a stem of
four minutes takes 21 MB at 44.1 kHz, 8 MB at 16 kHz.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipelines.core import events as time_events
from pipelines.core import stem_files
from pipelines.core.manifest import join_groups
from pipelines.core.tables import column, read_table, write_table
from pipelines.datasets.sources import published, same_notes, slakh_tracks, stem_sets
from pipelines.datasets.sources.published import DatasetError, Remote
from pipelines.harness import executor
from pipelines.harness.progress import progress

BIBTEX = """@inproceedings{manilow2019cutting,
  author = {Manilow, Ethan and Wichern, Gordon and Seetharaman, Prem and {Le Roux}, Jonathan},
  title = {Cutting Music Source Separation Some {Slakh}: A Dataset to Study the Impact of Training Data Quality and Quantity},
  booktitle = {Proceedings of the IEEE Workshop on Applications of Signal Processing to Audio and Acoustics},
  year = {2019}
}"""
LICENSE_INFO = "Slakh2100: CC BY 4.0 (zenodo.org/record/4599666)"

# checksums as Zenodo and mirdata have them
ARCHIVES = {
    "redux": Remote(
        "slakh2100_flac_redux.tar.gz",
        ("https://zenodo.org/record/4599666/files/slakh2100_flac_redux.tar.gz?download=1",),
        ("md5:f4b71b6c45ac9b506f59788456b3f0c4",),
    ),
    "baby": Remote(
        "babyslakh_16k.tar.gz",
        ("https://zenodo.org/record/4603870/files/babyslakh_16k.tar.gz?download=1",),
        ("md5:311096dc2bde7d61c97e930edbfc7f78",),
    ),
}
RATES = {"redux": 44_100, "baby": 16_000}
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the dataset."
LAST = {"train": 1500, "validation": 1875, "test": 2100}
"""Side of the original split -> the number of its last track."""
PROBLEMS = {
    "Track00262": {"S01": "short labels"}, "Track00357": {"S03": "white noise"}, "Track00377": {"S07": "white noise"},
    "Track00385": {"S00": "white noise"}, "Track00398": {"S00": "white noise"}, "Track00400": {"S00": "white noise"},
    "Track00404": {"S03": "long labels"}, "Track00496": {"S01": "wrong pitch"}, "Track00629": {"S01": "white noise"},
    "Track00633": {"S01": "white noise"}, "Track00737": {"S01": "long labels"}, "Track00749": {"S01": "white noise"},
    "Track00893": {"S01": "long labels"}, "Track01629": {"S00": "white noise"}, "Track01876": {"S01": "missing audio"},
    "Track01908": {"S05": "missing audio"}, "Track01918": {"S10": "wrong pitch"}, "Track01929": {"S04": "wrong octave"},
    "Track01931": {"S01": "wrong pitch"}, "Track01937": {"S03": "wrong pitch"}, "Track01993": {"S01": "missing audio"},
    "Track02024": {"S13": "missing audio"},
}  # fmt: skip
"""Track -> stem -> what is wrong with it (github.com/ethman/slakh-utils, issue 17, by H. Grønbech)."""
EVENTS = pa.schema(
    [
        column("path", pa.string(), "the clip"),
        *(field for field in time_events.EVENTS if field.name != "clip_id"),
    ]
)
TARGETS = ("instrument", "stem", "program", "note")
OPTIONS = ("limit", "problems", "seed", "split", "stems", "targets", "variant", *stem_sets.OPTIONS)


@dataclass
class _Clip:
    """A track on its way to a clip. stems: stem of the clip -> published stems."""

    track: slakh_tracks.Track
    side: str
    notes: pd.DataFrame
    problem: str
    group: str = ""
    stems: dict[str, list[slakh_tracks.Stem]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"audio/{self.track.name}.flac"


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the tracks, read their notes, and write their stems and sums. Writes audio/, stems/, events.parquet and
    clips.parquet."""
    published.check_keys(entry, OPTIONS)
    variant = published.option(entry, "variant", "redux", RATES)
    problems = published.option(entry, "problems", "keep", ("keep", "leave_out"))
    entry = stem_sets.checked(entry, RATES[variant])
    targets = entry.get("targets", list(TARGETS))
    if unknown := sorted(set(targets) - set(TARGETS)):
        raise DatasetError(f"targets: {unknown[0]} in params.yaml; there is {', '.join(TARGETS)}")
    folder = entry.get("local") or published.fetch_archive([ARCHIVES[variant]], "slakh", OTHERWISE)
    everything = [
        slakh_tracks.read(each) for each in progress(slakh_tracks.find(folder), "read metadata", unit="track")
    ]
    chosen, left_out = _choose(everything, entry, variant)
    n_known = sum(stem.name in PROBLEMS.get(track.name, {}) for track in chosen for stem in track.stems)
    if problems == "leave_out":
        left_out["stems with a known problem"] = n_known
        chosen = [_without_problems(track) for track in chosen]
    found = progress(
        executor.run(slakh_tracks.notes, chosen, sound_s=30 * len(chosen)), "read MIDI", len(chosen), "track"
    )
    clips = [
        _Clip(track, side_of(track.name), read.table, track.problem or read.problem)
        for track, read in zip(chosen, found, strict=True)
    ]
    hashes = [same_notes.note_hash(*_of_hash(clip.notes)) for clip in clips]
    files = [clip.track.midi or clip.track.name for clip in clips]
    # a track without notes is alone with its own name
    keys = [content or clip.track.name for content, clip in zip(hashes, clips, strict=True)]
    groups = join_groups(keys, files)
    sides = stem_sets.divide(groups, entry) if isinstance(entry.get("split"), dict) else [clip.side for clip in clips]
    _set_stems(clips, entry.get("stems"))
    for clip, group, side in zip(clips, groups, sides, strict=True):
        clip.group, clip.side = group, side
    rows = [_row(clip) for clip in clips]
    tracks = {clip.path: stem_sets.track(raw_dir, entry, clip.path, _files(clip)) for clip in clips if not clip.problem}
    written, figures = stem_sets.write(rows, tracks, raw_dir)
    beyond = _write_events(clips, written, targets, raw_dir)
    return published.save(
        rows,
        raw_dir,
        left_out,
        **figures,
        **{
            "stems with a known problem": n_known,
            "notes that begin after the sound's end": beyond,
            "by MIDI file, original split, all tracks": same_notes.audit(
                [track.midi for track in everything], [side_of(track.name) for track in everything]
            ),
            "by notes, tracks and split used": same_notes.audit(hashes, sides),
        },
    )


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def events(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """Targets `instrument`, `stem`, `program`, and `note`, whose value is the MIDI note number."""
    return read_table(raw_dir / "events.parquet", EVENTS)


def side_of(name: str) -> str:
    """The side of a track in the original split."""
    return next((side for side, last in LAST.items() if int(name.removeprefix("Track")) <= last), "test")


def first_of_each(tracks: list[slakh_tracks.Track]) -> list[slakh_tracks.Track]:
    """The tracks of Slakh2100-redux: the first of those with one MIDI file. Tracks whose metadata cannot be read are kept."""
    seen: set[str] = set()
    kept = []
    for track in tracks:
        if track.problem or track.midi not in seen:
            kept.append(track)
        seen.add(track.midi)
    return kept


def _choose(tracks: list[slakh_tracks.Track], entry: dict, variant: str) -> tuple[list[slakh_tracks.Track], Counter]:
    """The tracks that are used, and how many are not."""
    split, limit = entry.get("split", "redux"), entry.get("limit", 0)
    if not isinstance(split, dict):
        published.option(entry, "split", "redux", ("redux", "original"))
        if variant == "baby":
            stem_sets.divide([], entry)  # says that shares are needed
    if not isinstance(limit, int) or limit < 0:
        raise DatasetError(f"limit: {limit} in params.yaml; a whole number of tracks is needed, 0 for all")
    kept = first_of_each(tracks) if split == "redux" else tracks
    left_out = Counter({"tracks with the MIDI file of an earlier one": len(tracks) - len(kept)})
    used, n_of = [], Counter()
    for track in kept:
        n_of[side_of(track.name)] += 1
        if not limit or n_of[side_of(track.name)] <= limit:
            used.append(track)
    left_out["tracks above the limit"] = len(kept) - len(used)
    return used, left_out


def _without_problems(track: slakh_tracks.Track) -> slakh_tracks.Track:
    bad = PROBLEMS.get(track.name, {})
    stems = tuple(stem for stem in track.stems if stem.name not in bad)
    return slakh_tracks.Track(track.name, track.midi, stems, track.problem)


def _of_hash(notes: pd.DataFrame) -> tuple:
    drums = (notes["program"] == "drums").to_numpy()
    return notes["pitch"].to_numpy(), notes["onset_s"].to_numpy(), drums


def _set_stems(clips: list[_Clip], wanted: list[str] | None) -> None:
    """Group the published stems of each clip by class; those of classes that are not `wanted` are `other`."""
    there = {stem.instrument for clip in clips for stem in clip.track.stems}
    if unknown := sorted(set(wanted or ()) - there):
        raise DatasetError(f"stems: {unknown[0]} in params.yaml; the tracks have {', '.join(sorted(there))}")
    for clip in clips:
        for stem in clip.track.stems:
            name = stem.instrument if not wanted or stem.instrument in wanted else "other"
            clip.stems.setdefault(name, []).append(stem)


def _files(clip: _Clip) -> tuple[tuple[str, tuple[Path, ...]], ...]:
    return tuple((name, tuple(stem.sound for stem in clip.stems[name])) for name in sorted(clip.stems))


def _row(clip: _Clip) -> dict:
    held = (clip.notes["offset_s"] - clip.notes["onset_s"]).groupby(clip.notes["instrument"]).sum().sort_index()
    return published.row(
        clip.path,
        title=clip.track.name,
        tags=[f"family:{name}" for name in held.index],
        split=clip.side,
        group=clip.group,
        source=f"Slakh2100, {clip.track.name}, Lakh {clip.track.midi or 'unknown'}",
        licence=LICENSE_INFO,
        target_instrument_class=held.idxmax() if len(held) else None,
        problem=clip.problem,
    )


def _write_events(clips: list[_Clip], written: dict[str, stem_files.Written], targets: list[str], raw_dir: Path) -> int:
    """Write events.parquet; returns how many notes begin after their clip's end. Stems that are silent have no events."""
    tables, beyond = [EVENTS.empty_table().to_pandas()], 0
    for clip in clips:
        rows = written[clip.path].rows if clip.path in written else ()
        if not rows:
            continue
        audible = {stem.name: row["stem"] for row in rows for stem in clip.stems[row["stem"]]}
        notes = clip.notes[clip.notes["stem"].isin(audible)]
        length_s = rows[0]["n_samples"] / rows[0]["sample_rate"]
        inside = notes["onset_s"] < length_s
        beyond += int((~inside).sum())
        notes = notes[inside].assign(path=clip.path, offset_s=notes["offset_s"].clip(upper=length_s))
        labels = {"instrument": notes["instrument"], "program": notes["program"], "stem": notes["stem"].map(audible)}
        for target in [name for name in labels if name in targets]:
            tables.append(time_events.activity(notes.assign(label=labels[target]), target))
        if "note" in targets:
            each = notes.assign(target="note", label=labels["stem"], value=notes["pitch"])
            tables.append(each[[*time_events.GIVEN, "value"]])
    table = pd.concat(tables, ignore_index=True).astype({"value": float})
    write_table(table[EVENTS.names], raw_dir / "events.parquet", EVENTS)
    return beyond
