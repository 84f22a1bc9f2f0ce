"""Cards and pictures are made from what stages recorded, and no stage that computes loads what makes them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pipelines.report import cards, drawing

CONFIG = {
    "name": "short",
    "dataset": "scores",
    "width": 0.25,
    "reads": "log_mel",
    "chunk": 59049,
    "tags": ["style:reel", "style:polka"],
    "clips": {"train": 350, "validation": 82},
    "training": {"monitor": "loss", "leave_out": {"style": ["ryan"]}},
    "figures": {"parameters": 1234, "precision": "32-true", "recipe": "modern", "device": "CPU", "best epoch": 2},
}
HISTORY = [
    {"validation_loss": "0.7", "validation_roc_auc": "0.6"},
    {"validation_loss": "0.5", "validation_roc_auc": "0.8"},
]
PLOTS = [
    {"kind": "lines", "x_values": [1, 2], "curves": {"loss": [0.7, 0.5]}, "title": "t", "x": "epoch"},
    {"kind": "bars", "values": {"a": 0.2, "b": -0.1}, "title": "t"},
    {"kind": "matrix", "counts": [[3, 1], [0, 4]], "names": ["a", "b"], "title": "t"},
    {"kind": "tree", "linkage": [[0, 1, 0.5, 2], [2, 3, 0.9, 3]], "names": ["a", "b", "c"], "title": "t"},
]


@pytest.mark.parametrize(("monitor", "epoch", "said"), [("loss", 2, "cross-entropy"), ("roc_auc", 1, "macro ROC-AUC")])
def test_a_card_says_what_chose_the_checkpoint(monitor, epoch, said):
    config = CONFIG | {
        "training": CONFIG["training"] | {"monitor": monitor},
        "figures": CONFIG["figures"] | {"best epoch": epoch},
    }
    value = HISTORY[epoch - 1][{"loss": "validation_loss", "roc_auc": "validation_roc_auc"}[monitor]]
    card = cards.written("short", config, HISTORY)
    assert f"{said} on 82 validation clips chose the checkpoint ({float(value):.4f}, epoch {epoch})" in card
    assert "Trained on 350 clips" in card and "Left out of training: style ryan" in card and "1,234" in card


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot["kind"])
def test_every_kind_is_drawn_the_same_each_time(plot):
    picture = drawing.draw(plot)
    image = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
    assert np.asarray(image.convert("L")).std() > 5 and picture == drawing.draw(plot)
    assert {kind["kind"] for kind in PLOTS} == set(drawing.KINDS)
