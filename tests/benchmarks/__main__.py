"""Run the benchmarks: ``python -m tests.benchmarks``, or ``python tests/benchmarks``."""

import sys
from pathlib import Path

if not __package__:  # started by path: what is imported below is found from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.benchmarks.harness import main

if __name__ == "__main__":
    sys.exit(main())
