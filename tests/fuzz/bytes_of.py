"""Strategies: bytes of any kind, and valid files with a few things wrong, which get further into a reader than noise does."""

from collections.abc import Callable

from hypothesis import settings, strategies

LENGTHS = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 36,
    (1 << 63) - 1,
    (1 << 64) - 1,
)


def fuzz(test: Callable) -> Callable:
    """Run a target as often as `conftest.py` says."""
    return settings(settings.get_profile("fuzz"))(test)


def numbers() -> strategies.SearchStrategy[bytes]:
    """Lengths that readers are told, in both byte orders."""
    return strategies.builds(
        lambda value, size, order: (value % (1 << 8 * size)).to_bytes(size, order),
        strategies.sampled_from(LENGTHS),
        strategies.sampled_from((1, 2, 4, 8)),
        strategies.sampled_from(("little", "big")),
    )


@strategies.composite
def spoilt(draw, valid: tuple[bytes, ...], words: tuple[bytes, ...] = ()) -> bytes:
    """One of the valid files after up to six changes: bytes overwritten, put in, taken out, doubled, or the end cut off. `words`
    are put in as they are, beside random bytes and lengths. Most changes fall into the first 256 bytes, where headers are."""
    content = bytearray(draw(strategies.sampled_from(valid)))
    piece = strategies.one_of(strategies.binary(min_size=1, max_size=8), numbers(), *map(strategies.just, words))
    for _ in range(draw(strategies.integers(0, 6))):
        if not content:
            break
        last = len(content) - 1
        place = draw(strategies.integers(0, min(last, 255)) | strategies.integers(0, last))
        how = draw(strategies.sampled_from(("overwrite", "put in", "take out", "double", "cut")))
        if how == "overwrite":
            new = draw(piece)
            content[place : place + len(new)] = new
        elif how == "put in":
            content[place:place] = draw(piece)
        elif how == "take out":
            del content[place : place + draw(strategies.integers(1, 64))]
        elif how == "double":
            content[place:place] = content[place : place + draw(strategies.integers(1, 256))]
        else:
            del content[place:]
    return bytes(content)


def files(*valid: bytes, words: tuple[bytes, ...] = ()) -> strategies.SearchStrategy[bytes]:
    """Spoilt copies of `valid`, and now and then no such file at all."""
    return spoilt(valid, words) | spoilt(valid, words) | spoilt(valid, words) | strategies.binary(max_size=200)
