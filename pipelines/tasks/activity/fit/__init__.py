"""Train the head or the network of a run on the training clips; thresholds, and how frames become events, by validation."""

import numpy as np
import safetensors.torch

from pipelines.core.files import atomic, write_json
from pipelines.tasks import part
from pipelines.tasks.activity.fit import decisions, heads, model, network, units


def fit(run, seed, folder):
    """Writes model.safetensors, config.json (classes, options, losses, thresholds, priors) and of networks history.csv."""
    data, options = units.read(run), run.options
    deep = hasattr(part(run.task, f"models.{run.model}"), "network")
    tensors, learned = network.train(run, seed, data, folder) if deep else heads.train(run, seed, data)
    with atomic(folder / "model.safetensors") as temporary:
        temporary.write_bytes(safetensors.torch.save({name: one.contiguous() for name, one in tensors.items()}))
    train = list(data.of("train").itertuples())
    truth = np.concatenate([data.active(clip) for clip in train])
    config = {"task": run.task, "model": run.model, "classes": data.classes, "options": dict(options)} | learned
    config |= {"priors": truth.mean(axis=0).tolist(), "thresholds": [0.5] * len(data.classes), "events": None}
    write_json(folder / "config.json", config)
    held = list(data.of("validation").itertuples())
    if held:
        served = model.load(folder)
        if options["thresholds"] == "validation":
            pairs = [(data.active(clip), served.probabilities(data, clip)) for clip in held]
            config["thresholds"] = decisions.thresholds(*(np.concatenate(each) for each in zip(*pairs, strict=True)))
        if options["events"] == "validation" and data.level == "frame":
            config["events"] = decisions.of_events(data, held, [served.raw(data, clip) for clip in held])
        write_json(folder / "config.json", config)
    figures = {"clips": len(train), "units": len(truth), "classes": len(data.classes)}
    return figures | {
        "parameters": sum(one.numel() for name, one in tensors.items() if name.startswith("model.")),
        "loss": round(learned["losses"][-1], 4),
    }
