"""What happens to one run, beside its outputs: the events that an `Execution` yields."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ... import models as m
from ..events import Event

__all__ = ["CellFinished", "CellStarted", "Finished", "Reconnected", "Reconnecting", "ended_unseen"]


@dataclass(frozen=True)
class CellStarted(Event):
    """A cell of the run began."""

    cell_id: str


@dataclass(frozen=True)
class CellFinished(Event):
    """A cell of the run ended; ``cause`` says why one failed that raised nothing itself.

    ``reason`` is one of `models.EndReason`; None for a cell that ended well, and from old servers.
    """

    cell_id: str
    ok: bool
    execution_count: int | None = None
    cause: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Reconnecting(Event):
    """The connection is lost; the client tries again by itself."""

    detail: str = ""


@dataclass(frozen=True)
class Reconnected(Event):
    """The connection is back."""


@dataclass(frozen=True)
class Finished(Event):
    """The run is over; nothing follows."""


def ended_unseen(cell_id: str, execution_id: UUID) -> m.CellState:
    """Return the state of a cell of which nobody saw how it ended."""
    return m.CellState(
        cell_id=cell_id,
        state="finished_with_error",
        execution_id=execution_id,
        reason=m.EndReason.NO_ANSWER,
        cause="it ended while the connection was lost, and the cell has been run or changed since",
    )
