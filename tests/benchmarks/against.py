"""The same rows for this tree and another one, in turns, so that both see the same machine.

Both run a copy of this tree's benchmarks, each with its own interpreter and ``rtu_magics``. A group
goes back and forth between them; what looks slower than it may be is measured again.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["compare"]

SLOWER = 1.05  # a ratio above is looked at again
AGAIN = 2  # … so many times over
_KINDS = ("old", "new")


@dataclass
class Samples:
    """What one row's rounds gave on both sides, in the row's unit."""

    unit: str = ""
    old: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """The new median by the old one, None if the old tree cannot do it or has nothing."""
        if not (self.old and self.new and min(self.old)):
            return None
        return statistics.median(self.new) / statistics.median(self.old)

    @property
    def best(self) -> float | None:
        """The same of the best rounds, in which the machine was disturbed least."""
        return None if self.ratio is None else min(self.new) / min(self.old)

    @property
    def slower(self) -> bool:
        """Whether the new tree takes longer than it may, by both measures."""
        return min(self.ratio or 0.0, self.best or 0.0) > SLOWER


def compare(here: Path, other: Path, groups: list[str], *, rounds: int, quick: bool) -> list[Any]:
    """Print a table of both trees and return its rows as they go into JSON.

    Parameters
    ----------
    here, other
        The roots of two checkouts with an environment in ``.venv`` each.
    groups
        Which groups of rows.
    rounds
        How often each group is measured on both sides.
    quick
        Whether there are fewer repetitions within a round.

    Raises
    ------
    FileNotFoundError
        A tree has no environment.
    """
    pythons = {"old": _python_of(other), "new": _python_of(here)}
    found: list[Any] = []
    print(f"{'what':52} {'old':>14} {'new':>14} {'new/old':>8} {'of best':>8}")
    with tempfile.TemporaryDirectory(prefix="rtu-against-") as home:
        shutil.copytree(here / "tests", Path(home) / "tests", ignore=_no_litter)
        for group in groups:
            rows: dict[str, Samples] = defaultdict(Samples)
            done = 0
            for goal in range(rounds, rounds * (AGAIN + 1) + 1, rounds):
                while done < goal:
                    kinds = _KINDS if done % 2 == 0 else _KINDS[::-1]
                    for kind in kinds:
                        _measure(pythons[kind], home, group, quick, kind, rows)
                    done += 1
                if not any(samples.slower for samples in rows.values()):
                    break
            print(f"-- {group}, {done} rounds")
            for what, samples in rows.items():
                found.append(_shown(group, what, samples))
    return found


def _python_of(tree: Path) -> Path:
    python = tree / (".venv/Scripts/python.exe" if sys.platform == "win32" else ".venv/bin/python")
    if not python.exists():
        raise FileNotFoundError(f"no environment at {python}: make one with the extra 'dev'")
    return python.absolute()


def _no_litter(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("__pycache__", "results.json", "artefacts")]


def _measure(
    python: Path, home: str, group: str, quick: bool, kind: str, rows: dict[str, Samples]
) -> None:
    """Run a group with one tree's interpreter and note its figures."""
    results = Path(home) / "results.json"
    results.unlink(missing_ok=True)
    command = [str(python), "-m", "tests.benchmarks", group, "--no-peer", "--json", str(results)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(  # noqa: PLW1510  a tree that cannot do all of a group still did some
        [*command, *(["--quick"] if quick else [])],
        cwd=home,
        capture_output=True,
        text=True,
        env=environment,
    )
    if not results.exists():
        print(f"!! {kind} {group}: {ran.stderr.strip()[-300:]}", file=sys.stderr)
        return
    content = json.loads(results.read_text("utf-8"))
    for problem in content["problems"]:
        print(f"!! {kind}: {problem}", file=sys.stderr)
    last = ""
    for row in content["rows"]:
        what = row["what"] if not row["what"].startswith("…") else f"{last} {row['what']}"
        last = last if row["what"].startswith("…") else row["what"]
        samples = rows[what]
        samples.unit = row["unit"]
        getattr(samples, kind).append(row["ours"])


def _shown(group: str, what: str, samples: Samples) -> dict[str, Any]:
    """Print a row; return it."""
    middle = {
        kind: statistics.median(figures) if (figures := getattr(samples, kind)) else None
        for kind in _KINDS
    }
    old, new = (
        "–" if value is None else f"{value:,.2f} {samples.unit}" for value in middle.values()
    )
    ratios = (samples.ratio, samples.best)
    ratio, best = ("–" if value is None else f"{value:.2f}" for value in ratios)
    verdict = "  slower" if samples.slower else ""
    print(f"{what[:52]:52} {old:>14} {new:>14} {ratio:>8} {best:>8}{verdict}")
    sys.stdout.flush()
    return {
        "group": group,
        "what": what,
        "unit": samples.unit,
        "ratio": samples.ratio,
        "of_best": samples.best,
        "old": samples.old,
        "new": samples.new,
    }
