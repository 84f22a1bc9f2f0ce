"""degrade: embeddings and tag scores of scored clips after noise, MP3, a pitch shift, or as a short excerpt.

The degraded sound is not stored. Outputs are cached for each clip under the hash of its samples, the degradation and the version
of the tagger or baseline. So ten new clips cost only themselves, as does a new tagger, and a killed run continues.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from pipelines import features
from pipelines.core import cache, chunks, embeddings, files, params, paths, shards
from pipelines.core.code import code_version, reached
from pipelines.core.manifest import scored_and_reference, usable_clips
from pipelines.core.pcm import INDEX, to_float, to_int16
from pipelines.core.record import loaded_code, write_record
from pipelines.core.tables import read_table, write_table
from pipelines.evaluation.robustness import DEGRADATIONS
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.inference import embedding, onnx
from pipelines.models import baselines

KIND = "degraded"  # in the cache: the output of one tagger or baseline for one degraded clip
CLIPS_A_TASK = 8
POOLED = "pooled"  # the listener behind every baseline


@dataclass(frozen=True)
class Clip:
    """A scored clip without cached outputs of some taggers or baselines. keys: tagger or baseline -> key in the cache."""

    clip_id: str
    shard: int
    offset: int
    length: int
    sha256: str
    keys: dict[str, str]


@dataclass(frozen=True)
class Task:
    """Some clips of one dataset after one degradation. pooled: the parameters of pooled features. keep: use the cache."""

    degradation: str
    dataset: str
    clips: tuple[Clip, ...]
    seed: int
    sample_rate: int
    pooled: dict | None
    keep: bool


def main(dataset: str) -> None:
    log = start(f"degrade {dataset}")
    settings = params.read()
    options = settings["robustness"]
    if unknown := [name for name in options["degradations"] if name not in DEGRADATIONS]:
        raise SystemExit(
            f"robustness.degradations in params.yaml names {', '.join(map(str, unknown))}; use some of {', '.join(DEGRADATIONS)}"
        )
    clips = usable_clips(dataset)
    scored, reference = (mask.to_numpy() for mask in scored_and_reference(clips))
    chosen = sample(clips[scored], options["max_clips"], options["seed"])
    names = params.tagger_names(settings)
    listeners = [features.load(POOLED), *map(baselines.load, settings["baselines"])]
    modules = {module.__name__ for module in listeners}.union(*(embedding.modules(_config(name)) for name in names))
    # now, because workers, and clips that are kept already, load more or less
    code = loaded_code(path for module in modules for path in reached(module)[0].values())
    outputs = hear(dataset, chosen, names, settings)
    parts = []
    for degradation, found in outputs.items():
        for name in names:
            n_tags = len(_config(name)["tags"])
            values = [found[clip_id, name] for clip_id in chosen["clip_id"]]
            parts.append(_rows(chosen, degradation, name, [v[n_tags:] for v in values], [v[:n_tags] for v in values]))
        for name, vectors in _baselines(dataset, clips, reference, chosen, found, settings["baselines"]).items():
            parts.append(_rows(chosen, degradation, name, list(vectors), [None] * len(chosen)))
    table = pd.concat(parts, ignore_index=True) if parts else embeddings.DEGRADED.empty_table().to_pandas()
    path = paths.degraded(dataset)
    write_table(table, path, embeddings.DEGRADED)
    finite = int(sum(map(_finite, table["vector"], table["scores"])))
    wanted = len(chosen) * len(outputs) * len(params.embedding_names(settings))
    write_record(
        "degrade",
        dataset,
        figures={"clips": len(chosen), "scored clips": int(scored.sum()), "degradations": len(outputs)},
        table=path,
        checks={
            "every clip": (
                len(table) == wanted,
                f"{len(table)} of {wanted}: {len(chosen)} clips, {len(outputs)} degradations",
            ),
            "finite": (finite == len(table), f"{finite} of {len(table)} rows have no NaN and no infinity"),
        },
        code=code,
    )
    log.info("%d of %d scored clips, %d degradations", len(chosen), scored.sum(), len(outputs))
    cache.prune(settings["cache"]["limit_gb"] * 1e9)


def _rows(chosen: pd.DataFrame, degradation: str, name: str, vectors: list, scores: list) -> pd.DataFrame:
    columns = {"degradation": degradation, "embedding": name, "vector": vectors, "scores": scores}
    return pd.DataFrame({"clip_id": chosen["clip_id"].to_numpy()} | columns)


def _finite(vector: np.ndarray, scores: np.ndarray | None) -> bool:
    return bool(np.isfinite(vector).all() and (scores is None or np.isfinite(scores).all()))


def _baselines(dataset: str, clips, reference: np.ndarray, chosen: pd.DataFrame, found: dict, entries: dict) -> dict:
    """Baseline -> `(clips, d)`, fitted on clips as they are: as the baseline stage fits, to the bit."""
    if not entries:
        return {}
    table = read_table(paths.pooled(dataset), features.POOLED).set_index("clip_id")
    known = table.loc[clips["clip_id"]].to_numpy(np.float64)[reference]
    pooled = np.stack([found[clip_id, POOLED] for clip_id in chosen["clip_id"]]).astype(np.float64)
    return {name: baselines.load(name).embed(pooled, known, **entry) for name, entry in entries.items()}


def sample(scored: pd.DataFrame, max_clips: int, seed: int) -> pd.DataFrame:
    """At most `max_clips` rows of `scored`, as many of each class of the first target as can be, in the order they came.

    Drawn by hashes of seed and clip, so that a new clip takes at most one other's place.
    """
    targets = [name for name in scored if name.startswith("target_")]
    drawn = pd.DataFrame(
        {
            "lot": [hashlib.sha256(f"{seed}:{clip_id}".encode()).hexdigest() for clip_id in scored["clip_id"]],
            "class": scored[targets[0]].fillna("") if targets else "",
        },
        index=scored.index,
    ).sort_values("lot", kind="stable")
    drawn["turn"] = drawn.groupby("class").cumcount()
    return scored.loc[sorted(drawn.sort_values("turn", kind="stable").index[:max_clips])]


def hear(dataset: str, chosen: pd.DataFrame, names: list[str], settings: dict) -> dict:
    """{degradation: {(clip_id, listener): vector}}: a tagger's tag scores and then its embedding; the statistics of pooled
    features."""
    keep, rate, options = settings["cache"]["limit_gb"] > 0, settings["audio"]["sample_rate"], settings["robustness"]
    versions = {name: _version(name) for name in names}
    if settings["baselines"]:
        versions[POOLED] = [settings["features"][POOLED], code_version(features.load(POOLED).__name__)]
    index = read_table(chunks.source(dataset, "waveform") / "index.parquet", INDEX)
    index = index.set_index("clip_id").loc[chosen["clip_id"]]
    found: dict[str, dict] = {degradation: {} for degradation in options["degradations"]}
    tasks, n_samples = [], 0
    for degradation, done in found.items():
        lacking = []
        for clip in index.itertuples():
            sound = [clip.sha256, degradation, options["seed"], rate, code_version("pipelines.evaluation.robustness")]
            keys = {name: cache.key(*sound, name, version) for name, version in versions.items()}
            kept = {name: cache.load_array(KIND, key) for name, key in keys.items()} if keep else {}
            done |= {(clip.Index, name): vector for name, vector in kept.items() if vector is not None}
            if wanted := {name: key for name, key in keys.items() if (clip.Index, name) not in done}:
                lacking.append(Clip(clip.Index, clip.shard, clip.offset, clip.length, clip.sha256, wanted))
                n_samples += clip.length
        for first in range(0, len(lacking), CLIPS_A_TASK):
            part = tuple(lacking[first : first + CLIPS_A_TASK])
            tasks.append(Task(degradation, dataset, part, options["seed"], rate, settings["features"][POOLED], keep))
    results = executor.run(compute, tasks, settings["executor"], n_samples / rate)
    total = sum(len(task.clips) for task in tasks)
    shown = progress(results, f"degrade {dataset}", total, size=lambda result: result[0])
    for task, (_, outputs) in zip(tasks, shown, strict=True):
        found[task.degradation] |= outputs
    return found


def compute(task: Task) -> tuple[int, dict]:
    """(how many clips, {(clip_id, listener): vector}) of some clips after one degradation; each is kept at once."""
    rate, wanted = task.sample_rate, sorted({name for clip in task.clips for name in clip.keys} - {POOLED})
    models = {name: _tagger(name, _weights(name)) for name in wanted}
    outputs = {}
    for clip in task.clips:
        pcm = np.load(shards.shard_path(chunks.source(task.dataset, "waveform"), clip.shard), mmap_mode="r")
        clean = to_float(pcm[clip.offset : clip.offset + clip.length])
        changed = to_int16(DEGRADATIONS[task.degradation](clean, rate, _seed(task.seed, clip.sha256)))
        for name, vector in _listen(changed, rate, list(clip.keys), models, task.pooled).items():
            if not np.isfinite(vector).all():
                raise ValueError(f"{name}: NaN or infinite values for clip {clip.clip_id} after {task.degradation}")
            outputs[clip.clip_id, name] = vector
            if task.keep:
                cache.save_array(KIND, clip.keys[name], [vector], "float32", ())
    return len(task.clips), outputs


def _listen(samples: np.ndarray, rate: int, names: list[str], models: dict, entry: dict | None) -> dict:
    """{listener: vector} of int16 `samples`, through the files and the code that clips as they are go through."""
    models = {name: model for name, model in models.items() if name in names}
    outputs = {}
    if POOLED in names:
        pooled = features.compute_all(samples, rate, {POOLED: entry})[POOLED]
        outputs[POOLED] = np.array(list(pooled.values()), np.float32)
    with tempfile.TemporaryDirectory(prefix="conservatory-") as folder:
        sources = _written(samples, rate, [config for _, config in models.values()], Path(folder))
        for name, (model, config) in models.items():
            clips = chunks.Clips(sources[_input(config)], config["chunk"], config["hop"])
            [(scores, vector)] = embedding.embed(model, config, clips, ["it"], 1)
            outputs[name] = np.concatenate([scores, vector])
    return outputs


def _written(samples: np.ndarray, rate: int, configs: list[dict], folder: Path) -> dict[str, Path]:
    """Input -> a folder of shards with this one clip in it, of each that the taggers of `configs` read."""
    places = {}
    for number, (key, config) in enumerate({_input(config): config for config in configs}.items()):
        kind = config["reads"]
        rows = features.compute_all(samples, rate, {kind: config["representation"]})[kind]
        places[key] = place = folder / str(number)
        with shards.writer(shards.shard_path(place, 0), features.load(kind).DTYPE, rows.shape[1:]) as write_clip:
            offset, length = write_clip([rows])
        index = pd.DataFrame({"clip_id": ["it"], "shard": 0, "offset": offset, "length": length})
        write_table(index.astype({"shard": "int32"}), place / "index.parquet", shards.INDEX)
    return places


def _input(config: dict) -> str:
    """What a tagger reads, as a key: the representation and its parameters."""
    return cache.key(config["reads"], config["representation"])


def _seed(seed: int, sha256: str) -> int:
    """A clip's own, by its sound: neither the order of clips nor the number of workers changes what is drawn."""
    return int(hashlib.sha256(f"{seed}:{sha256}".encode()).hexdigest()[:12], 16)


def _config(name: str) -> dict:
    return files.read_json(paths.exported(name) / "config.json")


def _weights(name: str) -> str:
    return files.sha256(paths.exported(name) / "model.onnx")


def _version(name: str) -> list:
    """All that a tagger's answer depends on beside the sound: weights, what runs them, code, and what it reads."""
    config = _config(name)
    code = [onnx.__name__, embedding.__name__, features.load(config["reads"]).__name__]
    return [_weights(name), onnxruntime.__version__, config["representation"], *map(code_version, code)]


@lru_cache
def _tagger(name: str, weights: str) -> tuple:
    """(tagger, config), loaded once a worker."""
    return onnx.load(paths.exported(name))


if __name__ == "__main__":
    command.run(main, __doc__)
