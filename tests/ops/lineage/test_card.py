"""A model's card carries its data, licences, intended use, metrics with intervals, and lineage."""

import json
from pathlib import Path

import yaml

from pipelines.ops.lineage.revision import Revision


def test_the_card_of_a_model(project, call):
    status, _, errors = call("trace", "short", "--card", "card.md")
    assert status == 0, errors
    text = Path("card.md").read_text()
    assert text.startswith("# short\n\nA tagger.\n\n## Intended use\n") and "## Lineage" in text
    assert "- `one`: 6 clips" in text and "Licence: CC0" in text
    counts = ("1 clips: taggers are trained on it", "2 clips: taggers are chosen by it", "2 clips: a test clip")
    for words in (*counts, "1 clips: of a left-out class"):
        assert words in text
    for name in ("one", "two"):
        score = json.loads(Path("reports/clustering.json").read_text())[name]["style"]["short"]["accuracy"]
        assert f"| reports/clustering.json#{name}.style.short.accuracy | {score:.4f} | 0.0000 to 1.0000 | 6 |" in text
    revision = Revision()
    for path in ("models/tagging/short", "models/tagging/short/weights.json", "data/features/one/sum"):
        assert revision.hash(path) in text
    parameters = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert parameters["export"]["tolerance"] == 2e-05 and revision.commit in text


def test_the_card_at_an_older_revision_is_another(project, call):
    for rev in ("first", "second", "second"):
        call("trace", "short", "--rev", rev, "--card", f"{rev}.md")
    assert Path("first.md").read_text() != Path("second.md").read_text()
    assert "tolerance: 1.0e-05" in Path("first.md").read_text()


def test_only_models_have_cards(project, call):
    status, _, errors = call("trace", "data/clusters/one", "--card", "card.md")
    assert status == 2 and "is not a model" in errors and not Path("card.md").exists()


def test_scores_that_are_not_at_hand_are_not_said_to_be_none(project, call):
    Path("reports/clustering.json").write_text("{}")
    out = call("trace", "short", "--card", "-")[1]
    assert (
        "Left out: the figures of reports/clustering.json, because the file in dvc.lock is not available." in out
        and "No scores" not in out
    )
