"""Was anything acknowledged lost, or anything done twice?"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import FileDeltaAdapter, FileDeltaBase, Notebook

from .editors import Editor

__all__ = [
    "Findings",
    "Ledger",
    "Stored",
    "chain_of_dead",
    "chain_of_live",
    "content",
    "marks_in",
]

_MARK = re.compile(r"<[a-z]+[0-9]+>\n")


def content(builder: NotebookBuilder) -> dict[str, Any]:
    """Return all that a notebook is, as plain JSON."""
    return json.loads(builder.dumps())


@dataclass(frozen=True)
class Stored:
    """A notebook's chain as the store has it.

    Attributes
    ----------
    deltas
        Those that are still there, in order.
    left
        The ids of earlier ones, which are part of a version and were taken out to save room.
    """

    deltas: list[FileDeltaBase]
    left: set[UUID]

    def __len__(self) -> int:
        return len(self.deltas) + len(self.left)


def chain_of_live(root: Path) -> Stored:
    """Read the only notebook's chain from the store of a server that runs."""
    return _read(root / ".rtu_magics" / "rtu.db")


def chain_of_dead(root: Path) -> Stored:
    """Read it from a copy, so that the server finds its own files as its death has left them."""
    with TemporaryDirectory() as directory:
        for file in (root / ".rtu_magics").glob("rtu.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, directory)
        return _read(Path(directory) / "rtu.db")


def _read(database: Path) -> Stored:
    connection = sqlite3.connect(database)
    try:
        connection.execute("BEGIN")  # so that both are of one moment
        rows = connection.execute("SELECT body FROM rtu_deltas ORDER BY epoch, seq").fetchall()
        left = connection.execute("SELECT id FROM rtu_spent_deltas").fetchall()
    finally:
        connection.close()
    deltas = [FileDeltaAdapter.validate_json(body) for (body,) in rows]
    return Stored(deltas, {UUID(one) for (one,) in left})


def marks_in(journal: str) -> Counter[str]:
    r"""Count the marks in a journal.

    A patch against an older text goes where diff-match-patch finds most of its context, and that
    may be inside another mark. Both are there all the same.

    Examples
    --------
    >>> sorted(marks_in("begin\n<a2<b32>\n9>\n<a1>\nend\n").elements())
    ['<a1>', '<a29>', '<b32>']
    """
    found: Counter[str] = Counter()
    while whole := _MARK.findall(journal):
        found.update(mark.rstrip("\n") for mark in whole)
        journal = _MARK.sub("", journal)
    return found


@dataclass
class Findings:
    """What is wrong; all empty when nothing is."""

    lost: set[str] = field(default_factory=set)
    """Acknowledged, or shown to somebody, and not (or no longer) there."""
    doubled: set[str] = field(default_factory=set)
    """There more than once."""
    refused_but_kept: set[str] = field(default_factory=set)
    """Refused, and yet there."""
    differences: list[str] = field(default_factory=list)
    """Between the replicas, the store and the file."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.refused_but_kept or self.differences)

    def add(self, other: Findings) -> None:
        self.lost |= other.lost
        self.doubled |= other.doubled
        self.refused_but_kept |= other.refused_but_kept
        self.differences += other.differences

    def __str__(self) -> str:
        return (
            f"lost {len(self.lost)}, doubled {len(self.doubled)}, refused but kept "
            f"{len(self.refused_but_kept)}, differences: {'; '.join(self.differences) or 'none'}"
        )


class Ledger:
    """Compares what the editors were told with what there is.

    Parameters
    ----------
    seed
        The notebook before the first delta.
    editors
        Who edited it.
    """

    def __init__(self, seed: Notebook, editors: Sequence[Editor]) -> None:
        self._editors = editors
        self._replayed = NotebookBuilder(seed)
        self._replayed_ids: list[UUID] = []
        self._left: set[UUID] = set()  # what was found to have left the chain

    def check_chain(self, stored: Stored) -> Findings:
        """Compare the stored chain with the answers."""
        found = Findings()
        counts = Counter([*(delta.id for delta in stored.deltas), *stored.left])
        # The ids of those that left the chain long ago are forgotten by a rule.
        forgotten = self._left - stored.left
        self._left |= stored.left
        for editor in self._editors:
            told = editor.acknowledged | editor.seen
            found.lost |= {f"delta {one}" for one in told - forgotten if one not in counts}
            found.refused_but_kept |= {f"delta {one}" for one in editor.refused if one in counts}
        found.doubled |= {f"delta {one}" for one, count in counts.items() if count > 1}
        return found

    def check_notebook(self, name: str, builder: NotebookBuilder) -> Findings:
        """Compare a notebook with the answers: each acknowledged mark is in its journal once."""
        found = Findings()
        journals: dict[str, Counter[str]] = {}
        for cell in builder.cells:
            if cell.id in journals:
                found.doubled.add(f"{name}: cell {cell.id}")
            journals[cell.id] = marks_in(cell.source)
        for editor in self._editors:
            for delta_id, (journal, mark) in editor.marks.items():
                times = journals.get(journal, Counter())[mark]
                if times == 0 and delta_id in editor.acknowledged:
                    found.lost.add(f"{name}: {mark}")
                elif times > 1:
                    found.doubled.add(f"{name}: {mark}")
                elif times and delta_id in editor.refused:
                    found.refused_but_kept.add(f"{name}: {mark}")
        return found

    def replay(self, stored: Stored) -> tuple[NotebookBuilder, Findings]:
        """Return what the stored chain makes of the seed, whatever versions the server saved."""
        found = Findings()
        known = self._replayed_ids
        if stored.left and stored.deltas:
            first = stored.deltas[0].id
            known = known[known.index(first) :] if first in known else []
            if not known or not stored.left <= set(self._replayed_ids):
                found.differences.append("deltas have left the chain before they were read here")
        if [delta.id for delta in stored.deltas[: len(known)]] != known:
            found.differences.append("the store has rewritten its chain")
        for delta in stored.deltas[len(known) :]:
            if delta.parent_delta_id != (self._replayed_ids or [UUID(int=0)])[-1]:
                found.differences.append(f"delta {delta.id} does not follow the one before it")
            try:
                self._replayed.apply_delta(delta)
            except Exception as exc:  # whatever it is, it is a finding
                found.differences.append(f"the stored chain does not apply: {exc}")
            self._replayed_ids.append(delta.id)
        return self._replayed, found

    @staticmethod
    def compare(expected: NotebookBuilder, others: Iterable[tuple[str, Any]]) -> Findings:
        """Compare replicas (or their content) with the one that has to be right."""
        found = Findings()
        right = content(expected)
        for name, other in others:
            held = content(other) if isinstance(other, NotebookBuilder) else other
            if held != right:
                found.differences.append(
                    f"{name} differs from a fresh joiner: {_where(right, held)}"
                )
        return found


def _where(one: dict[str, Any], other: dict[str, Any]) -> str:
    ids, other_ids = ([cell["id"] for cell in side["cells"]] for side in (one, other))
    if ids != other_ids:
        missing, extra = set(ids) - set(other_ids), set(other_ids) - set(ids)
        return f"{len(missing)} cells missing, {len(extra)} too many, or in another order"
    cells = [a["id"] for a, b in zip(one["cells"], other["cells"], strict=True) if a != b]
    return f"cells {', '.join(cells[:5])}" if cells else "the notebook's metadata"
