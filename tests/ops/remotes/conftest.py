"""The small project of the registry's tests is what is pushed and pulled here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "registry"))
