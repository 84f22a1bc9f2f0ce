"""The tiny project of tests/assets, for the tests here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "assets"))
