"""What happens to a remote notebook, as typed events for executions, magics and widgets.

One set of callbacks on the client feeds one `EventHub`; everyone else subscribes there. Subscribers
are called on the background thread, in the order in which things happened, and must only hand the
event on.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from ..client import RTUClient
    from ..models import CellState, FileDeltaBase, FileStateData, KernelStatusUpdate, Output

__all__ = [
    "CellStatesChanged",
    "ConnectionChanged",
    "DeltaApplied",
    "Event",
    "EventHub",
    "FileMoved",
    "FileStateChanged",
    "InputRequested",
    "KernelChanged",
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
    "feed",
    "people_of",
]

logger = logging.getLogger(__name__)


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
class UsageChanged(Event):
    """What the kernel takes of its machine, in whole percents; its memory in bytes if known."""

    cpu_percent: int
    memory_percent: int
    memory_bytes: int | None = None


class EventHub:
    """Hands each event to every subscriber."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: tuple[Callable[[Event], None], ...] = ()

    def subscribe(self, fn: Callable[[Event], None]) -> Callable[[], None]:
        """Call `fn` with every later event; returns a function that ends this.

        Parameters
        ----------
        fn
            Called on the background thread; must return at once.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, fn)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(s for s in self._subscribers if s is not fn)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Hand an event to every subscriber; one that fails is logged and stops nothing."""
        for fn in self._subscribers:
            try:
                fn(event)
            except Exception:
                logger.exception("a subscriber failed on %s", type(event).__name__)


def people_of(client: RTUClient) -> dict[UUID, Person]:
    """Return who has the notebook open, as a client knows it."""
    return {
        one.user_id: Person(
            one.user_id, one.user_name, one.role, one.cell_id_selected, one.last_event_at
        )
        for one in client.people.values()
    }


def feed(hub: EventHub, client: RTUClient) -> Callable[[], None]:
    """Publish everything that a client sees; returns a function that ends this.

    Parameters
    ----------
    hub
        Where to publish.
    client
        The client, before it is initialised.
    """
    from .. import models as m

    def appended(msg: Any) -> None:
        output = msg.data
        hub.publish(OutputContinued(output) if output.continues else OutputAppended(output))

    def collection(msg: Any) -> None:
        found = msg.data
        if isinstance(found, m.OutputCollection):  # other servers leave it empty
            hub.publish(
                OutputsCleared(found.id, tuple(found.outputs), found.cell_id, found.execution_id)
            )

    def updated(msg: Any) -> None:
        new = msg.data
        data, content = new.data, new.content
        links = {}
        if content is not None and content.url and content.mimetype not in (data or {}):
            links = {content.mimetype: content.url}
        if data is None and content is not None and content.raw is not None:
            data = {content.mimetype: content.raw}
        if data is not None or links:
            hub.publish(
                OutputsUpdated(
                    tuple(new.output_ids),
                    data or {},
                    new.metadata or {},
                    new.display_id,
                    new.execution_id,
                    links,
                )
            )

    def states(msg: Any) -> None:
        new = msg.data.cell_states if msg.data.changed is None else msg.data.changed
        told = {state.cell_id: state for state in new}
        hub.publish(CellStatesChanged(dict(client.cell_state_details), told))

    def scratch(msg: Any) -> None:
        hub.publish(ScratchStateChanged(msg.data))

    def asked(msg: Any) -> None:
        new = msg.data
        hub.publish(
            InputRequested(new.request_id, new.cell_id, new.execution_id, new.prompt, new.password)
        )

    def payload(msg: Any) -> None:
        new = msg.data
        hub.publish(PayloadReceived(new.execution_id, new.cell_id, tuple(new.payload)))

    def kernel(msg: Any) -> None:
        hub.publish(KernelChanged(msg.data))

    def caught_up(msg: Any) -> None:
        # States inside the reply are those after a reconnect; no event repeats them when the
        # kernel is gone.
        status = msg.data.kernel_session or msg.data.kernel_culled
        if status is not None:
            hub.publish(KernelChanged(status))
        told = {state.cell_id: state for state in msg.data.cell_states}
        hub.publish(CellStatesChanged(told, told))
        people(msg)
        hub.publish(RoleChanged(msg.data.role))
        if msg.data.path is not None:
            hub.publish(FileMoved(msg.data.path))
        if msg.data.file_state is not None:
            hub.publish(FileStateChanged(msg.data.file_state))

    def moved(msg: Any) -> None:
        hub.publish(FileMoved(msg.data.path))

    def file_state(msg: Any) -> None:
        hub.publish(FileStateChanged(msg.data))

    def role(msg: Any) -> None:
        hub.publish(RoleChanged(msg.data.role, msg.data.message))

    def people(msg: Any) -> None:
        hub.publish(PeopleChanged(people_of(client)))

    def usage(msg: Any) -> None:
        data = msg.data
        memory = getattr(data, "kernel_memory_bytes", None)  # not every server tells it
        hub.publish(UsageChanged(data.cpu_usage_percent, data.memory_usage_percent, memory))

    def applied(delta: Any) -> None:
        hub.publish(DeltaApplied(delta))

    def connection(state: str, detail: str = "") -> None:
        hub.publish(ConnectionChanged(state, detail))

    # Plain functions, which the client calls at once: coroutine functions would each run in a task
    # of their own, and the events would lose their order.
    ends: list[Any] = [
        client.register_rtu_event_callback(m.AppendOutputEvent, appended),
        client.register_rtu_event_callback(m.UpdateOutputCollectionEvent, collection),
        client.register_rtu_event_callback(m.UpdateOutputsByDisplayIdEvent, updated),
        client.register_rtu_event_callback(m.BulkCellStateUpdateResponse, states),
        client.register_rtu_event_callback(m.RunStateEvent, scratch),
        client.register_rtu_event_callback(m.InputRequestEvent, asked),
        client.register_rtu_event_callback(m.ExecutePayloadEvent, payload),
        client.register_rtu_event_callback(m.KernelStatusUpdateResponse, kernel),
        client.register_rtu_event_callback(m.UsageMetricsEvent, usage),
        client.register_rtu_event_callback(m.FileSubscribeReply, caught_up),
        client.register_rtu_event_callback(m.UpdateUserFileSubscriptionEvent, people),
        client.register_rtu_event_callback(m.RemoveUserFileSubscriptionEvent, people),
        client.register_rtu_event_callback(m.RoleChangedEvent, role),
        client.register_rtu_event_callback(m.FileRenamedEvent, moved),
        client.register_rtu_event_callback(m.FileStateEvent, file_state),
        client.register_connection_callback(connection),
    ]
    handle = client.register_delta_callback(m.FileDeltaBase, applied)

    def end() -> None:
        for stop in ends:
            with contextlib.suppress(Exception):
                stop()
        with contextlib.suppress(Exception):
            client.delta_callbacks.remove(handle)

    return end
