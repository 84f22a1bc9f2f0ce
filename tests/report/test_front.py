"""The front page: the verdict in one sentence, the answers, what is wrong, and every accuracy in one table."""

import pytest

from pipelines.core.files import write_json
from pipelines.report import headline
from report.test_ood import write_ood
from report.test_page import flowing, shown, texts
from report.test_study import write_study


def test_failed_checks_stand_on_the_first_screen(project, render):
    def first_screen():
        text = flowing(render("front").text)
        return text[: text.index("looks for groups without knowing the classes")]

    assert "1 check failed: raw@mine, every clip accounted for (of mine). All checks" in first_screen()
    checks = {f"check {n}": {"passed": False, "detail": f"no. {n}"} for n in range(5)}
    write_json("data/records/raw/mine.json", {"figures": {}, "checks": checks})
    found = first_screen()
    assert "5 checks failed: raw@mine, check 0 (no. 0); " in found and "; and 2 more. All checks" in found
    write_json("data/records/raw/mine.json", {"figures": {}, "checks": {}})
    assert "failed" not in first_screen()


def test_the_front_page_has_the_verdict_and_the_answers(project, render):
    parts = write_study()
    found = render("front")
    text = flowing(found.text)
    assert text.count("Two trained taggers sort the clips of scores by") == 1
    probe = parts["probes"]["linear"]
    best = max(("short", "sample"), key=lambda name: probe[name]["accuracy"])
    style = text[text.index("scores style") : text.index("scores voices")]
    assert f"linear probe {best} {probe[best]['accuracy']:.2f}" in style
    assert f"linear probe pooled_pca, no network {probe['pooled_pca']['accuracy']:.2f}" in style
    rows = {tuple(texts(row)[:3]): texts(row) for row in found.table(table="accuracies")[1:]}
    assert len(rows) == 9, "three embeddings, three targets"
    row = rows["sample", "scores", "style (4)"]
    assert row[7:9] == [shown(probe["sample"]["accuracy"]), shown(probe["sample"]["accuracy_ci95"])]
    assert rows["sample", "mine", "label (3)"][7:] == ["–"] * 3, "that study was not made"


def finding(dataset, target, verdict):
    return {"dataset": dataset, "target": target, "verdict": verdict}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([], ""),
        (
            [finding("a", "x", "")],
            "No tagger was trained, so there is nothing to compare with plain statistics of the sound.",
        ),
        (
            [finding("a", "x", "level"), finding("a", "y_z", "level")],
            "Two trained taggers sort the clips of a by x and y z no better than plain statistics of the sound do.",
        ),
        (
            [finding("a", "x", "better"), finding("a", "y", "chance"), finding("b", "label", "unknown")],
            "Two trained taggers sort the clips of a by x better than plain statistics of the sound do and by y no "
            "better than chance; the clips of b by label to an unknown extent (too few works).",
        ),
    ],
)
def test_the_verdict_is_one_sentence(found, sentence):
    assert headline.verdict_sentence(found, 2) == sentence


def test_own_music_is_placed_beside_the_training_music(project, render):
    found = write_ood()["targets"]["style"]
    text = flowing(render("front").text)
    auroc = {name: found[name]["all"]["detection"]["knn"]["auroc"] for name in ("short", "sample")}
    how = "unlike" if max(auroc.values()) >= 0.9 else "in part like" if max(auroc.values()) >= 0.65 else "like"
    assert f"mine is {how} the music that the taggers were trained on" in text
    assert (
        f"in {100 * auroc['short']:.0f} of 100 pairs by short, {100 * auroc['sample']:.0f} of 100 pairs by sample"
        in text
    )
