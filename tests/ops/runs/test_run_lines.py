"""Lines of bounded length, whatever a process prints, and what it prints on a terminal."""

import io
import os
import subprocess
import sys
import tracemalloc

import pytest
from helpers import PROJECT, run_in

from pipelines.ops.runs.call import call
from pipelines.ops.runs.lines import LONGEST, Copied, bounded


def test_lines_are_cut_and_counted():
    found = list(bounded(io.StringIO("a\n\n" + "b" * 12 + "\n" + "c" * 10 + "\nd"), longest=10))
    assert found == ["a", "", "b" * 10 + " ... (2 characters more)", "c" * 10, "d"]


def test_an_endless_line_takes_no_memory():
    class Endless(io.RawIOBase):
        left = 200 << 20

        def readable(self):
            return True

        def readinto(self, buffer):
            self.left -= len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer) if self.left > 0 else 0

    stream = io.TextIOWrapper(io.BufferedReader(Endless(), 1 << 20))
    tracemalloc.start()
    try:
        (line,) = bounded(stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert line.startswith("x" * LONGEST) and line.endswith("characters more)") and peak < 20 << 20


def test_a_carriage_return_ends_a_line_at_once():
    ours, theirs = os.pipe()
    copy, target = os.pipe()
    os.write(theirs, b"50%\r")
    lines = bounded(Copied(ours, target).text())
    assert next(lines) == "50%"  # nothing more has come, and nothing is waited for
    os.close(theirs)
    assert list(lines) == [] and os.read(copy, 99) == b"50%\r"


BOTH = "import sys; print('out'); print('err', sys.stderr.isatty(), file=sys.stderr); print('end'); sys.exit(3)"


def test_output_is_passed_on_and_heard(capfd):
    out, err = [], []
    command = [sys.executable, "-u", "-c", BOTH]
    assert call(command, dict(os.environ), out.append, err.append) == 3
    assert out == ["out", "end"] and err == ["err False"]
    assert capfd.readouterr() == ("", "err False\n")


def test_on_a_terminal_the_command_has_one_too(tmp_path):
    pty = pytest.importorskip("pty")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nfrom pipelines.ops.runs.call import call\n"
        f"call([sys.executable, '-c', {BOTH!r}], dict(os.environ), print, lambda line: None)\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    os.close(theirs)
    assert process.communicate(timeout=60)[0].split() == [b"out", b"end"]
    assert b"err True" in os.read(ours, 999)
    os.close(ours)


@pytest.mark.fault
@pytest.mark.cold
def test_an_endless_stage_fills_neither_memory_nor_disk(tmp_path):
    """300,000 lines, and a line of 50 MB, from a stage of `conservatory run`."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "params.yaml").write_text("datasets: {}\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  loud:\n    cmd: python loud.py\n    outs: [out]\n")
    (tmp_path / "loud.py").write_text(
        "import sys\n"
        "for block in range(30):\n    sys.stdout.write('again and again\\n' * 10_000)\n"
        "sys.stdout.write('x' * 50_000_000 + '\\nthe last\\n')\n"
        "open('out', 'w').write('made')\n"
    )
    code = (
        "import re, sys, pipelines.ops.run as run; status = run.repro([]);"
        # not ru_maxrss, which begins with what the process that started this one had
        "print(status, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )
    (tmp_path / "go.py").write_text(code)
    done = run_in(tmp_path, sys.executable, "go.py", PYTHONPATH=str(PROJECT))
    status, kilobytes = done.stderr.split()[-2:]
    assert status == "0" and int(kilobytes) < 400_000
    (log,) = (tmp_path / ".cache/logs").glob("*.jsonl")
    text = log.read_text()
    assert log.stat().st_size < 300_000
    assert "lines are left out here" in text and "the last" in text and "characters more" in text
