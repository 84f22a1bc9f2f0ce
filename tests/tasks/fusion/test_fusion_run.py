"""Sound and words of a user's own files, fused early and late in a copied project: from folders to the page."""

import json

import pytest
from helpers import copy_project, run_in
from test_end_to_end import CLI, DUMMY_DATASET, edit

pytestmark = pytest.mark.system
RUN = {
    **{"task": "classification", "dataset": "two_notes", "model": "knn", "seeds": 1, "target": "note"},
    "parameters": {"n_neighbors": 1, "weights": "uniform"},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project after `conservatory run late early`: 12 notes, of which one has no words; a minute on purpose."""
    folder = copy_project(tmp_path_factory.mktemp("fusion") / "project")
    notes = DUMMY_DATASET.replace('"split": "all"', '"split": ["train", "test", "validation"] * 4')
    (folder / "pipelines/datasets/two_notes.py").write_text(notes)
    (words := folder / "words").mkdir()
    for number in range(12):
        if number != 1:
            (words / f"{number}.txt").write_text("basso profondo" if number % 2 else "flautino")

    def change(document):
        document["datasets"]["two_notes"] = {"module": "two_notes", "imports": "pipelines/core"}
        view = {"dataset": "two_notes", "kind": "words", "path": str(words), "fingerprint": ""}
        document["views"]["said"] = view
        both = {
            "dataset": "two_notes",
            "from": "features",
            "reads": "pooled",
            "with_from": "views",
            "with_reads": "said",
        }
        document["combined"]["both"] = both
        document["tasks"] |= {name: {"n_bootstrap": 50, "seed": 2026} for name in ("classification", "fusion")}
        document["runs"] |= {
            "by_sound": {**RUN, "from": "features", "reads": "pooled"},
            "by_words": {**RUN, "from": "views", "reads": "said"},
            "early": {**RUN, "from": "combined", "reads": "both"},
            "late": {
                **{"task": "fusion", "dataset": "two_notes", "from": "answers", "reads": "classification"},
                **{"model": "mean", "seeds": 1, "runs": ["by_sound", "by_words"]},
            },
        }

    edit(folder, change)
    run_in(folder, *CLI, "run", "late", "early")
    return folder


def test_every_run_is_scored_on_the_clips_that_it_has(project):
    found = json.loads((project / "reports/scores.json").read_text())
    n = {name: one["macro_f1"]["n"] for family in found.values() for name, one in family.items() if "macro_f1" in one}
    assert n == {"by_sound": 4, "by_words": 3, "early": 4, "late": 4}
    assert found["fusion"]["late"]["macro_f1"]["value"] == 1.0, "880 Hz and 110 Hz differ, and so do the words"


def test_records_say_what_is_missing(project):
    checks = {
        name: json.loads((project / f"data/records/{name}.json").read_text())["checks"]
        for name in ("view/said", "combine/both", "score/late")
    }
    assert "1 of 12 clips have none" in checks["view/said"]["every clip has one"]["detail"]
    assert checks["combine/both"]["every clip has both"]["detail"] == "1 of 12 clips have no said"
    assert "by_words has no answer to 1 of 4" in checks["score/late"]["guards: every run answers every clip"]["detail"]


def test_the_page_compares_each_run_with_the_fusion(project):
    page = (project / "reports/pages/task_fusion.html").read_text()
    assert "Each run alone, and together" in page and "by_<wbr>words" in page


def test_other_words_make_the_view_and_what_reads_it_again(project):
    (project / "words/1.txt").write_text("basso")
    done = run_in(project, *CLI, "run", "late")
    assert "view@said" in done.stdout + done.stderr
    record = json.loads((project / "data/records/view/said.json").read_text())
    assert record["figures"]["missing"] == 0
