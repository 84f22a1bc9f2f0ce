"""Train a tagger with Lightning by a recipe: random chunks, resumable, and each phase starts from the best weights so far."""

import logging
import os
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import nn
from torch.utils.data import DataLoader

from pipelines.metrics.tagging import cross_entropy, macro_scores
from pipelines.training import augment, checkpoints, history, recipes
from pipelines.training.batches import EpochBatches, RandomChunks
from pipelines.training.inference import features, predict

VALIDATION_CHUNKS = 4  # evenly spaced chunks averaged a clip; the test uses all
GPU_LOADERS = 4  # processes that cut chunks for a GPU; a CPU's own work hides them
# what Lightning says on every run and a user can do nothing about
for message in (
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    "Checkpoint directory .*",
    ".*LeafSpec.*",
    ".*lr_scheduler.step.*",
    ".*does not have a deterministic implementation.*",
):
    warnings.filterwarnings("ignore", message)

log = logging.getLogger("train")


class Tagging(lightning.LightningModule):
    """One phase of the training of one tagger; `data` holds clips, ids and tag matrices of train and validation.

    first_epoch, n_epochs: epochs before this phase, and of all phases. A subclass may have another `loss`, `evaluate`, `MONITORS`
    (monitor -> figure and direction) and `FIGURE`, the figure that is told: its name, and that of its column of history.csv.
    """

    MONITORS = recipes.MONITORS
    FIGURE = "validation ROC-AUC", "validation_roc_auc"

    def __init__(
        self, name: str, tagger: nn.Module, data: dict, settings: dict, phase: dict, first_epoch: int, curve: Path
    ):
        super().__init__()
        self.name, self.tagger, self.data, self.settings, self.phase = name, tagger, data, settings, phase
        self.first_epoch, self.curve = first_epoch, curve
        self.n_epochs = sum(part["epochs"] for part in settings["phases"])
        n_items = len(data["train_ids"]) * settings["chunks_per_clip"]
        self.batches = EpochBatches(
            n_items, settings["batch_size"], settings["seed"], self.steps_done, first_epoch, self.share
        )
        self.losses: list[torch.Tensor] = []
        self.scores: dict[str, float] = {}

    def steps_done(self) -> int:
        return self.trainer.global_step

    def share(self) -> tuple[int, int]:
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self) -> DataLoader:
        data, on_gpu = self.data, self.trainer.strategy.root_device.type == "cuda"
        chunks = RandomChunks(data["clips"], data["train_ids"], data["train_tags"], self.settings["seed"])
        options = {"num_workers": GPU_LOADERS, "persistent_workers": True, "pin_memory": True} if on_gpu else {}
        return DataLoader(chunks, batch_sampler=self.batches, **options)

    def on_fit_start(self) -> None:
        if not logging.getLogger().handlers:  # a spawned process has none
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
        warnings.filterwarnings("ignore", message=".*sync_dist.*")  # scores are computed alike on every device

    def on_train_epoch_start(self) -> None:
        self.losses.clear()
        self.began = time.monotonic()

    def training_step(self, batch, _):
        chunks, tags = batch
        # dropout and augmentation draw from the global generator: seeded by step, so that a resumed run draws the same
        step = self.first_epoch * len(self.batches) + self.global_step
        torch.manual_seed((self.settings["seed"] * 1_000_003 + step) * 1_009 + self.global_rank)
        settings = self.settings["augment"]
        with torch.no_grad(), torch.autocast(chunks.device.type, enabled=False):
            chunks = augment.sound(chunks, settings) if chunks.ndim == 2 else augment.frames(chunks, settings)
            chunks, tags = augment.mixed(chunks, tags, settings)
            frames = features(self.tagger, chunks)
            if frames.ndim == 3:
                frames = augment.masked(frames, settings)
        logits, _ = self.tagger.classify(frames)
        loss = self.loss(logits.float(), tags)
        self.losses.append(loss.detach())
        return loss

    def loss(self, logits: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(logits, tags)

    def evaluate(self) -> dict[str, float]:
        """Figures on the validation clips, by the names of their columns of history.csv."""
        context = self.trainer.precision_plugin.forward_context
        probabilities, _ = predict(
            self.tagger, self.data["clips"], self.data["validation_ids"], at_most=VALIDATION_CHUNKS, context=context
        )
        scores = macro_scores(self.data["validation_tags"], probabilities)
        return {
            "validation_loss": cross_entropy(self.data["validation_tags"], probabilities),
            "validation_roc_auc": scores["roc_auc"],
            "validation_pr_auc": scores["pr_auc"],
        }

    def on_train_epoch_end(self) -> None:
        self.scores = {"loss": float(np.mean([loss.item() for loss in self.losses])), **self.evaluate()}
        # of each process alike: weights are shared, and batch statistics synchronised where they can be
        self.log_dict(self.scores, rank_zero_only=True)
        if self.trainer.is_global_zero:
            self._tell()

    def _tell(self) -> None:
        """A line and a row an epoch."""
        epoch, took = self.first_epoch + self.current_epoch + 1, time.monotonic() - self.began
        log.info(
            "%s: epoch %d/%d, loss %.4f, %s %.4f, %.1f s, at most %.0f s left",
            self.name,
            epoch,
            self.n_epochs,
            self.scores["loss"],
            self.FIGURE[0],
            self.scores[self.FIGURE[1]],
            took,
            took * (self.n_epochs - epoch),
        )
        history.add(self.curve, epoch, self.scores)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["history"] = history.read(self.curve)

    def configure_optimizers(self):
        return recipes.optimizer(self.tagger, self.phase, len(self.batches) * self.phase["epochs"])


def fit(name: str, tagger: nn.Module, data: dict, settings: dict, place: Path, kind: type[Tagging] = Tagging) -> dict:
    """Train `tagger` in place and leave the best weights in it; returns figures.

    data: "clips" (`Clips`), and for train and validation "<split>_ids" (clip ids) and "<split>_tags" `(clips, tags)`.
    settings: a recipe as `recipes.resolve` gives it. kind: what is trained, `Tagging` or a subclass.
    place: a folder for checkpoints, outside DVC's outputs; a run killed there goes on from its last whole epoch, with the
    same result as an uninterrupted one (on a CPU; some of a GPU's operations add in any order). Where one of them is
    damaged, training starts again from the beginning.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required for determinism on a GPU
    figure, mode = kind.MONITORS[settings["monitor"]]
    if not checkpoints.whole(place):
        log.warning("%s: a checkpoint in %s is damaged; training starts again from the beginning", name, place)
        shutil.rmtree(place)
    first_epoch, best, used = 0, None, ""
    for number, phase in enumerate(settings["phases"]):
        folder = place / f"phase-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / "done"
        if not done.exists():  # a run killed after its last epoch, before its stage had ended, is not trained further
            module = kind(name, tagger, data, settings, phase, first_epoch, place / "history.csv")
            checkpoints.save_record(done, _fit_phase(module, folder, figure, mode))
        record = checkpoints.load_record(done)
        history.write(place / "history.csv", record["history"])
        first_epoch, used = first_epoch + record["epochs"], record["precision"]
        if best is None or (record["best"] > best["best"]) == (mode == "max"):
            best = record | {"folder": str(folder)}
        _load_best(tagger, Path(best["folder"]))
    tagger.float().cpu().eval()
    rows = history.read(place / "history.csv")
    return {
        "recipe": settings["recipe"],
        "epochs": len(rows),
        "best epoch": best["best epoch"],
        kind.FIGURE[0]: round(float(rows[best["best epoch"] - 1][kind.FIGURE[1]]), 6),
        "precision": used,
        "device": best["device"],
        "parameters": sum(tensor.numel() for tensor in tagger.parameters()),
    }


def _fit_phase(module: Tagging, folder: Path, figure: str, mode: str) -> dict:
    """Train one phase, from `folder`/last.ckpt where there is one; best.ckpt holds its best weights."""
    settings, phase = module.settings, module.phase
    options = {"enable_version_counter": False, "save_on_train_epoch_end": True}
    best = ModelCheckpoint(folder, "best", monitor=figure, mode=mode, **options)
    latest = ModelCheckpoint(folder, "last", **options)  # save_last would save only when the best does
    stopping: list[Callback] = []
    if settings["patience"]:
        stopping = [EarlyStopping(figure, mode=mode, patience=settings["patience"], check_on_train_epoch_end=True)]
    on_gpu = torch.cuda.is_available()
    devices = settings["devices"] if settings["devices"] != "auto" else -1 if on_gpu else 1
    several = devices not in (1, "1") and (torch.cuda.device_count() > 1 if devices == -1 else True)
    trainer = lightning.Trainer(
        max_epochs=phase["epochs"],
        accelerator="auto",
        devices=devices,
        # spawned, not launched anew: what surrounds the training then runs once
        strategy="ddp_spawn" if several else "auto",
        sync_batchnorm=several and on_gpu,
        use_distributed_sampler=False,  # EpochBatches gives each process its share
        precision=precision(settings["precision"]),
        callbacks=[*stopping, best, latest],
        plugins=[checkpoints.Checked()],
        deterministic="warn" if on_gpu else True,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        default_root_dir=folder,
    )
    last = folder / "last.ckpt"
    if last.exists():
        log.info("%s: resuming from %s", module.name, last)
        history.write(module.curve, checkpoints.load(last)["history"])
    try:
        # Lightning would train a phase that patience had ended for one epoch more
        if not (last.exists() and _out_of_patience(last)):
            trainer.fit(module, ckpt_path=last if last.exists() else None, weights_only=True)
    except SIGTERMException as stopped:
        # a SystemExit without a code: the stage would seem to have ended well
        raise SystemExit(128 + signal.SIGTERM) from stopped
    # from files: of processes that were spawned, nothing else comes back
    best_epoch = module.first_epoch + checkpoints.load(folder / "best.ckpt")["epoch"] + 1
    rows = history.read(module.curve)
    return {
        "best": float(rows[best_epoch - 1][figure]),
        "best epoch": best_epoch,
        "epochs": len(rows) - module.first_epoch,
        "history": rows,
        "precision": str(trainer.precision),
        "device": f"{trainer.world_size} x {torch.cuda.get_device_name()}" if on_gpu else "CPU",
    }


def _out_of_patience(last: Path) -> bool:
    states = checkpoints.load(last)["callbacks"]
    return any(state["wait_count"] >= state["patience"] for key, state in states.items() if "EarlyStopping" in key)


def _load_best(tagger: nn.Module, folder: Path) -> None:
    state = checkpoints.load(folder / "best.ckpt")["state_dict"]
    tagger.load_state_dict({name.removeprefix("tagger."): tensor for name, tensor in state.items()})


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
