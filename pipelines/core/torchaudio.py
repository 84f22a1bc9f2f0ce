"""Import torchaudio, also with a CPU build of torch. Use its functions for tensors only: its `load` and `save` need TorchCodec.

The only build on PyPI is linked to CUDA, and with a CPU torch `import torchaudio` raises OSError (`libc10_cuda.so`). Only filters
and alignments use that library. So this module declares the extension absent, as a build without it does: filters then run in
Python, alignments do not run, and nothing else changes. With a CUDA torch it does nothing.
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
