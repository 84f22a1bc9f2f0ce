"""Entries of `views`, `combined` and of fusions in params.yaml: what is wrong is one sentence."""

import copy

import pytest
import yaml
from helpers import PROJECT

from pipelines.ops import settings

BASE = yaml.safe_load((PROJECT / "params.yaml").read_text())
RUN = {"task": "classification", "dataset": "scores", "from": "views", "reads": "said", "model": "knn", "seeds": 1}
LATE = {
    "task": "fusion",
    "dataset": "scores",
    "from": "answers",
    "reads": "classification",
    "model": "mean",
    "seeds": 1,
}


def entries(**changes):
    """params.yaml with a view, a combined table, a run of each, and their fusion; changes: section__name -> entry."""
    found = copy.deepcopy(BASE)
    found["tasks"]["fusion"] = {"n_bootstrap": 9, "seed": 1}
    found["views"]["said"] = {"dataset": "scores", "kind": "words", "path": "/words", "fingerprint": ""}
    both = {"dataset": "scores", "from": "features", "reads": "pooled", "with_from": "views", "with_reads": "said"}
    found["combined"]["both"] = both
    found["runs"]["by_words"] = {**RUN, "target": "style"}
    found["runs"]["early"] = {**RUN, "from": "combined", "reads": "both", "target": "style"}
    found["runs"]["late"] = {**LATE, "runs": ["by_words", "early"]}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        found[section][name] = found[section].get(name, {}) | value if isinstance(value, dict) else value
    return found


def test_they_are_valid():
    settings.check(entries(), PROJECT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views__said": {"kind": "word"}}, "views.said.kind in params.yaml is 'word'.*do you mean words"),
        ({"views__said": {"dataset": "score"}}, "views.said.dataset .*do you mean scores"),
        (
            {"views__songs": {"dataset": "scores", "kind": "notes", "path": "/midi"}},
            "views.songs.fingerprint .*is missing",
        ),
        ({"views__said": "words"}, "views.said in params.yaml is 'words', and must be a table"),
        ({"combined__both": {"with_reads": "sad"}}, "combined.both.with_reads .*do you mean said"),
        (
            {"combined__both": {"with_from": "sound"}},
            "combined.both.with_from .*features or embeddings or views or combined",
        ),
        (
            {"combined__both": {"with_from": "combined", "with_reads": "both"}},
            "combined.both.with_reads .*there is none",
        ),
        ({"runs__by_words": {"reads": "sad"}}, "runs.by_words.reads .*do you mean said"),
        ({"runs__late": {"reads": "fusion"}}, "runs.late.reads in params.yaml is 'fusion', which is not there"),
        ({"runs__late": {"runs": ["by_word", "early"]}}, "runs.late.runs .*do you mean by_words"),
        ({"runs__late": {"from": "features"}}, "runs.late.from .*must be answers"),
    ],
)
def test_what_is_wrong_is_named(changes, message):
    with pytest.raises(SystemExit, match=message):
        settings.check(entries(**changes), PROJECT)
