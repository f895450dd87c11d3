"""From what a client receives to the events of its notebook: one reader for each message."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .. import models as m
from .events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    FileMoved,
    FileStateChanged,
    InputRequested,
    KernelChanged,
    Noticed,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PayloadReceived,
    PeopleChanged,
    RoleChanged,
    ScratchStateChanged,
    UsageChanged,
    people_of,
)
from .hub import EventHub

if TYPE_CHECKING:
    from ..client import RTUClient

__all__ = ["feed"]

Reader = Callable[[Any, "RTUClient"], Iterable[Event]]
"""Reads a message's data as events."""

_LONGEST_NOTICE = 500  # characters


def feed(hub: EventHub, client: RTUClient) -> Callable[[], None]:
    """Publish everything that a client sees; returns a function that ends this.

    Parameters
    ----------
    hub
        Where to publish.
    client
        The client, before it is initialised.
    """

    def passing(read: Reader) -> Callable[[Any], None]:
        # A plain function, which the client calls at once: coroutine functions would each run in a
        # task of their own, and the events would lose their order.
        def take(message: Any) -> None:
            for event in read(message.data, client):
                hub.publish(event)

        return take

    ends: list[Callable[[], Any]] = [
        client.register_rtu_event_callback(message, passing(read))
        for message, read in _READERS.items()
    ]

    def applied(delta: Any) -> None:
        hub.publish(DeltaApplied(delta))

    def connection(state: str, detail: str = "") -> None:
        hub.publish(ConnectionChanged(state, detail))

    ends.append(client.register_connection_callback(connection))
    handle = client.register_delta_callback(m.FileDeltaBase, applied)
    ends.append(lambda: client.delta_callbacks.remove(handle))

    def end() -> None:
        for stop in ends:
            with contextlib.suppress(Exception):
                stop()

    return end


def _appended(data: Any, _: RTUClient) -> Iterable[Event]:
    yield OutputContinued(data) if data.continues else OutputAppended(data)


def _cleared(data: Any, _: RTUClient) -> Iterable[Event]:
    if isinstance(data, m.OutputCollection):  # other servers leave it empty
        yield OutputsCleared(data.id, tuple(data.outputs), data.cell_id, data.execution_id)


def _updated(data: Any, _: RTUClient) -> Iterable[Event]:
    bundle, content = data.data, data.content
    links = {}
    if content is not None and content.url and content.mimetype not in (bundle or {}):
        links = {content.mimetype: content.url}
    if bundle is None and content is not None and content.raw is not None:
        bundle = {content.mimetype: content.raw}
    if bundle is not None or links:
        yield OutputsUpdated(
            tuple(data.output_ids),
            bundle or {},
            data.metadata or {},
            data.display_id,
            data.execution_id,
            links,
        )


def _states(data: Any, client: RTUClient) -> Iterable[Event]:
    new = data.cell_states if data.changed is None else data.changed
    yield CellStatesChanged(dict(client.cell_state_details), {s.cell_id: s for s in new})


def _scratch_state(data: Any, _: RTUClient) -> Iterable[Event]:
    yield ScratchStateChanged(data)


def _asked(data: Any, _: RTUClient) -> Iterable[Event]:
    yield InputRequested(
        data.request_id, data.cell_id, data.execution_id, data.prompt, data.password
    )


def _payload(data: Any, _: RTUClient) -> Iterable[Event]:
    yield PayloadReceived(data.execution_id, data.cell_id, tuple(data.payload))


def _kernel(data: Any, _: RTUClient) -> Iterable[Event]:
    yield KernelChanged(data)


def _usage(data: Any, _: RTUClient) -> Iterable[Event]:
    memory = getattr(data, "kernel_memory_bytes", None)  # not every server tells it
    yield UsageChanged(data.cpu_usage_percent, data.memory_usage_percent, memory)


def _people(_: Any, client: RTUClient) -> Iterable[Event]:
    yield PeopleChanged(people_of(client.people.values()))


def _role(data: Any, _: RTUClient) -> Iterable[Event]:
    yield RoleChanged(data.role, data.message)


def _moved(data: Any, _: RTUClient) -> Iterable[Event]:
    yield FileMoved(data.path)


def _file_state(data: Any, _: RTUClient) -> Iterable[Event]:
    yield FileStateChanged(data)


def _versions(data: Any, _: RTUClient) -> Iterable[Event]:
    notice = data.get("notice") if isinstance(data, dict) else None
    if isinstance(notice, str) and notice:
        yield Noticed(notice[:_LONGEST_NOTICE])


def _caught_up(data: Any, client: RTUClient) -> Iterable[Event]:
    # States inside the reply are those after a reconnect; no event repeats them when the kernel
    # is gone.
    status = data.kernel_session or data.kernel_culled
    if status is not None:
        yield KernelChanged(status)
    told = {state.cell_id: state for state in data.cell_states}
    yield CellStatesChanged(told, told)
    yield PeopleChanged(people_of(client.people.values()))
    yield RoleChanged(data.role)
    if data.path is not None:
        yield FileMoved(data.path)
    if data.file_state is not None:
        yield FileStateChanged(data.file_state)


_READERS: dict[type[Any], Reader] = {
    m.AppendOutputEvent: _appended,
    m.UpdateOutputCollectionEvent: _cleared,
    m.UpdateOutputsByDisplayIdEvent: _updated,
    m.BulkCellStateUpdateResponse: _states,
    m.RunStateEvent: _scratch_state,
    m.InputRequestEvent: _asked,
    m.ExecutePayloadEvent: _payload,
    m.KernelStatusUpdateResponse: _kernel,
    m.UsageMetricsEvent: _usage,
    m.FileSubscribeReply: _caught_up,
    m.UpdateUserFileSubscriptionEvent: _people,
    m.RemoveUserFileSubscriptionEvent: _people,
    m.RoleChangedEvent: _role,
    m.FileRenamedEvent: _moved,
    m.FileStateEvent: _file_state,
    m.FileVersionsChangedEvent: _versions,
}
