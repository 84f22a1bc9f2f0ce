"""Checkpoints with a checksum: a file's first 32 bytes are the SHA-256 of the rest.

torch does not verify the checksums of its own format, so that a changed bit would silently change a weight.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pipelines.core.files import atomic

DIGEST_BYTES = 32


class Checked(TorchCheckpointIO):
    """What Lightning saves and loads checkpoints with."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path, storage_options=None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        _write(path, buffer.getvalue())

    def load_checkpoint(self, path, map_location="cpu", weights_only: bool | None = None) -> dict[str, Any]:
        return load(path, map_location)


def load(path, map_location="cpu") -> dict[str, Any]:
    """Tensors and plain values, nothing else. Raises `ValueError` for a file that is not what was written."""
    return torch.load(io.BytesIO(_read(path)), map_location=map_location, weights_only=True)


def save_record(path, value: dict) -> None:
    """A small record, as JSON."""
    _write(path, json.dumps(value).encode())


def load_record(path) -> dict:
    return json.loads(_read(path))


def whole(folder: Path) -> bool:
    """Is every checkpoint and record in a folder what was written?"""
    try:
        for path in [*folder.rglob("*.ckpt"), *folder.rglob("done")]:
            _read(path)
    except ValueError:
        return False
    return True


def _write(path, content: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)


def _read(path) -> bytes:
    found = Path(path).read_bytes()
    digest, content = found[:DIGEST_BYTES], found[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError(f"{path} is damaged: its checksum is wrong")
    return content
