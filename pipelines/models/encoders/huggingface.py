"""An audio model of Hugging Face `transformers` from a local folder as an encoder: wav2vec 2.0, HuBERT, WavLM, MERT, CLAP.

    mert: {kind: huggingface, path: /models/mert, fingerprint: "", layer: 6, pooling: mean, chunk_s: 10}

`layer` is a layer of a transformer, 0 the input of the first and without it the last; its frames are pooled. A model with an
embedding of its own (CLAP) gives that one, and has no `layer`. The sampling rate and normalisation are those of the folder's
preprocessor_config.json. Nothing is downloaded, only safetensors are read, and Python code of the folder is run only where the
entry says `trust_remote_code: true`. `pip install -c constraints.txt -e '.[encoders]'` installs transformers.
"""

import inspect
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from pipelines.core import torchaudio
from pipelines.core.files import place, read_json
from pipelines.models.encoders import CHUNK_S, Encoder, pool

UNUSED = ("masked_spec_embed",)
"""Ends of names of weights that only training uses: files may lack them."""


def open_encoder(entry: dict) -> Encoder:
    """Raises `ValueError` that says what is missing or wrong in the folder, or how to install transformers."""
    path, folder, trusted = entry["path"], place(entry["path"]), entry.get("trust_remote_code", False)
    config = _check_folder(path, folder)
    transformers = _transformers()
    known = config["model_type"] in transformers.CONFIG_MAPPING
    if not known and "auto_map" not in config:
        raise ValueError(
            f"{path}: transformers {transformers.__version__} does not know the architecture {config['model_type']!r}"
        )
    if not known and not trusted:
        raise ValueError(
            f"{path}: the model {config['model_type']!r} brings Python code of its own, which would run here. If you trust it, "
            "write `trust_remote_code: true` in the encoder's entry"
        )
    options = {"local_files_only": True, "trust_remote_code": trusted and not known}
    torch.set_num_threads(1)  # a clip is one thread's
    torch.manual_seed(0)  # what a file may lack is drawn, and unused
    try:
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, **options)
        model, told = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, dtype=torch.float32, **options
        )
    except Exception as error:  # transformers raises what its parts and the folder's own code meet
        raise ValueError(f"{path} cannot be opened by transformers: {' '.join(str(error).split()):.400}") from error
    lacking = sorted(name for name in told["missing_keys"] if not name.endswith(UNUSED))
    if lacking or told["mismatched_keys"]:
        wrong = lacking or sorted(str(name) for name, *_ in told["mismatched_keys"])
        raise ValueError(
            f"{path}: the weights are not those of its config.json: {len(wrong)} are missing or have another shape, the first of "
            f"them {wrong[0]}"
        )
    model.eval()
    rate = getattr(extractor, "sampling_rate", None)
    if not isinstance(rate, int):
        raise ValueError(f"{path}/preprocessor_config.json states no sampling_rate: the model is none of sound")
    chunk = round(entry.get("chunk_s", CHUNK_S) * rate)
    longest = getattr(extractor, "nb_max_samples", 0)  # of CLAP: it would hear a random part of what is longer
    facts = {
        "model": config["model_type"],
        "sample rate": rate,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return Encoder(_hears(path, model, extractor, entry), rate, min(chunk, longest) if longest else chunk, facts)


def _hears(path: str, model: torch.nn.Module, extractor, entry: dict):
    own, layer = hasattr(model, "get_audio_features"), entry.get("layer", -1)
    if own and "layer" in entry:
        raise ValueError(f"{path}: the model has an embedding of its own: leave out `layer`")
    n_layers = getattr(model.config, "num_hidden_layers", 0)
    if not own and layer > n_layers:
        raise ValueError(f"{path}: layer {layer} is not there; the model has the layers 0 to {n_layers}")
    call = model.get_audio_features if own else model.forward
    accepted, how = set(inspect.signature(call).parameters), entry.get("pooling", "mean")

    @torch.inference_mode()
    def hear(samples: np.ndarray) -> np.ndarray:
        inputs = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt")
        inputs = {name: value for name, value in inputs.items() if name in accepted}
        if own:
            found = call(**inputs)
            found = found if isinstance(found, torch.Tensor) else found.pooler_output
            return found[0].numpy()
        states = model(**inputs, output_hidden_states=True).hidden_states
        if states is None:
            raise ValueError(f"{path}: the model gives no hidden states")
        return pool(states[layer][0].numpy(), how)

    return hear


def _transformers() -> ModuleType:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before it is imported: it then asks nobody
    torchaudio.load()  # transformers imports it, and its build on PyPI alone does not load beside a CPU torch
    try:
        import transformers
    except ImportError as error:
        raise ValueError(
            f"encoders of kind huggingface need transformers: pip install -c constraints.txt -e '.[encoders]' ({error})"
        ) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _check_folder(path: str, folder: Path) -> dict:
    """The folder's config.json. Raises `ValueError` where it is no folder of a model with safetensors."""
    if not folder.is_dir():
        raise ValueError(f"{path} is no folder: name the folder of a downloaded model, with its config.json")
    for name in ("config.json", "preprocessor_config.json"):
        if not (folder / name).is_file():
            raise ValueError(f"{path} contains no {name}: it is not the folder of a Hugging Face audio model")
    if not any(folder.glob("*.safetensors")):
        others = ", ".join(sorted(one.name for one in folder.glob("*.bin"))) or "none"
        raise ValueError(
            f"{path} contains no weights as safetensors (other weights: {others}). Other files are pickles, which can run code "
            "and are not read: convert them with `AutoModel.from_pretrained(...).save_pretrained(FOLDER)` where you trust them"
        )
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ValueError(f"{path}/config.json names no model_type: {json.dumps(config):.80}")
    return config
