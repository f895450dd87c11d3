"""Times both sides, prints a table and writes it as JSON.

A group of rows is a module in ``rows/`` with a function ``rows(bench)`` that yields `Row` objects.

With ``--against TREE`` the other side is another checkout of this project, made with
``git worktree add TREE COMMIT`` and an environment in its ``.venv``: see `against`.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import pkgutil
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..helpers.peer import peer_environ, peer_python
from . import rows as row_modules
from .against import compare

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """What a row has to reach, in words and as a test."""

    text: str
    reached: Callable[[Row], bool]


def faster(times: float) -> Target:
    """At least so many times faster than the other side."""
    return Target(f"≥ {times:g}× faster", lambda row: row.ratio is not None and row.ratio >= times)


def within(times: float) -> Target:
    """At most so many times the other side's time."""
    return Target(
        f"≤ {times:g}× of it", lambda row: row.ratio is not None and row.ratio >= 1 / times
    )


def at_most(limit: float) -> Target:
    """At most so much, in the row's unit."""
    return Target(f"≤ {limit:g}", lambda row: row.ours <= limit)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what
        What was timed.
    against
        What the other side is: ``peer``, or a floor such as ``diff-match-patch``.
    other, ours
        Medians in `unit`; `other` is None when the other side cannot do it at all.
    target
        What has to be reached, None for rows that are only measured.
    note
        Anything that the figures do not say.
    """

    what: str
    against: str
    other: float | None
    ours: float
    target: Target | None = None
    unit: str = "µs"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times faster we are."""
        return None if self.other is None or not self.ours else self.other / self.ours


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the garbage collector out of what is timed, as `timeit` does."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(call: Callable[[], Any], *, repeat: int = 9, number: int = 1) -> float:
    """Return the median time of one call in µs, after one call to warm up.

    It is processor time: such calls wait for nothing, and others' work is not to count.
    """
    call()
    samples = []
    with undisturbed():
        for _ in range(repeat):
            start = time.process_time()
            for _ in range(number):
                call()
            samples.append((time.process_time() - start) / number)
    return statistics.median(samples) * 1e6


@dataclass
class Bench:
    """What rows need: whether to hurry, and the other side."""

    quick: bool = False
    without_peer: bool = False
    problems: list[str] = field(default_factory=list)

    @cached_property
    def peer_python(self) -> str | None:
        """The peer's interpreter, None if there is none or it is not wanted."""
        if self.without_peer:
            return None
        try:
            return peer_python()
        except (OSError, subprocess.SubprocessError) as exc:
            self.problems.append(f"no environment for the peer: {exc}")
            return None

    def repeat(self, often: int) -> int:
        """Return how often to repeat: less when hurrying."""
        return max(3, often // 3) if self.quick else often

    def peer(self, task: str, **payload: Any) -> Any:
        """Run a task of ``peer_side.py`` in the peer's environment; None without a peer."""
        if self.peer_python is None:
            return None
        script = Path(__file__).with_name("peer_side.py")
        ran = subprocess.run(  # noqa: PLW1510  the status is looked at below
            [self.peer_python, str(script), task],
            input=json.dumps(payload),
            capture_output=True,
            text=True,
            timeout=600,
            env=peer_environ(),
        )
        if ran.returncode:
            self.problems.append(f"the peer failed at {task}: {ran.stderr.strip()[-300:]}")
            return None
        return json.loads(ran.stdout)


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _print_header() -> None:
    print(f"{'what':48} {'against':>18} {'other':>12} {'ours':>12} {'ratio':>8}  target")


def _print_row(row: Row) -> None:
    verdict = ""
    if row.target is not None:
        verdict = f"{row.target.text} {'✓' if row.target.reached(row) else '✗'}"
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}×"
    other, ours = (f"{_figure(value)} {row.unit}" for value in (row.other, row.ours))
    note = f"  ({row.note})" if row.note else ""
    print(f"{row.what:48} {row.against:>18} {other:>12} {ours:>12} {ratio:>8}  {verdict}{note}")


def _as_json(group: str, row: Row) -> dict[str, Any]:
    content = asdict(row) | {"group": group, "ratio": row.ratio}
    target = content.pop("target")
    content["target"] = target and target["text"]
    content["reached"] = row.target.reached(row) if row.target else None
    return content


def _machine() -> dict[str, Any]:
    packages = ("pydantic", "diff-match-patch", "websockets", "ipython", "jupyter_server")
    return {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in packages},
    }


def groups() -> list[str]:
    """Return the names of all groups of rows."""
    return sorted(module.name for module in pkgutil.iter_modules(row_modules.__path__))


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; the status is 0 unless a row could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"some of: {', '.join(groups())}; all by default")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).with_name("results.json"), metavar="FILE"
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--no-peer", action="store_true", help="only the floors that need no peer")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="TREE",
        help="instead of the floors: another checkout of this project, with its own .venv; each "
        "group is measured in turns there and here",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="with --against: rounds of each group"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.groups) - set(groups())
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    if options.against is not None:
        names, rounds = options.groups or groups(), options.rounds
        rows = compare(ROOT, options.against, names, rounds=rounds, quick=options.quick)
        return _written(options.json, rows, [])
    bench = Bench(quick=options.quick, without_peer=options.no_peer)
    results = []
    _print_header()
    for group in options.groups or groups():
        module = importlib.import_module(f"{row_modules.__name__}.{group}")
        print(f"-- {group}")
        found: Iterable[Row] = module.rows(bench)
        try:
            for row in found:
                _print_row(row)
                sys.stdout.flush()
                results.append(_as_json(group, row))
        except Exception as exc:  # one broken group must not hide the others' figures
            bench.problems.append(f"{group}: {type(exc).__name__}: {exc}")
    for problem in bench.problems:
        print(f"!! {problem}", file=sys.stderr)
    return _written(options.json, results, bench.problems)


def _written(path: Path, rows: list[Any], problems: list[str]) -> int:
    content = _machine() | {"rows": rows, "problems": problems}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"written to {path}")
    return 1 if problems else 0
