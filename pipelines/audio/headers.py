"""Cache the results of `probe.header` by the file's hash, since counting an MP3's packets takes a fifth of the decoding time."""

from pipelines.core import cache
from pipelines.core.code import code_version

KIND = "headers"
"""Of the cache."""


def known(sha256: str) -> dict | None:
    return cache.load_record(KIND, _key(sha256))


def keep(header: dict, sha256: str) -> None:
    cache.save_record(KIND, _key(sha256), header)


def _key(sha256: str) -> str:
    return cache.key(sha256, code_version("pipelines.audio.probe"))
