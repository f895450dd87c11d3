"""What can happen to the executions of a notebook, and what can be done about it; see `queue`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from ...models import CellState
from .plan import Plan
from .turn import CellEnd, CellTurn

__all__ = [
    "Accepted",
    "Ask",
    "Cleared",
    "Deleted",
    "DropState",
    "Effect",
    "Elsewhere",
    "Ended",
    "Event",
    "Executing",
    "Forget",
    "NotStored",
    "Settle",
    "Show",
    "Turn",
    "Withdraw",
    "Withdrawn",
]

# Events


@dataclass(frozen=True, slots=True)
class Accepted:
    """An execution was accepted and its delta told; `ready`: the kernel could begin at once."""

    plan: Plan
    ready: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """The kernel is ready for the next cell."""


@dataclass(frozen=True, slots=True)
class Executing:
    """The cell whose turn it is runs, or waits for an answer."""

    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The cell whose turn it was has ended.

    Attributes
    ----------
    end, execution_count
        How, and as which of its kernel.
    ready
        Whether the kernel could begin with the next.
    """

    end: CellEnd
    execution_count: int | None = None
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Cleared:
    """A cell's outputs were cleared."""

    cell_id: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A cell runs, or has run, without us: in a page of the notebook's live document."""

    state: CellState


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What waits of somebody will not run, or of everybody (None): why, as `CellState` has it."""

    author: UUID | None
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A cell is not in the notebook any more."""

    cell_id: str


@dataclass(frozen=True, slots=True)
class NotStored:
    """The store refused what `Settle` asked for."""

    states: tuple[CellState, ...]
    more: bool = False


Event: TypeAlias = (
    Accepted | Turn | Executing | Ended | Cleared | Elsewhere | Withdrawn | Deleted | NotStored
)


# Effects


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the kernel to run a cell."""

    turn: CellTurn


@dataclass(frozen=True, slots=True)
class Show:
    """Tell states.

    Attributes
    ----------
    states
        Those of cells go to everybody, that of `SCRATCH_CELL` to who is attached to it.
    author
        Who has asked and is told first.
    more
        Whether another follows at once, with which it may go out.
    """

    states: tuple[CellState, ...]
    author: UUID | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Settle:
    """Store states and tell them, together with the outputs of the cell that ended.

    Attributes
    ----------
    states, more
        As in `Show`.
    stored
        Those of them that have to be stored: a cell that is gone has no state, and one that is
        in the store needs no second time.
    of
        The cell that has ended with the first of them, None if none has.
    """

    states: tuple[CellState, ...]
    stored: tuple[CellState, ...]
    of: CellTurn | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Ask nobody any more what a cell wanted to know."""

    turn: CellTurn


@dataclass(frozen=True, slots=True)
class Forget:
    """Keep neither an execution nor what it put out: its starter wanted the answer alone."""

    execution_id: UUID


@dataclass(frozen=True, slots=True)
class DropState:
    """Remove the state of a deleted cell from the store."""

    cell_id: str


Effect: TypeAlias = Ask | Show | Settle | Withdraw | Forget | DropState
