"""The small projects of the registry's and the audit's tests are pruned here."""

import sys
from pathlib import Path

for folder in ("registry", "lineage"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
