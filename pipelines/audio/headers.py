"""What `probe.header` said of a file, kept by the file's hash: to count the packets of an MP3 takes a fifth of decoding it."""

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
