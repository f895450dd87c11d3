"""``%load_ext rtu_magics`` beyond IPython itself, against importing the peer's client."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from ..harness import ROOT, Bench, Row, at_most, peer_environ

OURS = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "rtu_magics")
print(time.perf_counter() - start)
assert shell.find_line_magic("rtu_connect")
"""
PEER = """
import time
start = time.perf_counter()
import origami.clients.rtu
print(time.perf_counter() - start)
"""


def rows(bench: Bench) -> Iterator[Row]:
    repeat = bench.repeat(15)
    yield Row(
        "%load_ext rtu_magics beyond IPython",
        "peer's import",
        median_seconds(bench.peer_python, PEER, repeat) if bench.peer_python else None,
        median_seconds(sys.executable, OURS, repeat) or 0.0,
        at_most(80),
        unit="ms",
    )


def median_seconds(python: str, code: str, repeat: int) -> float:
    def once() -> float:
        ran = subprocess.run(
            [python, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            cwd=ROOT,
            env=peer_environ(),
        )
        return float(ran.stdout.split()[0])

    once()  # so that byte code is there for both
    return statistics.median(once() for _ in range(repeat)) * 1000
