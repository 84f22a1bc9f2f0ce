"""torchaudio, also beside a CPU build of torch. Use its functions for tensors only: its `load` and `save` need TorchCodec.

The one build on PyPI is linked to CUDA, and beside a CPU torch `import torchaudio` ends in an OSError (`libc10_cuda.so`). Only
filters and alignments use that library. So its absence is declared, as a build without the extension declares it: filters then
run in Python, alignments do not run, nothing else changes. Beside a CUDA torch nothing is done.
"""

import importlib
import sys
from types import ModuleType

EXTENSION = "torchaudio._extension"


def load() -> ModuleType:
    """The module `torchaudio`; a fraction of a second once torch is there, so import it only where it is used."""
    try:
        return importlib.import_module("torchaudio")
    except OSError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]  # half of it
        stub = ModuleType(EXTENSION)
        stub._IS_TORCHAUDIO_EXT_AVAILABLE, stub.fail_if_no_align = False, lambda function: function
        sys.modules[EXTENSION] = stub
        return importlib.import_module("torchaudio")
