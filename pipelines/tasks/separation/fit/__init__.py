"""Train the network of a run on remixes of the training clips' stems, or convert the checkpoints that it names."""

import safetensors.torch

from pipelines.core.files import atomic, write_json
from pipelines.tasks import part
from pipelines.tasks.separation.fit import mixtures, network, notes, training
from pipelines.training.seeded import seeded


def fit(run, seed, folder):
    """Writes model.safetensors, and config.json: stems, rate, options, the loss by step (`history`), and the SDR of the
    validation clips by step (`validation_sdr`); of checkpoints, which are not trained, at step 0."""
    data, options = mixtures.read(run), run.options
    check(options)
    model = part(run.task, f"models.{run.model}")
    informed = network.reads_notes(run.task, run.model)
    scores = notes.of_clips(run.dataset, data.names) if informed else {}
    with seeded(seed):
        module = network.create(run.task, run.model, options, len(data.names), data.rate)
        separator = network.Separator(module, data.names, data.rate, options, informed)
        if hasattr(model, "from_checkpoints"):
            module.load_state_dict(model.from_checkpoints(options, data.names))
            held_out = data.held_out()
            history, by_step = [], []
            if len(held_out):
                by_step.append([0, training.validate(separator, data, held_out, scores)])
        elif options["weights"]:
            raise ValueError(f"the model {run.model} is trained and takes no `weights`")
        else:
            history, by_step = training.train(run, seed, data, separator, scores)
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    with atomic(folder / "model.safetensors") as temporary, open(temporary, "wb") as stream:
        stream.write(safetensors.torch.save(weights))
    config = {"stems": data.names, "sample_rate": data.rate, "task": run.task, "model": run.model}
    config |= {"options": dict(options), "history": history, "validation_sdr": by_step}
    write_json(folder / "config.json", config)
    figures = {
        "clips": len(data.of("train")),
        "stems": len(data.names),
        "parameters": sum(value.numel() for value in module.parameters()),
    }
    figures |= {"loss": round(history[-1][1], 5)} if history else {}
    return figures | ({"validation_sdr": round(by_step[-1][1], 3)} if by_step else {})


def check(options) -> None:
    """Raises `ValueError` for options that no spectrogram or remix can have."""
    n_fft, hop = options["n_fft"], options["hop"]
    if hop > n_fft // 2:
        raise ValueError(f"hop {hop} is more than half of n_fft {n_fft}: the signal could not be put together again")
    if options["gain_db"] < 0:
        raise ValueError(f"gain_db is {options['gain_db']}: gains are drawn from -gain_db to gain_db; write 0 or more")
