"""Fit a model on the training pieces; networks choose their weights by the validation pieces."""

from pipelines.tasks import part
from pipelines.tasks.sequences.fit import model_file, pieces


def fit(run, seed, folder):
    """Writes model.npz, and config.json with the model's options and, of a network, the losses while it was trained."""
    data, module = pieces.read(run), part(run.task, f"models.{run.model}")
    train, validation = data.of("train"), data.of("validation")
    arrays, found = module.fit(train, validation, run.options, seed)
    model_file.save(folder, run.model, data.voices, run.options, arrays, found)
    numbers = sum(array.size for array in arrays.values())
    told = {f"pieces that {why}, left out": n for why, n in data.left_out.items()}
    told |= {name: value for name, value in found.items() if name != "curve"}
    return {"pieces": len(train), "voices": data.voices, "steps": sum(map(len, train)), "numbers": int(numbers), **told}
