"""Try faults: `python -m chaos.run [--count N] [--fault NAME] [--seed N]`, with tests/ on Python's path; `make chaos` does.

A trial is a seed. What became of each is kept in .cache/chaos/results.jsonl, so that an interrupted run goes on; what
was survived is not tried again until that file is removed, what failed is. The table goes to docs/faults.md.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from chaos import project
from chaos.faults import FAULTS
from pipelines.core.files import atomic

HOME = project.PROJECT / ".cache/chaos"
PAGE = project.PROJECT / "docs/faults.md"
BEGIN, END = "<!-- the table: written by make chaos -->", "<!-- end of the table -->"


def code() -> str:
    """A hash of all that a fault could meet: the recipe and the code of its stages."""
    listed = [
        *sorted((project.PROJECT / "pipelines").rglob("*.py")),
        *sorted((project.PROJECT / "assets").rglob("*.py")),
    ]
    digest = hashlib.sha256()
    for path in [*listed, project.PROJECT / "dvc.yaml", project.PROJECT / "params.yaml", Path(project.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def results() -> dict[tuple[str, int], dict]:
    """(fault, seed) -> what became of it at last."""
    path = HOME / "results.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return {(row["fault"], row["seed"]): row for row in rows}


def attempt(name: str, seed: int, version: str) -> dict:
    """One trial, in a folder that is removed unless the trial failed."""
    reference = project.undisturbed(HOME / version)
    folder = Path(tempfile.mkdtemp(prefix=f"{name.replace(' ', '-')}-{seed}-", dir=HOME))
    row = {"fault": name, "seed": seed, "code": version}
    try:
        row |= {"survived": True, "did": FAULTS[name].trial(seed, reference, folder)}
    except Exception:
        return row | {"survived": False, "did": traceback.format_exc()[-6000:], "left": str(folder)}
    shutil.rmtree(folder, ignore_errors=True)
    return row


def table(done: dict[tuple[str, int], dict]) -> str:
    lines = ["| fault | tried | survived | found |", "| --- | --- | --- | --- |"]
    for name, fault in FAULTS.items():
        rows = [row for (which, _), row in done.items() if which == name]
        lines.append(f"| {name} | {len(rows)} | {sum(row['survived'] for row in rows)} | {fault.found or 'nothing'} |")
    lines.append(f"| all | {len(done)} | {sum(row['survived'] for row in done.values())} | |")
    return "\n".join(lines)


def write_page(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    with atomic(PAGE) as temporary:
        temporary.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.run", description=__doc__.partition("\n\n")[0])
    parser.add_argument(
        "--count", type=int, default=100, help="kills in all; the other faults in proportion (default: 100)"
    )
    parser.add_argument("--fault", choices=FAULTS, help="this fault alone")
    parser.add_argument("--seed", type=int, help="this seed alone, also if it was tried before")
    arguments = parser.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    version, failed = code(), 0
    done = results()
    for name, fault in FAULTS.items():
        if arguments.fault not in (None, name):
            continue
        if why := fault.lacking():
            print(f"{name}: not tried, {why}")
            continue
        seeds = range(fault.trials(arguments.count)) if arguments.seed is None else [arguments.seed]
        for seed in seeds:
            if arguments.seed is None and done.get((name, seed), {}).get("survived"):
                continue
            began = time.monotonic()
            row = attempt(name, seed, version)
            with open(HOME / "results.jsonl", "a") as file:
                file.write(json.dumps(row) + "\n")
            done[name, seed] = row
            failed += not row["survived"]
            said = f"{row['did']}" if row["survived"] else f"FAILED, and left {row['left']}\n{row['did']}"
            print(f"{name} {seed}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
            if not row["survived"]:
                print(f'  to repeat it: make chaos FAULT="{name}" SEED={seed}', flush=True)
    text = table(done)
    print(text)
    if arguments.fault is None and arguments.seed is None:
        write_page(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
