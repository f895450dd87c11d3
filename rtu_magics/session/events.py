"""What happens to a remote notebook, as typed events for executions, magics and widgets.

What a client receives feeds one `hub.EventHub` (`feed`); everyone else subscribes there.
Subscribers are called on the background thread, in the order in which things happened, and must
only hand the event on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from ..models import (
        CellState,
        FileDeltaBase,
        FileStateData,
        KernelStatusUpdate,
        Output,
        UpdateUserFileSubscriptionEventData,
    )

__all__ = [
    "CellStatesChanged",
    "ConnectionChanged",
    "DeltaApplied",
    "Event",
    "FileMoved",
    "FileStateChanged",
    "InputRequested",
    "KernelChanged",
    "Noticed",
    "OutputAppended",
    "OutputContinued",
    "OutputsCleared",
    "OutputsUpdated",
    "PayloadReceived",
    "PeopleChanged",
    "Person",
    "RoleChanged",
    "ScratchStateChanged",
    "UsageChanged",
    "people_of",
]


@dataclass(frozen=True)
class Event:
    """Something that happened to the notebook."""


@dataclass(frozen=True)
class OutputAppended(Event):
    """A run made a new output."""

    output: Output

    @property
    def execution_id(self) -> UUID | None:
        """The run's execute delta."""
        return self.output.execution_id


@dataclass(frozen=True)
class OutputContinued(Event):
    """The last stream output of a run got more text, ``output.content.raw``."""

    output: Output

    @property
    def execution_id(self) -> UUID | None:
        """The run's execute delta."""
        return self.output.execution_id


@dataclass(frozen=True)
class OutputsUpdated(Event):
    """Outputs that stand somewhere already show something new; large entries come by link."""

    output_ids: tuple[UUID, ...]
    data: dict[str, Any]
    metadata: dict[str, Any]
    display_id: str | None = None
    execution_id: UUID | None = None
    links: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputsCleared(Event):
    """A run's outputs are now exactly these, usually none."""

    collection_id: UUID
    outputs: tuple[Output, ...]
    cell_id: str | None = None
    execution_id: UUID | None = None


@dataclass(frozen=True)
class CellStatesChanged(Event):
    """The states of cells changed.

    Attributes
    ----------
    states
        Of all cells that have one, by cell id.
    changed
        What the server has just said, also of a cell that has gone.
    """

    states: dict[str, CellState]
    changed: dict[str, CellState] = field(default_factory=dict)


@dataclass(frozen=True)
class KernelChanged(Event):
    """The kernel's state changed."""

    status: KernelStatusUpdate


@dataclass(frozen=True)
class ScratchStateChanged(Event):
    """The state of a run without a cell that this session started."""

    state: CellState


@dataclass(frozen=True)
class InputRequested(Event):
    """A running cell asks for a line of text; ``password``: which must not be shown."""

    request_id: UUID
    cell_id: str
    execution_id: UUID
    prompt: str = ""
    password: bool = False


@dataclass(frozen=True)
class PayloadReceived(Event):
    """A cell's reply asks something of the front end that ran it: to show a page, for one."""

    execution_id: UUID
    cell_id: str
    payload: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class DeltaApplied(Event):
    """A delta was squashed into the local copy."""

    delta: FileDeltaBase


@dataclass(frozen=True)
class ConnectionChanged(Event):
    """The connection is ``connecting``, ``live``, ``reconnecting`` or ``closed``."""

    state: str
    detail: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody who has the notebook open.

    Attributes
    ----------
    user_id
        Who it is.
    name, role
        As far as the server says them.
    cell_id
        The cell that they are in.
    last_seen
        When they last did something, UTC.
    """

    user_id: UUID
    name: str | None = None
    role: str | None = None
    cell_id: str | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True)
class PeopleChanged(Event):
    """Somebody came, left or went to another cell: everybody who is there now, by user id."""

    people: dict[UUID, Person]


@dataclass(frozen=True)
class RoleChanged(Event):
    """What this user may do here; None is nothing any more. `message` says it if it changed."""

    role: str | None
    message: str = ""


@dataclass(frozen=True)
class FileMoved(Event):
    """The notebook's file lies at this path of the server now."""

    path: str


@dataclass(frozen=True)
class FileStateChanged(Event):
    """Something keeps the notebook from its file, or does not any more."""

    state: FileStateData


@dataclass(frozen=True)
class Noticed(Event):
    """Something happened to the notebook that its people should know of, in one line."""

    text: str


@dataclass(frozen=True)
class UsageChanged(Event):
    """What the kernel takes of its machine, in whole percents; its memory in bytes if known."""

    cpu_percent: int
    memory_percent: int
    memory_bytes: int | None = None


def people_of(people: Iterable[UpdateUserFileSubscriptionEventData]) -> dict[UUID, Person]:
    """Return who has the notebook open, from what the server tells of each."""
    return {
        one.user_id: Person(
            one.user_id, one.user_name, one.role, one.cell_id_selected, one.last_event_at
        )
        for one in people
    }
