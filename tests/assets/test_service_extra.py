"""What a service says where it cannot start."""

import sys

from helpers import PROJECT, run_in

WITHOUT = "import sys; sys.modules['dagster_postgres'] = None; sys.argv = ['services', 'daemon']"


def test_without_the_extra_a_service_names_it(tmp_path):
    code = f"{WITHOUT}; from assets import services; services.main()"
    done = run_in(tmp_path, sys.executable, "-c", code, check=False, PYTHONPATH=str(PROJECT))
    assert done.returncode == 1 and "'.[deploy]'" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / ".dagster").exists()
