"""The page of a family of tasks says what reports/scores.json says, and holds the family's own section where there is one."""

import json
import re
import shutil
import sys
from types import ModuleType

import pytest
import yaml

from pipelines import tasks
from pipelines.core import paths
from pipelines.core.files import read_json, write_json
from pipelines.report import front, metric_names, sections, state, task_page
from pipelines.stages import score as score_stage
from pipelines.stages import task_page as stage
from report.conftest import HOSTILE, read
from report.test_page import flowing, shown, texts


def score(value, ci95, **changed):
    record = {
        "value": value,
        "ci95": ci95,
        "n": 192,
        "n_groups": 96,
        "chance": 0.125,
        "baseline": 0.4,
        "unit": "share of clips",
    }
    return record | {"split": "test", "higher_is_better": True} | changed


RUNS = {
    "svm_pooled": {
        "accuracy": score(0.61, [0.55, 0.67]),
        "error_hz": score(-3.5, None, chance=None, baseline=None, unit="Hz"),
    },
    "short_probe": {"accuracy": score(0.42, [0.35, 0.49])},
    HOSTILE: {"accuracy": score(0.13, None)},
}
DIFFERENCES = [
    {"a": "svm_pooled", "b": "short_probe", "metric": "accuracy", "value": 0.19, "ci95": [0.1, 0.28], "n": 192},
    {"a": "svm_pooled", "b": HOSTILE, "metric": "accuracy", "value": 0.48, "ci95": [-0.02, 0.6], "n": 192},
]


def write_scores(runs=RUNS, differences=DIFFERENCES):
    write_json("reports/scores.json", {"notes": runs})
    write_json("reports/differences.json", {"notes": differences})


@pytest.fixture
def made(project):
    write_scores()
    stage.main("notes")
    return read((project / "reports/pages/task_notes.html").read_text(encoding="utf-8"))


def test_tables_equal_the_scores(made):
    head, *rows = made.table(table="runs", task="notes")
    assert texts(head) == ["run", "Accuracy", "chance", "baseline", "Error hz", "chance", "baseline"]
    assert texts(rows[0]) == ["svm_pooled", "0.610[0.550, 0.670]", "0.125", "0.400", "-3.500–", "–", "–"]
    assert texts(rows[1])[4:] == ["–"] * 3 and texts(rows[2])[:2] == [HOSTILE, "0.130–"]
    rows = made.table(table="differences", task="notes")[1:]
    assert texts(rows[0]) == ["svm_pooled − short_probe", "Accuracy", "+0.190", "[+0.100, +0.280]", "192"]
    assert "1 of 2 here" in flowing(made.text)
    assert "svm_pooled has the best accuracy of three runs, 0.610: better than the baseline (0.400)." in flowing(
        made.text
    )
    assert HOSTILE not in made.html


def order(task):
    return [[one["run"] for one in group["runs"]] for group in task_page.ranked(task)]


def say(run, fingerprint, dataset="made", lead="accuracy", **options):
    about = {"task": "notes", "dataset": dataset, "options": options, "fingerprint": fingerprint, "lead": lead}
    write_json(paths.scores(run) / "about.json", about)


def test_only_runs_that_are_scored_on_the_same_units_are_ranked(project):
    runs = {name: {"accuracy": score(value, None)} for name, value in zip("abcd", (0.3, 0.9, 0.5, 0.99), strict=True)}
    write_scores(runs, [])
    say("a", "1", target="family")
    say("b", "2", target="pitch_class")
    say("c", "1", target="family")
    say("d", "1", target="family")
    crossed = {"cross_tests": {"d": {"run": "a"}}}
    task = task_page.read("notes", crossed)
    assert order(task) == [["c", "a"], ["b"]]
    assert task_page.sentence(task) == (
        "c has the best accuracy of two runs on made (family), 0.500. "
        "b, the one run on made (pitch class), has an accuracy of 0.900. One cross test is not ranked."
    )
    say("b", "2", target="family")
    assert [group["what"] for group in task_page.ranked(task)] == ["made (family), 192 scored"] * 2
    only = {"cross_tests": {name: {"run": "e"} for name in runs}}
    assert task_page.sentence(task_page.read("notes", only)).startswith("Only cross tests")


def test_each_group_is_ranked_by_its_own_metric(project):
    """Of `bound` the leading metric is not defined; five groups are more than the page names."""
    runs = {"svm": {"accuracy": score(0.6, None)}, "bound": {"other": score(0.1, None)}}
    runs |= {f"loss_{n}": {"loss": score(n, None, higher_is_better=False)} for n in (2, 1)}
    runs |= {name: {"accuracy": score(0.5, None)} for name in ("x", "y", "z")}
    write_scores(runs, [])
    for name, units in {"svm": "1", "bound": "1", "x": "3", "y": "4", "z": "5"}.items():
        say(name, units)
    for n in (1, 2):
        say(f"loss_{n}", "1", lead="loss")
    task = task_page.read("notes")
    assert order(task) == [["loss_1", "loss_2"], ["svm"], ["x"], ["y"], ["z"]]
    assert "Two more groups of runs are scored on other data" in task_page.sentence(task)


def test_a_run_with_groups_on_both_sides_is_not_the_best(project):
    """svm_pooled has the best score, and its guard failed."""
    write_scores()
    for name, passed in (("svm_pooled", False), ("short_probe", True)):
        write_json(paths.scores(name) / "checks.json", {task_page.GROUPS: [passed, "said so"]})
    task = task_page.read("notes")
    assert order(task) == [["short_probe", HOSTILE]]
    assert task_page.sentence(task).startswith("short_probe has the best accuracy of two runs, 0.420")
    for name in task.scores:
        write_json(paths.scores(name) / "checks.json", {task_page.GROUPS: [False, "said so"]})
    assert task_page.ranked(task) == [] and "Every scored run has groups on both sides" in task_page.sentence(task)


def test_every_family_calls_the_guard_of_groups_by_one_name():
    name = task_page.GROUPS.removeprefix(f"{score_stage.GUARDS}: ")
    for path in tasks.FOLDER.glob("*/score/__init__.py"):
        if "\ndef checks(" in path.read_text(encoding="utf-8"):
            sources = [one.read_text(encoding="utf-8") for one in path.parent.glob("*.py")]
            assert any(f'"{name}": ' in source for source in sources), path


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (153, "if no pair differed, about eight of 153 would"),
        (20, "if no pair differed, about one of 20 would"),
        (6, "of pairs without a difference, about one in twenty appears"),
    ],
)
def test_what_many_pairs_find_by_chance(project, n, said):
    """A pair without an interval cannot appear significant."""
    pair = {"a": "svm_pooled", "b": "short_probe", "metric": "accuracy", "value": 0.1, "n": 9}
    write_scores(differences=[pair | {"ci95": [-0.1, 0.3]}] * n + [pair | {"ci95": None}])
    stage.main("notes")
    seen = read((project / "reports/pages/task_notes.html").read_text(encoding="utf-8"))
    assert f"not corrected for multiple comparisons: {said}" in flowing(seen.text)


def test_every_interval_is_drawn_on_an_axis_that_holds_it(made):
    figures = re.findall(r"<figure>.*?</figure>", made.html, re.DOTALL)
    assert len(figures) == 2
    accuracy, error = figures
    assert accuracy.count('class="dot tagger" style') == 3 and accuracy.count('class="span tagger"') == 2
    assert "left:61.00%" in accuracy and "left:55.00%;right:calc(100% - 67.00%)" in accuracy
    assert accuracy.count('class="ref" style="left:12.50%"') == accuracy.count('class="base" style="left:40.00%"') == 3
    assert 'class="ref" style' not in error and "-2" in error and "Hz" in error


def test_every_figure_has_a_mark(made):
    assert {mark["data-path"] for mark in made.marks} == {"reports/scores.json", "reports/differences.json"}
    bare = [block for block in made.blocks if {"figure", "table"} & set(block) and "mark" not in block]
    assert bare == [["summary", "table"]]  # the lineage table itself


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (score(0.45, [0.39, 0.5]), "0.450: not significantly different from the baseline (0.400)."),
        (score(0.45, [0.41, 0.5]), "0.450: better than the baseline (0.400)."),
        (score(0.3, [0.2, 0.35], higher_is_better=False), "0.300: not significantly different from chance (0.125)."),
        (score(0.05, [0.01, 0.1], higher_is_better=False), "0.050: better than chance (0.125)."),
        (score(0.45, None), "0.450."),
        (score(0.45, [0.4, 0.5], chance=None, baseline=None), "0.450."),
    ],
)
def test_the_verdict_rests_on_the_interval(project, record, said):
    write_scores({"one": {"loss": record}}, [])
    assert task_page.sentence(task_page.read("notes")) == f"one, the one run, has a loss of {said}"


def test_the_front_page_has_a_card_of_the_family(project):
    assert "task_notes.html" not in front.render(state.read())[0]
    settings = yaml.safe_load((project / "params.yaml").read_text()) | {"tasks": {"notes": {}, "empty": {}}}
    (project / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    write_scores()
    seen = read(front.render(state.read())[0])
    assert {"pages/task_notes.html", "pages/task_empty.html"} <= set(seen.addresses)
    assert "svm_pooled: accuracy 0.61, chance 0.12, baseline 0.40" in flowing(seen.text)


def test_before_the_first_run_the_page_says_so(project):
    write_json("data/scores/odd/about.json", {"task": "notes", "not_scored": f"two {HOSTILE}"})
    write_json("data/scores/other/about.json", {"task": "others", "not_scored": "of another family"})
    stage.main("notes")
    seen = read((project / "reports/pages/task_notes.html").read_text(encoding="utf-8"))
    assert "No run of this family has been scored yet." in seen.text
    assert f"odd has no scores: two {HOSTILE}." in flowing(seen.text) and "another family" not in seen.text


SECTION = """
from pathlib import Path

import numpy as np

from pipelines.report import players

TITLE, ORDER = "What notes are", 10


def render(context):
    if not context.task.scores:
        return None
    number = players.hear(context, "a tone", np.full(16_000, 99, np.int16), 16_000)
    return context.fill(Path(__file__).with_suffix(".html.j2"), n=len(context.task.scores), number=number)
"""
TEMPLATE = """{% from "macros.html.j2" import hear %}
<p>{{ n }} runs {{ hear(number, "a tone") }}</p>
"""


def test_a_familys_own_section_is_found_and_plays(project, monkeypatch, tmp_path):
    family = tmp_path / "kin" / "notes"
    family.mkdir(parents=True)
    (family / "section.html.j2").write_text(TEMPLATE)
    (family / "section.py").write_text(SECTION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(task_page, "FAMILIES", "kin")
    write_scores()
    seen = read(task_page.render(state.read(()), "notes")[0])
    assert '<p>3 runs <button class="hear" data-clip="0">a tone</button></p>' in seen.html
    assert '<a href="#section">What notes are</a>' in seen.html
    assert json.loads(seen.scripts["data"])[0]["clips"] == [{"title": "a tone", "href": "", "sound": 0}]
    assert len(seen.scripts["sound-0-0"]) > 1000
    assert task_page.section_of("others") is None
    write_scores({})
    assert "What notes are" not in task_page.render(state.read(()), "notes")[0]
    for name in [name for name in sys.modules if name.split(".")[0] == "kin"]:
        monkeypatch.delitem(sys.modules, name)


def test_sections_keep_their_order_and_leave_out_what_is_empty():
    modules = [ModuleType(f"a.{name}") for name in ("one", "two")]
    modules[0].render, modules[0].TITLE = lambda context: None, "One"
    modules[1].render, modules[1].TITLE = lambda context: "text", "Two"
    assert sections.render(modules, None) == [{"id": "two", "title": "Two", "html": "text"}]
    found = sections.found()
    assert [module.ORDER for module in found] == sorted({module.ORDER for module in found}), "no two have one place"
    assert all(module.TEMPLATE.exists() and module.TITLE for module in found)


@pytest.fixture
def tagging_page(project):
    stage.main("tagging")
    return read((project / "reports/pages/task_tagging.html").read_text(encoding="utf-8"))


def test_the_page_of_taggers_shows_each_score_once(tagging_page):
    scores = read_json("reports/scores.json")["tagging"]
    head, *rows = tagging_page.table(table="runs", task="tagging")
    assert texts(head) == ["run", "ROC-AUC", "chance", "baseline", "PR-AUC", "chance", "baseline"]
    for row in rows:
        record = scores[texts(row)[0]]["roc_auc"]
        assert texts(row)[1] == shown(record["value"]) + shown(record["ci95"])
    details = {name: read_json(f"data/scores/{name}/details.json")["per_tag"] for name in scores}
    rows = tagging_page.table(table="per-tag")[1:]
    assert {texts(row)[0] for row in rows} == set(details["short"])
    for row in rows:
        tag, support, *values = texts(row)
        found = [details[name][tag] for name in ("short", "sample")]
        keys = ("roc_auc", "pr_auc")
        assert values == [f"{shown(one[key])} {shown(one[f'{key}_ci95'])}" for one in found for key in keys]
        assert support == str(details["short"][tag]["support"])
    # of the charts and tables of all tags, one has the macro scores as a table, and one as a chart
    assert tagging_page.text.count(shown(scores["short"]["roc_auc"]["value"])) == 3, "chart, table and verdict"
    assert texts(tagging_page.table(table="trained")[1]) == [
        "short",
        "log_mel",
        "1,234",
        "0.25",
        "3",
        "2",
        "0.710",
        "32-true",
    ]
    assert {"data/scores/short", "reports/scores.json"} <= {mark["data-path"] for mark in tagging_page.marks}


@pytest.mark.parametrize("gone", ["models", "data/records", "dvc.lock"])
def test_a_page_of_taggers_without_it(project, gone):
    place = project / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    seen = read(task_page.render(state.read(()), "tagging")[0])
    assert "ROC-AUC of each tag" in seen.text and "undefined" not in seen.text.lower()


def test_metrics_have_the_names_of_the_literature():
    titles = {"macro_f1": "Macro F1", "roc_auc": "ROC-AUC", "top_3_accuracy": "Top-3 accuracy", "map": "mAP"}
    titles |= {"macro_f1_drop": "Macro F1 drop", "roc_auc_other_piece": "ROC-AUC other piece", "mapped": "Mapped"}
    assert {key: metric_names.title(key) for key in titles} == titles
    assert (
        metric_names.title("balanced_accuracy") == "Balanced accuracy" and metric_names.name("macro_f1") == "macro F1"
    )
