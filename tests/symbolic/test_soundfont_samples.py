"""The samples of each program, in TimGM6mb and in a SoundFont made here."""

import struct
from collections import Counter

import numpy as np
import pytest

from pipelines.symbolic import soundfont_samples, soundfonts


@pytest.fixture(scope="module")
def timgm():
    return soundfonts.default()


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def zones(parts: list[list[dict[int, int]]], bag: bytes, gen: bytes) -> tuple[list[int], bytes]:
    """(first zone of each part and of the end, the chunks `bag` and `gen`) of parts with zones of generators."""
    first, bags, generators = [], [], []
    for part in parts:
        first.append(len(bags))
        for zone in part:
            bags.append(len(generators))
            generators += list(zone.items())
    first.append(len(bags))
    bags.append(len(generators))
    packed = b"".join(struct.pack("<HH", *pair) for pair in [*generators, (0, 0)])
    return first, chunk(bag, b"".join(struct.pack("<HH", n, 0) for n in bags)) + chunk(gen, packed)


def font(path, presets: dict[tuple[int, int], list[dict]], instruments: list[list[dict]], starts: list[int]):
    """A SoundFont: presets, (bank, program) -> zones; instruments, their zones; first frames of the samples."""
    of_preset, preset_zones = zones(list(presets.values()), b"pbag", b"pgen")
    of_instrument, instrument_zones = zones(instruments, b"ibag", b"igen")
    heads = [(bank, program) for bank, program in presets] + [(0, 0)]
    phdr = b"".join(
        struct.pack("<20sHHH3I", b"p", program, bank, zone, 0, 0, 0)
        for (bank, program), zone in zip(heads, of_preset, strict=True)
    )
    inst = b"".join(struct.pack("<20sH", b"i", zone) for zone in of_instrument)
    shdr = b"".join(struct.pack("<20sII18x", b"s", start, start + 9) for start in [*starts, 0])
    pdta = chunk(b"phdr", phdr) + preset_zones + chunk(b"inst", inst) + instrument_zones + chunk(b"shdr", shdr)
    body = b"sfbk" + chunk(b"LIST", b"INFO" + chunk(b"INAM", b"made here\0")) + chunk(b"LIST", b"pdta" + pdta)
    path.write_bytes(chunk(b"RIFF", body))
    return path


def test_a_chunk_of_odd_size_that_is_not_padded(tmp_path):
    """FluidR3Mono_GM.sf3 has one; the specification of RIFF wants a byte of padding."""
    path = font(tmp_path / "own.sf2", {(0, 0): [{41: 0}]}, [[{53: 0}]], [100])
    data = path.read_bytes()
    place = data.index(b"pdta") - 8
    for name, pad in (("padded.sf2", b"\0"), ("bare.sf2", b"")):
        samples = b"LIST" + struct.pack("<I", 7) + b"sdta" + b"abc" + pad
        (tmp_path / name).write_bytes(data[:place] + samples + data[place:])
        assert soundfont_samples.samples(tmp_path / name) == {0: {100}}, name


def keys(low: int, high: int) -> dict[int, int]:
    return {soundfont_samples.KEYS: low | high << 8}


def test_ranges_of_keys_global_zones_and_banks(tmp_path):
    """By hand: program 0 plays sample 100 up to key 59 and 200 above; program 1 plays 200, on keys from 72; program 0 of
    bank 1 plays 300. The global zone of the second instrument holds where a zone states no range."""
    path = font(
        tmp_path / "own.sf2",
        {(0, 0): [{41: 0}], (0, 1): [keys(72, 127) | {41: 1}], (1, 0): [{41: 2}]},
        [[keys(0, 59) | {53: 0}, keys(60, 127) | {53: 1}], [keys(0, 80), {53: 1}], [{53: 2}]],
        [100, 200, 300],
    )
    samples = soundfont_samples.samples
    assert samples(path) == {0: {100, 200}, 1: {200}}
    assert samples(path, (36, 59)) == {0: {100}, 1: set()} and samples(path, (81, 127))[1] == set()
    assert samples(path, bank=1) == {0: {300}}


def test_programs_that_share_samples_through_others_are_one_group():
    groups = soundfont_samples.groups({3: {10}, 5: {10, 11}, 9: {11}, 20: {12}, 21: set()})
    assert groups == {3: 3, 5: 3, 9: 3, 20: 20, 21: 21}


def test_known_facts_of_timgm6mb(timgm):
    played = soundfont_samples.samples(timgm)
    assert set(played) == set(range(128)) and all(played.values())
    groups = soundfont_samples.groups(played)
    assert len({groups[n] for n in range(4)}) == 1, "pianos"
    assert groups[40] == groups[41] == groups[110] and groups[40] != groups[42], "violin, viola and fiddle; cello"
    assert groups[57] == groups[58] == groups[60], "trombone, tuba and horn share their highest keys"
    assert max(Counter(groups.values()).values()) == 42, "linked through single samples, across families"


def test_shared_samples_sound_alike(timgm):
    """Independent of the tables: violin and viola give the same waveform, violin and cello do not."""
    from pipelines.symbolic import render

    def sound(program):
        return render.render(*(np.array([n]) for n in (0, program, 67, 90, 0.0, 0.3)), 16_000, 0.4)

    def likeness(a, b):
        return abs(float(np.corrcoef(sound(a), sound(b))[0, 1]))

    assert likeness(40, 41) > 0.95 > 0.8 > likeness(40, 42)


def test_a_damaged_font_is_refused(tmp_path, timgm):
    data = timgm.read_bytes()
    for name, end in (("no tables.sf2", data.index(b"pdta") - 20), ("cut.sf2", data.index(b"igen"))):
        (tmp_path / name).write_bytes(data[:end])
        with pytest.raises(ValueError, match="cut short or damaged: it has no table .*shdr"):
            soundfont_samples.tables(tmp_path / name)
    (tmp_path / "text.sf2").write_bytes(b"text")
    with pytest.raises(ValueError, match="is not a SoundFont"):
        soundfont_samples.tables(tmp_path / "text.sf2")
