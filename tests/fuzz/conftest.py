"""How long the targets run: 15 inputs each in the tests, or what CONSERVATORY_FUZZ says (`make fuzz`)."""

import os

from hypothesis import HealthCheck, settings

N = int(os.environ.get("CONSERVATORY_FUZZ") or 0)
settings.register_profile(
    "fuzz",
    max_examples=N or 15,
    derandomize=not N,  # the tests try the same inputs each time; `make fuzz` others, and keeps what it finds in .hypothesis/
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
