"""The embedded server: from `connect` in a fresh process to a live session."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..harness import ROOT, Bench, Row, at_most

CONNECT = """
import sys, time
import IPython
start = time.perf_counter()
import rtu_magics
session = rtu_magics.connect(sys.argv[1], say=lambda line: None, new=True)
print(time.perf_counter() - start)
session.close()
"""
AGAIN = """
import sys, time, subprocess
import rtu_magics
keep = rtu_magics.connect(sys.argv[1], say=lambda line: None, new=True)
print(subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], text=True, check=True,
                     capture_output=True).stdout)
keep.close()
"""


def rows(bench: Bench) -> Iterator[Row]:
    repeat = bench.repeat(5)
    connect("")  # so that byte code is there
    warm = statistics.median(connect("") for _ in range(repeat))
    yield Row("embedded start, warm, to a live session", "–", None, warm, at_most(2), unit="s")
    # Without any byte code: more than a first start ever has to do, save for a cold disk.
    with tempfile.TemporaryDirectory(prefix="rtu-bench-") as nowhere:
        cold = connect(nowhere)
    yield Row("embedded start, nothing compiled", "–", None, cold, at_most(4), unit="s")
    again = statistics.median(connect("", beside=True) for _ in range(repeat))
    yield Row("… when the directory's server runs", "a start", warm, again, unit="s")


def connect(cache: str, *, beside: bool = False) -> float:
    """Return seconds; `cache` is where byte code is looked for, if elsewhere."""
    with tempfile.TemporaryDirectory(prefix="rtu-bench-") as root:
        target = str(Path(root) / "n.ipynb")
        code = ["-c", AGAIN, target, CONNECT] if beside else ["-c", CONNECT, target]
        environment = os.environ | ({"PYTHONPYCACHEPREFIX": cache} if cache else {})
        ran = subprocess.run(
            [sys.executable, *code],
            capture_output=True,
            text=True,
            check=True,
            timeout=90,
            cwd=ROOT,
            env=environment,
        )
        return float(ran.stdout.split()[0])
