"""One side of a comparison, in a process of its own, because the allocator is chosen when a process starts.

    python side.py SIDE TAGGER FOLDER THREADS BATCH

Waits for a line on standard input, does its work once, answers with the seconds it took; ends with the input. SIDE is

- `embed_plain`: PyTorch, a clip after the other, its chunks one batch, as the published evaluation does it;
- `embed_ours`: the exported model, as the embed stage does it;
- `train_plain`: a step of PyTorch in float32; `train_float32`, `train_bf16`: as the train stage does it.

Both sides read the same shards of FOLDER and have the weights of FOLDER/weights.pt. What is done for speed is undone in the
plain ones: images are laid out as PyTorch does of itself (`taggers.create` asks for channels last), sequences are no images of
one row, and musicnn's tall filters are convolutions in training too.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from pipelines.core import chunks
from pipelines.core.files import read_json


def load(name: str, folder: Path, threads: int, plain: bool):
    """(tagger with the weights, clips, their ids)."""
    import torch

    from pipelines.models import taggers
    from pipelines.models.taggers import layers, musicnn, se

    torch.set_num_threads(threads)
    module = taggers.load_module(name)
    tagger = module.create() if plain else taggers.create(name)
    if plain:  # as published
        for user in (layers, musicnn, se):
            user.over_time = lambda conv, x: conv(x.squeeze(2)).unsqueeze(2)
        musicnn.Tall._by_places = lambda layer, x: layer.conv(x)
    tagger.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    return tagger, *open_clips(folder)


def open_clips(folder: Path):
    config = read_json(folder / "config.json")
    clips = chunks.Clips(folder / "shards", config["chunk"], config["hop"])
    return clips, list(clips.places)


def embed_plain(name: str, folder: Path, threads: int, _: int):
    import torch

    tagger, clips, ids = load(name, folder, threads, plain=True)
    tagger.eval()

    @torch.no_grad()
    def work():
        found = []
        for clip_id in ids:
            heard = torch.from_numpy(np.stack([clips.crop(clip_id, int(start)) for start in clips.starts(clip_id)]))
            logits, embedding = tagger.classify(heard if heard.ndim == 3 else tagger.front(heard))
            found.append([values.mean(dim=0).numpy() for values in (torch.sigmoid(logits), embedding)])
        return found

    return work


def embed_ours(name: str, folder: Path, threads: int, _: int):
    from pipelines.inference import onnx
    from pipelines.inference.embedding import embed

    tagger, config = onnx.load(folder)
    clips, ids = open_clips(folder)
    return lambda: list(embed(tagger, config, clips, ids, threads))


def train(name: str, folder: Path, threads: int, batch: int, precision: str, plain: bool):
    from contextlib import nullcontext

    import torch

    from pipelines.training import inference

    tagger, clips, ids = load(name, folder, threads, plain)
    tagger.train()
    optimizer = torch.optim.AdamW(tagger.parameters(), lr=1e-4)
    heard = torch.from_numpy(np.stack([clips.crop(ids[row % len(ids)], 0) for row in range(batch)]))
    tags = (torch.rand(batch, 50, generator=torch.Generator().manual_seed(0)) < 0.1).float()

    def work():
        with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
            if plain:
                logits, _ = tagger.classify(heard if heard.ndim == 3 else tagger.front(heard))
            else:
                logits, _ = tagger.classify(inference.features(tagger, heard))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return work


SIDES = {
    "embed_plain": embed_plain,
    "embed_ours": embed_ours,
    "train_plain": lambda *arguments: train(*arguments, "float32", True),
    "train_float32": lambda *arguments: train(*arguments, "float32", False),
    "train_bf16": lambda *arguments: train(*arguments, "bf16", False),
}


if __name__ == "__main__":
    side, name, folder, threads, batch = sys.argv[1:]
    work = SIDES[side](name, Path(folder), int(threads), int(batch))
    found = work()  # the first time compiles, and asks the system for memory
    if found is not None:
        outputs = [np.stack(values) for values in zip(*found, strict=True)]
        np.savez(Path(folder) / f"{side}.npz", probabilities=outputs[0], embedding=outputs[1])
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        work()
        print(time.perf_counter() - began, flush=True)
