"""What the status shows, as plain data, and the messages that tell a front end of a change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...models import CellStateName, EndReason

if TYPE_CHECKING:
    from ...models import CellState
    from ...session import Session
    from ...session.events import UsageChanged

__all__ = ["MAY_EDIT", "MAY_RUN", "Line", "Strip", "line_of", "mark_of"]

MAY_RUN = frozenset({"executor", "contributor", "owner"})
MAY_EDIT = frozenset({"contributor", "owner"})

_MARKS = {
    CellStateName.QUEUED: "queued",
    CellStateName.EXECUTING: "running",
    CellStateName.FINISHED: "done",
    CellStateName.FAILED: "failed",
    CellStateName.CATASTROPHIC_FAILURE: "failed",
    CellStateName.INTERRUPTED: "failed",
}


@dataclass(frozen=True)
class Line:
    """The status in words.

    Attributes
    ----------
    connection
        ``connecting``, ``live``, ``reconnecting``, ``closed``, or ``refused:`` and why.
    retry_in
        Seconds until the next attempt, if one is waited for.
    notebook, server
        What it is a session with.
    kernel_name, kernel_state
        The remote kernel; the name is empty before one is started.
    people
        The names of those who have the notebook open.
    role
        What this user may do, empty if the server does not say.
    load
        What the kernel takes of its machine, None if it is not known.
    file_trouble
        What keeps the notebook from its file, empty if nothing does.
    """

    connection: str
    retry_in: int | None
    notebook: str
    server: str
    kernel_name: str
    kernel_state: str
    people: tuple[str, ...]
    role: str
    load: UsageChanged | None = None
    file_trouble: str = ""

    @property
    def words(self) -> list[str]:
        """The parts of the line, in the order in which they are shown."""
        connection = self.connection
        if self.retry_in is not None:
            connection += f", next attempt in {self.retry_in} s"
        parts = [
            connection,
            f"{self.notebook} at {self.server}",
            f"kernel {self.kernel_name} {self.kernel_state}".replace("  ", " "),
        ]
        if self.file_trouble:
            parts.append(self.file_trouble)
        if self.people:
            count = len(self.people)
            names = ", ".join(self.people[:5]) + (f" and {count - 5} more" if count > 5 else "")
            parts.append(f"{count} {'person' if count == 1 else 'people'}: {names}")
        if self.role:
            parts.append(self.role)
        if self.load is not None:
            size = self.load.memory_bytes
            memory = f"{self.load.memory_percent} %" if size is None else f"{size / 1e6:,.0f} MB"
            parts.append(f"CPU {self.load.cpu_percent} %, memory {memory}")
        return parts


def line_of(session: Session, load: UsageChanged | None = None) -> Line:
    """Return the status in words. Reads what is known; asks nobody.

    Parameters
    ----------
    session
        The session.
    load
        What the kernel takes.
    """
    kernel = session.kernel_session
    alive = session.kernel_alive
    connection = session.connection
    if session.refused:
        connection = f"refused: {session.refused}"
    retry_at = session.client.manager.retry_at if connection == "reconnecting" else None
    names = sorted(person.name or "somebody" for person in session.people.values())
    return Line(
        connection=connection,
        retry_in=None if retry_at is None else max(0, round(retry_at - time.time())),
        notebook=session.path,
        server=session.context.lives_at.split("://")[-1].rstrip("/"),
        kernel_name=kernel.kernel.name if kernel is not None and alive else "",
        kernel_state=session.client.kernel_state.replace("_", " "),
        people=tuple(names),
        role=session.role or "",
        load=load if alive else None,
        file_trouble=session.file_trouble,
    )


def mark_of(state: CellState | None, type_name: str = "code") -> str:
    """Return how a cell is marked: its state, or ``text`` for what does not run."""
    if state is None:
        return "idle" if type_name == "code" else "text"
    if state.waiting_for_input:
        return "asking"
    if state.never_began:
        return "skipped"
    if state.reason == EndReason.EXPECTED_ERROR:
        return "done"
    return _MARKS.get(state.state, "idle")


class Strip:
    """One mark for each cell, and what is new since a front end was told last.

    Parameters
    ----------
    session
        The session.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._ids: list[str] = []
        self._marks: dict[str, tuple[str, float | None]] = {}
        self.told = False

    def _now(self) -> tuple[list[str], dict[str, tuple[str, float | None]]]:
        states = self.session.cell_states
        ids: list[str] = []
        marks: dict[str, tuple[str, float | None]] = {}
        for cell in list(self.session.client.builder.cells):
            ids.append(cell.id)
            state = states.get(cell.id)
            mark = mark_of(state, cell.cell_type)
            if mark == "done" and state is not None and state.is_outdated(cell.source):
                mark = "changed"
            old = self._marks.get(cell.id)
            if old is not None and old[0] == mark:
                marks[cell.id] = old
            else:
                marks[cell.id] = (mark, time.time() if mark in ("running", "asking") else None)
        return ids, marks

    def whole(self) -> dict[str, Any]:
        """Return the message that tells everything."""
        self._ids, self._marks = self._now()
        self.told = True
        return {"t": "all", "cells": [[i, *self._told(i)] for i in self._ids]}

    def changes(self) -> list[dict[str, Any]]:
        """Return the messages that tell what is new; their length goes with the change."""
        before, old = self._ids, self._marks
        self._ids, self._marks = ids, marks = self._now()
        messages: list[dict[str, Any]] = []
        if ids != before:
            start = _common(before, ids)
            end = _common(before[start:][::-1], ids[start:][::-1])
            new = ids[start : len(ids) - end]
            gone = len(before) - end - start
            cells = [[i, *self._told(i)] for i in new]
            messages.append({"t": "splice", "at": start, "gone": gone, "cells": cells})
            old = {**old, **{i: marks[i] for i in new}}
        changed = {i: self._told(i) for i in ids if old.get(i) != marks[i]}
        if changed:
            messages.append({"t": "set", "cells": changed})
        return messages

    def _told(self, cell_id: str) -> list[Any]:
        mark, since = self._marks[cell_id]
        # How long ago, not when: the browser's clock may differ.
        return [mark] if since is None else [mark, round(time.time() - since, 1)]

    def counts(self) -> dict[str, int]:
        """Return how many cells have which mark."""
        found: dict[str, int] = {}
        for mark, _ in self._now()[1].values():
            found[mark] = found.get(mark, 0) + 1
        return found


def _common(one: list[str], other: list[str]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
