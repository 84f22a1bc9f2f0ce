"""Train a tagger with Lightning: random chunks, AdamW on a one-cycle schedule, best validation ROC-AUC, resumable."""

import csv
import logging
import math
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from pipelines.evaluation.tagging import macro_scores
from pipelines.store.files import atomic, read_json, write_json
from pipelines.training.chunks import Clips
from pipelines.training.inference import features, predict

VALIDATION_CHUNKS = 4  # evenly spaced chunks averaged a clip; the test uses all
# what Lightning says on every run and a user can do nothing about
for message in (
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    "Checkpoint directory .*",
    ".*LeafSpec.*",
    ".*lr_scheduler.step.*",
):
    warnings.filterwarnings("ignore", message)

log = logging.getLogger("train")


class RandomChunks(Dataset):
    """A random chunk of the item's clip, drawn from (seed, epoch, item), so that a resumed run sees the same."""

    def __init__(self, clips: Clips, clip_ids: list[str], tags: np.ndarray, seed: int):
        self.clips, self.clip_ids, self.tags, self.seed = clips, clip_ids, tags, seed

    def __getitem__(self, place: tuple[int, int]):
        epoch, item = place
        row = item % len(self.clip_ids)
        clip_id = self.clip_ids[row]
        start = self.clips.random_start(clip_id, np.random.default_rng((self.seed, epoch, item)))
        return torch.from_numpy(self.clips.crop(clip_id, start)), torch.from_numpy(self.tags[row])


class EpochBatches(Sampler):
    """Batches of (epoch, item) in an order drawn from (seed, epoch); the last, smaller batch is left out.

    The epoch is counted from the optimiser's steps: Lightning asks for a resumed run's first batch before it has restored
    its own count of epochs.
    """

    def __init__(self, n_items: int, batch_size: int, seed: int, steps_done: Callable[[], int]):
        self.n_items, self.batch_size, self.seed, self.steps_done = n_items, min(batch_size, n_items), seed, steps_done

    def __len__(self) -> int:
        return self.n_items // self.batch_size

    def __iter__(self):
        epoch = self.steps_done() // len(self)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.n_items)
        for first in range(0, len(self) * self.batch_size, self.batch_size):
            yield [(epoch, int(item)) for item in order[first : first + self.batch_size]]


class Tagging(lightning.LightningModule):
    """The training of one tagger; `data` holds clips, ids and tag matrices of train and validation."""

    def __init__(self, name: str, tagger: nn.Module, data: dict, settings: dict, history: Path):
        super().__init__()
        self.name, self.tagger, self.data, self.settings, self.history = name, tagger, data, settings, history
        n_items = len(data["train_ids"]) * settings["chunks_per_clip"]
        self.batches = EpochBatches(n_items, settings["batch_size"], settings["seed"], lambda: self.trainer.global_step)
        self.losses: list[float] = []
        self.scores: dict[str, float] = {}

    def train_dataloader(self) -> DataLoader:
        data = self.data
        chunks = RandomChunks(data["clips"], data["train_ids"], data["train_tags"], self.settings["seed"])
        return DataLoader(chunks, batch_sampler=self.batches)

    def on_train_epoch_start(self) -> None:
        self.losses.clear()
        self.began = time.monotonic()

    def training_step(self, batch, _):
        chunks, tags = batch
        # dropout draws from the global generator: seeded by step, so that a resumed run draws the same
        torch.manual_seed(self.settings["seed"] * 1_000_003 + self.global_step)
        logits, _ = self.tagger.classify(features(self.tagger, chunks))
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), tags)
        self.losses.append(loss.detach().item())
        return loss

    def on_train_epoch_end(self) -> None:
        context = self.trainer.precision_plugin.forward_context
        probabilities, _ = predict(
            self.tagger, self.data["clips"], self.data["validation_ids"], at_most=VALIDATION_CHUNKS, context=context
        )
        scores = macro_scores(self.data["validation_tags"], probabilities)
        self.scores = {
            "loss": float(np.mean(self.losses)),
            "validation_roc_auc": scores["roc_auc"],
            "validation_pr_auc": scores["pr_auc"],
        }
        self.log_dict(self.scores)
        self._tell()

    def _tell(self) -> None:
        """A line an epoch, and a row of history.csv; a resumed run writes over what came after its checkpoint."""
        epoch, epochs, took = self.current_epoch + 1, self.trainer.max_epochs, time.monotonic() - self.began
        log.info(
            "%s: epoch %d/%d, loss %.4f, validation ROC-AUC %.4f, %.1f s, at most %.0f s left",
            self.name,
            epoch,
            epochs,
            self.scores["loss"],
            self.scores["validation_roc_auc"],
            took,
            took * (epochs - epoch),
        )
        rows = [row for row in read_history(self.history) if int(row["epoch"]) < epoch]
        rows.append({"epoch": epoch, **{key: f"{value:.6f}" for key, value in self.scores.items()}})
        write_history(self.history, rows)

    def configure_optimizers(self):
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.tagger.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"]
        )
        steps = len(self.batches) * settings["epochs"]
        # up over the first tenth, then a cosine to zero
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min((step + 1) / max(1, steps // 10), 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(name: str, tagger: nn.Module, data: dict, settings: dict, checkpoints: Path) -> dict:
    """Train `tagger` in place and leave the best weights in it; returns figures.

    data: "clips" (`Clips`), and for train and validation "<split>_ids" (clip ids) and "<split>_tags" `(clips, tags)`.
    settings: epochs, batch_size, learning_rate, weight_decay, chunks_per_clip, patience, precision, seed.
    checkpoints: a folder outside DVC's outputs; a run killed there goes on from its last whole epoch, with the same
    result as an uninterrupted one.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    checkpoints.mkdir(parents=True, exist_ok=True)
    options = {"enable_version_counter": False, "save_on_train_epoch_end": True}
    best = ModelCheckpoint(checkpoints, "best", monitor="validation_roc_auc", mode="max", **options)
    latest = ModelCheckpoint(checkpoints, "last", **options)  # save_last would save only when the best does
    last, done = checkpoints / "last.ckpt", checkpoints / "done.json"
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="auto",
        precision=precision(settings["precision"]),
        callbacks=[
            EarlyStopping(
                "validation_roc_auc", mode="max", patience=settings["patience"], check_on_train_epoch_end=True
            ),
            best,
            latest,
        ],
        deterministic=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        default_root_dir=checkpoints,
    )
    if last.exists():
        log.info("%s: going on from %s", name, last)
    module = Tagging(name, tagger, data, settings, checkpoints / "history.csv")
    if not done.exists():  # a run killed after its last epoch, before its stage had ended, is not trained further
        trainer.fit(module, ckpt_path=last if last.exists() else None, weights_only=True)
        write_json(done, {"best": float(best.best_model_score)})
    state = torch.load(checkpoints / "best.ckpt", map_location="cpu", weights_only=True)
    module.load_state_dict(state["state_dict"])
    tagger.float().cpu().eval()
    history = read_history(checkpoints / "history.csv")
    return {
        "epochs": len(history),
        "best epoch": state["epoch"] + 1,
        "validation ROC-AUC": round(read_json(done)["best"], 6),
        "precision": str(trainer.precision),
        "parameters": sum(tensor.numel() for tensor in tagger.parameters()),
    }


def precision(wanted: str) -> str:
    """Lightning's name for `wanted`: "auto" is bf16 where the hardware computes in it, else float32."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if torch.ops.mkldnn._is_mkldnn_bf16_supported() and _avx512_bf16() else "32-true"


def _avx512_bf16() -> bool:
    """oneDNN also emulates bf16 on CPUs without the instructions, which is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def read_history(path: str | os.PathLike) -> list[dict]:
    if not Path(path).exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_history(path: str | os.PathLike, rows: list[dict]) -> None:
    with atomic(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
