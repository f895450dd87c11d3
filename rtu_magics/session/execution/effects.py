"""What is to be done because of what happened to an execution; see `course`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ...models import CellState
from ..events import Event

__all__ = ["AskBack", "Effect", "End", "Look", "Pass", "PassLate", "Withdraw"]


@dataclass(frozen=True, slots=True)
class Pass:
    """Hand an event to whoever waits for the execution."""

    event: Event


@dataclass(frozen=True, slots=True)
class PassLate:
    """Hand an event to whoever wants what comes after the end."""

    event: Event


@dataclass(frozen=True, slots=True)
class Look:
    """Take the outputs from snapshots, now or once more if that is being done."""


@dataclass(frozen=True, slots=True)
class AskBack:
    """Ask what became of the execution while the connection was lost.

    Attributes
    ----------
    states
        Of all cells, as they were when it came back.
    """

    states: Mapping[str, CellState]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A question needs no answer any more."""


@dataclass(frozen=True, slots=True)
class End:
    """The execution is over: nothing is handed on after this but what comes late."""


Effect: TypeAlias = Pass | PassLate | Look | AskBack | Withdraw | End
