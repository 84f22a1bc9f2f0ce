"""The samples of a SoundFont that each program plays: programs that share samples are not independent timbres.

A preset (a program of a bank) refers to instruments, and an instrument to samples, through zones: lists of generators. The tables
are those of the SoundFont 2.04 specification, chapter 7 (E-mu Systems 2006): `phdr` presets, `pbag` and `ibag` zones, `pgen` and
`igen` generators, `inst` instruments, `shdr` samples. The last row of a table marks the end and describes nothing.
"""

import struct
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipelines.symbolic import soundfonts

KEYS, INSTRUMENT, SAMPLE = 43, 41, 53  # generators: range of keys, number of an instrument, number of a sample
ALL_KEYS = (0, 127)
ZONE = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<u2")])
TABLES = {
    "phdr": np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("zone", "<u2"), ("reserved", "<u4", 3)]),
    "pbag": ZONE,
    "pgen": GENERATOR,
    "inst": np.dtype([("name", "S20"), ("zone", "<u2")]),
    "ibag": ZONE,
    "igen": GENERATOR,
    "shdr": np.dtype([("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("rest", "V18")]),
}
"""Table -> the fields of a row; `zone` and `generator` are the row in the next table at which its part begins."""


def tables(file: Path) -> dict[str, np.ndarray]:
    """Table of `TABLES` -> its rows, the last included. Raises `ValueError` where the file is no SoundFont or lacks a table."""
    soundfonts.information(file)
    found: dict[str, np.ndarray] = {}
    with open(file, "rb") as stream:
        place, end = 12, stream.seek(0, 2)
        while place + 12 <= end:
            stream.seek(place)
            kind, size, form = struct.unpack("<4sI4s", stream.read(12))
            if (kind, form) == (b"LIST", b"pdta"):
                found = _read(stream.read(size - 4))
            place += 8 + size
            # a chunk of odd size is padded, but writers of .sf3 forget it (FluidR3Mono_GM.sf3)
            stream.seek(place)
            place += size % 2 if stream.read(4) != b"LIST" else 0
    if missing := [name for name in TABLES if not len(found.get(name, ()))]:
        raise ValueError(f"{file} is cut short or damaged: it has no table {', '.join(missing)}")
    return found


def samples(file: Path, keys: tuple[int, int] = ALL_KEYS, bank: int = 0) -> dict[int, frozenset[int]]:
    """Program of `bank` -> the samples that its keys from `keys[0]` to `keys[1]` play, each named by its first frame in the file.

    Two headers with one first frame are one recording. Raises `ValueError` as `tables` does.
    """
    found = tables(file)
    starts = found["shdr"]["start"]
    instruments = [
        [(_range(zone), int(starts[zone[SAMPLE]])) for zone in zones]
        for zones in _zones(found["inst"]["zone"], found["ibag"], found["igen"], SAMPLE)
    ]
    played: dict[int, frozenset[int]] = {}
    presets = _zones(found["phdr"]["zone"], found["pbag"], found["pgen"], INSTRUMENT)
    for preset, zones in zip(found["phdr"][:-1], presets, strict=True):
        if preset["bank"] == bank:
            played[int(preset["program"])] = frozenset(
                sample
                for zone in zones
                for of_sample, sample in instruments[zone[INSTRUMENT]]
                if _overlap(keys, _range(zone), of_sample)
            )
    return played


def groups(played: Mapping[int, Collection[int]]) -> dict[int, int]:
    """Program -> the lowest program of its group. Programs that share a sample, directly or through others, are one group."""
    parent = {program: program for program in played}

    def root(program: int) -> int:
        while parent[program] != program:
            program = parent[program]
        return program

    owner: dict[int, int] = {}
    for program in sorted(played):
        for sample in played[program]:
            low, high = sorted((root(owner.setdefault(sample, program)), root(program)))
            parent[high] = low
    return {program: root(program) for program in played}


def _read(body: bytes) -> dict[str, np.ndarray]:
    found, place = {}, 0
    while place + 8 <= len(body):
        key, size = struct.unpack_from("<4sI", body, place)
        name = key.decode("ascii", "replace")
        if name in TABLES:
            rows = body[place + 8 : place + 8 + size]
            found[name] = np.frombuffer(rows, TABLES[name], len(rows) // TABLES[name].itemsize)
        place += 8 + size + size % 2
    return found


def _zones(parts: np.ndarray, zones: np.ndarray, generators: np.ndarray, wanted: int) -> Iterator[list[dict[int, int]]]:
    """For each preset (or instrument) its zones with a generator `wanted`, as kind -> amount. A first zone without one is global:
    its generators hold in the others, where these do not state them."""
    for begin, end in pairwise(parts):
        shared, found = {}, []
        for number in range(begin, end):
            rows = generators[zones["generator"][number] : zones["generator"][number + 1]]
            zone = dict(zip(rows["kind"].tolist(), rows["amount"].tolist(), strict=True))
            if wanted in zone:
                found.append(shared | zone)
            elif number == begin:
                shared = zone
        yield found


def _range(zone: Mapping[int, int]) -> tuple[int, int]:
    """The keys of a zone: the low byte of the amount is the lowest, the high byte the highest."""
    return (zone[KEYS] & 0xFF, zone[KEYS] >> 8) if KEYS in zone else ALL_KEYS


def _overlap(*ranges: tuple[int, int]) -> bool:
    return max(low for low, _ in ranges) <= min(high for _, high in ranges)
