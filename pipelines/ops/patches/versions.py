"""Compare the installed version of DVC or Dagster with the version a patch was written for."""

import warnings
from functools import cache

INSTALL = "pip install -c constraints.txt -e ."


class PatchWarning(UserWarning):
    """The installed version of a package is not the one that a patch was written for."""


@cache
def fits(package: str, written_for: str, without: str) -> bool:
    """Is the installed version of `package` in the minor series of `written_for` (of 3.67.1: 3.67)?

    A caller that can do without its patch does not apply it if the answer is no. Warns once per process: of another patch
    release, that it is untested; of another series, also what happens (`without`, a clause).
    """
    installed = _installed(package)
    if installed == written_for:
        return True
    if installed.split(".")[:2] == written_for.split(".")[:2]:
        _warn(
            f"{package} {installed} is installed; Conservatory was tested with {written_for}. To install that: {INSTALL}"
        )
        return True
    _warn(f"{package} {installed} is installed, not {written_for}, so {without}. To install {written_for}: {INSTALL}")
    return False


@cache
def _installed(package: str) -> str:
    from importlib.metadata import version  # 20 ms, which `conservatory --help` does not need

    return version(package)


@cache
def _warn(message: str) -> None:
    warnings.warn(message, PatchWarning, stacklevel=4)
