"""The command line of a stage: `python -m pipelines.stages.<stage> <name>...`."""

import argparse
import inspect
from collections.abc import Callable


def run(main: Callable[..., None], doc: str | None) -> None:
    """Call `main` with the names on the command line, one for each of its parameters; `--help` prints `doc`."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=doc, formatter_class=formatter, allow_abbrev=False)
    for name in inspect.signature(main).parameters:
        parser.add_argument(name)
    main(**vars(parser.parse_args()))
