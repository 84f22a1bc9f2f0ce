"""What tests of corpora share."""

import pytest
from misbehaving import serving


@pytest.fixture
def host():
    """A web server on this machine that behaves badly when told to."""
    with serving() as host:
        yield host
