"""What the mirror's front end is told of a notebook: cells, their states, people, the kernel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...models import CellStateName, EndReason
from .outputs import View, from_notebook, size_of

if TYPE_CHECKING:
    from ...models import CellState, KernelStatusUpdate
    from ...session import Session
    from ...session.events import Person

__all__ = [
    "Clock",
    "cell_view",
    "embedded_outputs",
    "info_view",
    "kernel_view",
    "language_of",
    "notebook_language",
    "person_view",
    "state_op",
    "type_of",
]

SMALL = 2_000  # characters of outputs that go along with any cell


class Clock:
    """How long cells have been running, or ran, by our own clock.

    The wire has no such times, and two machines' clocks differ: so the front end is told spans.
    """

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}

    def note(self, cell_id: str, state: str) -> None:
        """Note that a cell came into a state."""
        now = time.monotonic()
        if state == "executing":
            self._began[cell_id] = now
            self._took.pop(cell_id, None)
        elif state == "queued":
            self._began.pop(cell_id, None)
            self._took.pop(cell_id, None)
        else:
            began = self._began.pop(cell_id, None)
            if began is not None:
                self._took[cell_id] = now - began

    def milliseconds(self, cell_id: str) -> int | None:
        """Return how long a cell has been running or ran, None if nobody saw it start."""
        began = self._began.get(cell_id)
        seconds = time.monotonic() - began if began is not None else self._took.get(cell_id)
        return None if seconds is None else round(seconds * 1000)

    def forget(self, cell_id: str) -> None:
        """Drop a cell that has gone."""
        self._began.pop(cell_id, None)
        self._took.pop(cell_id, None)


def type_of(cell: Any) -> str:
    """Return ``code``, ``markdown``, ``raw`` or ``sql``."""
    return "sql" if getattr(cell, "is_sql_cell", False) else str(cell.cell_type)


def language_of(cell: Any) -> str | None:
    """Return a cell's own language, if it has one apart from the notebook's."""
    if type_of(cell) == "sql":
        return "sql"
    first = cell.source[:40].split("\n", 1)[0]
    magics = {"%%bash": "bash", "%%sh": "bash", "%%html": "xml", "%%javascript": "javascript"}
    magics |= {"%%js": "javascript", "%%sql": "sql", "%%latex": "latex", "%%markdown": "markdown"}
    magics |= {"%%R": "r", "%%svg": "xml"}
    return magics.get(first.split(" ", 1)[0])


def embedded_outputs(cell: Any) -> list[View]:
    """Return the outputs that a cell came with."""
    return [from_notebook(index, output) for index, output in enumerate(cell.outputs)]


def cell_view(
    cell: Any, state: CellState | None, clock: Clock, outputs: list[View] | None, *, left: int
) -> tuple[View, int]:
    """Return a cell, and how many characters it takes.

    Parameters
    ----------
    cell
        The live cell.
    state
        What the server says of it.
    clock
        For the elapsed time.
    outputs
        Its outputs if they are known.
    left
        Characters that its outputs may take; else they are left to be asked for.
    """
    view: View = {"id": cell.id, "type": type_of(cell), "src": cell.source}
    language = language_of(cell)
    if language is not None:
        view["lang"] = language
    attachments = getattr(cell, "attachments", None)
    if attachments:
        view["attachments"] = attachments
    size = len(cell.source) + 120
    if cell.cell_type == "code":
        count = cell.execution_count
        if state is not None:
            view["st"] = shown_state(state)
            view["ms"] = clock.milliseconds(cell.id)
            known = state.execution_count is not None or state.state == CellStateName.NOT_RUN
            count = state.execution_count if known else count
            why = why_of(state)
            if why is not None:
                view["why"] = why
        view["n"] = count
        taken = 0 if outputs is None else size_of(outputs)
        fits = outputs is not None and (taken <= SMALL or taken <= left)
        view["outs"] = [dict(one) for one in outputs] if fits and outputs is not None else None
        size += taken if fits else 0
    else:
        view["outs"] = []
    return view, size


def state_op(cell_id: str, state: CellState | None, clock: Clock) -> list[Any]:
    """Return the operation that gives a cell its state."""
    if state is None:
        return ["st", cell_id, "not_run", None, None, None]
    ms = clock.milliseconds(cell_id)
    return ["st", cell_id, shown_state(state), state.execution_count, ms, why_of(state)]


def shown_state(state: CellState) -> str:
    """Return the state's name that says most: a server shows all that did not work as failed."""
    if state.never_began:
        return CellStateName.DEQUEUED
    if state.reason == EndReason.INTERRUPTED and state.failed:
        return CellStateName.INTERRUPTED
    return state.state


def why_of(state: CellState) -> str | None:
    """Return what there is to say of a state."""
    if state.waiting_for_input:
        return "waits for input"
    return state.cause[:300] if state.cause else None


def person_view(person: Person) -> View:
    """Return somebody who is there."""
    return {
        "id": str(person.user_id),
        "name": person.name,
        "role": person.role,
        "cell": person.cell_id,
    }


def kernel_view(status: KernelStatusUpdate | None, state: str) -> View | None:
    """Return the kernel."""
    if status is None:
        return None if state == "not_started" else {"name": "", "state": state}
    return {"name": status.kernel.name, "state": status.kernel.execution_state}


def info_view(session: Session, count: int) -> View:
    """Return what the whole notebook has."""
    user_id = session.client.user_id
    return {
        "path": session.path,
        "file": str(session.file.id),
        "language": notebook_language(session),
        "me": None if user_id is None else str(user_id),
        "cells": count,
    }


def notebook_language(session: Session) -> str:
    """Return the language of the notebook's code cells; Python if it does not say."""
    metadata = session.client.builder.nb.metadata
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(key)
        if isinstance(found, dict) and isinstance(found.get(name), str):
            return str(found[name])
    return "python"
