"""Train a tagger with Lightning: random chunks, AdamW on a one-cycle schedule, best validation ROC-AUC, resumable."""

import csv
import logging
import math
import os
import time
import warnings
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, Dataset

from pipelines.evaluation.tagging import macro_scores
from pipelines.store.files import atomic, read_json, write_json
from pipelines.training.chunks import Clips
from pipelines.training.inference import predict

VALIDATION_CHUNKS = 4  # evenly spaced chunks averaged a clip; the test uses all
# what Lightning says on every run and a user can do nothing about
for message in (".*does not have many workers.*", ".*GPU available but not used.*", ".*LeafSpec.*", ".*lr_scheduler.step.*"):
    warnings.filterwarnings("ignore", message)

log = logging.getLogger("train")


class RandomChunks(Dataset):
    """`chunks_per_clip` random chunks a clip; drawn from (seed, epoch, item), so that a resumed run sees the same."""

    def __init__(self, clips: Clips, clip_ids: list[str], tags: np.ndarray, chunks_per_clip: int, seed: int, epoch: int):
        self.clips, self.clip_ids, self.tags = clips, clip_ids, tags
        self.chunks_per_clip, self.seed, self.epoch = chunks_per_clip, seed, epoch

    def __len__(self) -> int:
        return len(self.clip_ids) * self.chunks_per_clip

    def __getitem__(self, item: int):
        generator = np.random.default_rng((self.seed, self.epoch, item))
        row = item % len(self.clip_ids)
        clip_id = self.clip_ids[row]
        chunk = self.clips.crop(clip_id, self.clips.random_start(clip_id, generator))
        return torch.from_numpy(chunk), torch.from_numpy(self.tags[row])


class Tagging(lightning.LightningModule):
    """The training of one tagger; `data` holds clips, ids and tag matrices of train and validation."""

    def __init__(self, tagger: nn.Module, data: dict, settings: dict):
        super().__init__()
        self.tagger, self.data, self.settings = tagger, data, settings
        self.losses: list[float] = []

    def train_dataloader(self) -> DataLoader:
        settings, data, epoch = self.settings, self.data, self.current_epoch
        chunks = RandomChunks(
            data["clips"], data["train_ids"], data["train_tags"], settings["chunks_per_clip"], settings["seed"], epoch
        )
        order = torch.Generator().manual_seed(settings["seed"] * 100_003 + epoch)
        return DataLoader(chunks, settings["batch_size"], shuffle=True, generator=order, drop_last=len(chunks) > settings["batch_size"])

    def on_train_epoch_start(self) -> None:
        # dropout draws from the global generator: seeded by epoch, so that a resumed run draws the same
        torch.manual_seed(self.settings["seed"] * 100_019 + self.current_epoch)
        self.losses.clear()

    def training_step(self, batch, _):
        chunks, tags = batch
        logits, _ = self.tagger.classify(chunks)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), tags)
        self.losses.append(loss.detach().item())
        return loss

    def on_train_epoch_end(self) -> None:
        context = self.trainer.precision_plugin.forward_context
        probabilities, _ = predict(
            self.tagger, self.data["clips"], self.data["validation_ids"], at_most=VALIDATION_CHUNKS, context=context
        )
        scores = macro_scores(self.data["validation_tags"], probabilities)
        self.log("loss", float(np.mean(self.losses)))
        self.log("validation_roc_auc", scores["roc_auc"])
        self.log("validation_pr_auc", scores["pr_auc"])

    def configure_optimizers(self):
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.tagger.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"]
        )
        n_chunks = len(self.data["train_ids"]) * settings["chunks_per_clip"]
        steps = max(1, n_chunks // settings["batch_size"]) * settings["epochs"]
        # up over the first tenth, then a cosine to zero
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / max(1, steps // 10), 0.5 * (1 + math.cos(math.pi * min(1, step / steps))))
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Progress(Callback):
    """A line an epoch (loss, validation, seconds, time left), and a row of history.csv."""

    def __init__(self, name: str, history: Path):
        self.name, self.history, self.began = name, history, 0.0

    def on_train_epoch_start(self, trainer, module) -> None:
        self.began = time.monotonic()

    def on_train_epoch_end(self, trainer, module) -> None:
        values = {key: float(trainer.callback_metrics[key]) for key in ("loss", "validation_roc_auc", "validation_pr_auc")}
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs
        took = time.monotonic() - self.began
        log.info(
            "%s: epoch %d/%d, loss %.4f, validation ROC-AUC %.4f, %.1f s, at most %.0f s left",
            self.name, epoch, epochs, values["loss"], values["validation_roc_auc"], took, took * (epochs - epoch),
        )
        rows = [row for row in read_history(self.history) if int(row["epoch"]) < epoch]
        rows.append({"epoch": epoch, **{key: f"{value:.6f}" for key, value in values.items()}})
        write_history(self.history, rows)


def fit(name: str, tagger: nn.Module, data: dict, settings: dict, checkpoints: Path) -> dict:
    """Train `tagger` in place and leave the best weights in it; returns figures.

    data: "clips" (`Clips`), and for train and validation "<split>_ids" (clip ids) and "<split>_tags" `(clips, tags)`.
    settings: epochs, batch_size, learning_rate, weight_decay, chunks_per_clip, patience, precision, seed.
    checkpoints: a folder outside DVC's outputs; a run killed there goes on from its last whole epoch, with the same
    result as an uninterrupted one.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    checkpoints.mkdir(parents=True, exist_ok=True)
    best = ModelCheckpoint(
        checkpoints, "best", monitor="validation_roc_auc", mode="max", save_last=True, enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    last, done = checkpoints / "last.ckpt", checkpoints / "done.json"
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="auto",
        precision=precision(settings["precision"]),
        callbacks=[
            Progress(name, checkpoints / "history.csv"),
            best,
            EarlyStopping("validation_roc_auc", mode="max", patience=settings["patience"], check_on_train_epoch_end=True),
        ],
        deterministic=True,
        reload_dataloaders_every_n_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        default_root_dir=checkpoints,
    )
    if last.exists():
        log.info("%s: going on from %s", name, last)
    module = Tagging(tagger, data, settings)
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
