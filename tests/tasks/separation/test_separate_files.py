"""`conservatory separate`: stems as long as the file that add up to it, and what is refused."""

import tracemalloc

import band_stems
import numpy as np
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from pipelines import separating, tasks
from pipelines.audio import decode
from pipelines.cli import app
from pipelines.core import paths
from pipelines.core.files import write_json
from pipelines.tasks.separation import fit
from pipelines.tasks.separation.fit import network

RUN = {"task": "separation", "dataset": "bands", "from": "raw", "reads": "stems", "model": "mask_lstm", "seeds": 1}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with fitted runs, one of which reads notes, their params.yaml and a file of 5.3 s at another rate than theirs."""
    folder = tmp_path_factory.mktemp("separate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        band_stems.write()
        band_stems.write_lines()
        runs = [band_stems.run(steps=4), band_stems.run("lines", "score_templates", steps=1)]
        for run in runs:
            fit.fit(run, 2026, run.trainings[0][1])
            write_json(paths.fitted(run.name) / "config.json", tasks.identity(run))
        settings = {
            "runs": {run.name: RUN | {"dataset": run.dataset, "model": run.model} | run.options for run in runs},
            "tasks": {"separation": runs[0].shared},
            "datasets": {},
            "training": {},
        }
        (folder / "params.yaml").write_text(yaml.safe_dump(settings))
        patch.setattr(separating.params, "read", lambda: settings)
        rng = np.random.default_rng(0)
        (folder / "in/other").mkdir(parents=True)
        soundfile.write(folder / "in/song.wav", rng.normal(0, 0.1, round(5.3 * 8000)), 8000, "FLOAT")
        soundfile.write(folder / "in/other/song.flac", rng.normal(0, 0.1, 8000), 4000)
        soundfile.write(folder / "in/stereo.wav", rng.normal(0, 0.1, (9000, 2)), 4000, "FLOAT")
        (folder / "in/broken.wav").write_bytes(b"RIFF no sound")
        band_stems.midi_file("notes.mid", ["Two", "One"])
        yield folder


def separate(*arguments, run="bands_lstm"):
    return CliRunner().invoke(app, ["separate", *map(str, arguments), "--run", run])


def test_stems_are_as_long_as_the_file_and_add_up_to_it(project):
    done = separate("in/song.wav", "-o", "out")
    assert done.exit_code == 0, done.output
    stems = {path.stem: soundfile.read(path, dtype="float32") for path in sorted((project / "out/song").iterdir())}
    assert set(stems) == {"low", "high"} and {rate for _, rate in stems.values()} == {4000}
    mixture = np.concatenate(list(decode.blocks("in/song.wav", 4000))).astype(np.float32) / 32768
    assert {len(sound) for sound, _ in stems.values()} == {len(mixture)} == {round(5.3 * 4000)}
    np.testing.assert_allclose(sum(sound for sound, _ in stems.values()), mixture, atol=1e-4)
    whole = network.load(paths.fitted("bands_lstm") / "2026").separate(mixture)
    np.testing.assert_allclose([stems["high"][0], stems["low"][0]], whole, atol=1e-4)


def test_nothing_is_overwritten_without_force(project):
    separate("in/song.wav", "-o", "kept")
    target = project / "kept/song/low.wav"
    target.write_text("mine")
    again = separate("in/song.wav", "-o", "kept")
    assert again.exit_code == 1 and "--force overwrites it" in again.output and target.read_text() == "mine"
    assert separate("in/song.wav", "-o", "kept", "--force").exit_code == 0 and target.stat().st_size > 1000


def test_a_bad_file_or_a_shared_name_stops_no_other(project):
    soundfile.write("in/good.wav", np.full(5000, 0.1), 4000)
    done = separate("in/broken.wav", "in/good.wav", "in/song.wav", "in/other/song.flac", "in/nowhere.wav", "-o", "some")
    assert done.exit_code == 1 and sorted(path.name for path in (project / "some").iterdir()) == ["good"]
    assert (
        "another file is called song too" in done.output
        and "broken.wav" in done.output
        and "nowhere.wav" in done.output
    )
    assert not list(project.rglob("*.tmp"))


def test_stems_that_no_wav_file_holds_are_refused(project, monkeypatch):
    monkeypatch.setattr(separating, "MOST_BYTES", 80_000)
    done = separate("in/song.wav", "in/other/song.flac", "in/stereo.wav", "-o", "large")
    assert done.exit_code == 1 and sorted(path.name for path in (project / "large").iterdir()) == ["stereo"]
    done = separate("in/song.wav", "-o", "large")
    assert "its stems would be larger than a WAV file can be" in " ".join(done.output.split())


def test_a_run_that_is_not_there_is_refused(project):
    assert "no run 'other' of separation" in separate("in/song.wav", "-o", "x", run="other").output
    assert "that is a file" in separate("in/song.wav", "-o", "params.yaml").output


def test_stereo_stems_add_up_on_each_side(project):
    assert separate("in/stereo.wav", "-o", "two", "--channels", 2).exit_code == 0
    low, high = (soundfile.read(f"two/stereo/{name}.wav")[0] for name in ("low", "high"))
    np.testing.assert_allclose(low + high, soundfile.read("in/stereo.wav")[0], atol=1e-4)
    # of a file with one side silent, so are the stems
    soundfile.write("in/left.wav", np.random.default_rng(1).normal(0, 0.1, (3000, 2)) * [1, 0], 4000, "FLOAT")
    assert separate("in/left.wav", "-o", "two", "--channels", 2).exit_code == 0
    assert not soundfile.read("two/left/low.wav")[0][:, 1].any()


def test_notes_of_a_file_are_its_stems(project):
    def found(midi, output):
        done = separate("in/other/song.flac", "-o", output, "--notes", midi, run="lines_templates")
        assert done.exit_code == 0, done.output
        return [soundfile.read(f"{output}/song/{name}.wav")[0] for name in ("one", "two")]

    band_stems.midi_file("exchanged.mid", ["One", "Two"])
    one, two = found("notes.mid", "noted")
    other_two, other_one = found("exchanged.mid", "noted2")
    np.testing.assert_allclose([one, two], [other_one, other_two], atol=1e-6)
    assert np.abs(one - two).max() > 0.01


def test_notes_that_are_missing_or_not_read_are_refused(project):
    def said(*arguments, run="lines_templates"):
        done = separate("in/song.wav", "-o", "x", *arguments, run=run)
        assert done.exit_code == 2 and not (project / "x").exists()
        return " ".join(done.output.split())

    assert "reads the notes of each stem: name their MIDI file with --notes" in said()
    assert "the model of this run reads no notes" in said("--notes", "notes.mid", run="bands_lstm")
    assert "these are the notes of one file" in said("in/stereo.wav", "--notes", "notes.mid")
    assert "--notes nowhere.mid" in said("--notes", "nowhere.mid")
    assert "--notes params.yaml" in said("--notes", "params.yaml")
    band_stems.midi_file("piano.mid", ["One", "Piano"])
    assert "track 2 is called 'piano', which is no stem" in said("--notes", "piano.mid")


def test_memory_does_not_depend_on_the_length(project):
    separator = network.load(paths.fitted("bands_lstm") / "2026")
    peaks = []
    for n in (20, 80):
        tracemalloc.start()
        for _ in separator.stream(np.zeros((1, 2000), np.float32) for _ in range(n)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
