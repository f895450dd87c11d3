"""From a client's messages to events: each as what it is, in order, until it ends."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from rtu_magics import models as m
from rtu_magics.session.events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    FileMoved,
    KernelChanged,
    Noticed,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PeopleChanged,
    RoleChanged,
    UsageChanged,
)
from rtu_magics.session.feed import feed
from rtu_magics.session.hub import EventHub


class Client:
    """What a feed needs of a client: somewhere to register."""

    def __init__(self) -> None:
        self.callbacks: dict[Any, Callable[..., None]] = {}
        self.delta_callbacks: list[Any] = []
        self.cell_state_details: dict[str, m.CellState] = {}
        self.people: dict[Any, Any] = {}

    def register_rtu_event_callback(self, kind: Any, fn: Any) -> Callable[[], None]:
        self.callbacks[kind] = fn
        return lambda: self.callbacks.pop(kind) and None

    def register_connection_callback(self, fn: Any) -> Callable[[], None]:
        return self.register_rtu_event_callback("connection", fn)

    def register_delta_callback(self, kind: Any, fn: Any) -> Any:
        self.callbacks["delta"] = fn
        self.delta_callbacks.append(fn)
        return fn

    def get(self, kind: Any, **data: Any) -> None:
        self.callbacks[kind](SimpleNamespace(data=SimpleNamespace(**data)))


def fed() -> tuple[Client, list[Event], Callable[[], None]]:
    client, hub, seen = Client(), EventHub(), []
    hub.subscribe(seen.append)
    unknown: Any = client
    return client, seen, feed(hub, unknown)


def test_outputs() -> None:
    client, seen, _ = fed()
    client.get(m.AppendOutputEvent, continues=False)
    client.get(m.AppendOutputEvent, continues=True)
    assert [type(event) for event in seen] == [OutputAppended, OutputContinued]


def test_a_cleared_collection_and_one_that_another_server_leaves_empty() -> None:
    client, seen, _ = fed()
    collection = m.OutputCollection.model_construct(
        id=uuid4(), outputs=[], cell_id="a", execution_id=None
    )
    client.callbacks[m.UpdateOutputCollectionEvent](SimpleNamespace(data=collection))
    client.get(m.UpdateOutputCollectionEvent)
    assert seen == [OutputsCleared(collection.id, (), "a", None)]


def test_a_display_shows_something_new_inline_by_link_or_not_at_all() -> None:
    client, seen, _ = fed()
    rest = {"output_ids": ["o"], "metadata": None, "display_id": "d", "execution_id": None}

    def content(**more: Any) -> SimpleNamespace:
        return SimpleNamespace(**{"url": None, "raw": None, "mimetype": "text/html", **more})

    client.get(m.UpdateOutputsByDisplayIdEvent, data={"text/plain": "x"}, content=None, **rest)
    client.get(m.UpdateOutputsByDisplayIdEvent, data=None, content=content(raw="<b>"), **rest)
    client.get(m.UpdateOutputsByDisplayIdEvent, data={}, content=content(url="http://u"), **rest)
    client.get(m.UpdateOutputsByDisplayIdEvent, data=None, content=None, **rest)
    ids: Any = ("o",)
    assert seen == [
        OutputsUpdated(ids, {"text/plain": "x"}, {}, "d", None, {}),
        OutputsUpdated(ids, {"text/html": "<b>"}, {}, "d", None, {}),
        OutputsUpdated(ids, {}, {}, "d", None, {"text/html": "http://u"}),
    ]


def test_states_are_all_there_are_and_those_just_told() -> None:
    client, seen, _ = fed()
    one = m.CellState(cell_id="a", state="executing")
    two = m.CellState(cell_id="b", state="queued")
    client.cell_state_details = {"a": one, "b": two}
    client.get(m.BulkCellStateUpdateResponse, cell_states=[one, two], changed=[two])
    client.get(m.BulkCellStateUpdateResponse, cell_states=[one, two], changed=None)
    everything = {"a": one, "b": two}
    assert seen == [
        CellStatesChanged(everything, {"b": two}),
        CellStatesChanged(everything, everything),
    ]


def test_catching_up_says_everything_at_once() -> None:
    client, seen, _ = fed()
    client.get(
        m.FileSubscribeReply,
        kernel_session="k",
        kernel_culled=None,
        cell_states=[],
        role="owner",
        path="a.ipynb",
        file_state=None,
    )
    kernel: Any = "k"
    assert seen == [
        KernelChanged(kernel),
        CellStatesChanged({}, {}),
        PeopleChanged({}),
        RoleChanged("owner"),
        FileMoved("a.ipynb"),
    ]


def test_usage_of_a_server_that_does_not_tell_bytes() -> None:
    client, seen, _ = fed()
    client.get(m.UsageMetricsEvent, cpu_usage_percent=1, memory_usage_percent=2)
    assert seen == [UsageChanged(1, 2, None)]


def test_what_its_people_should_know_of() -> None:
    client, seen, _ = fed()
    told = client.callbacks[m.FileVersionsChangedEvent]
    told(SimpleNamespace(data={"notice": "ann's page saved it"}))
    for data in (None, {}, {"notice": ""}, {"notice": 3}, {"version_id": "v"}):
        told(SimpleNamespace(data=data))
    assert seen == [Noticed("ann's page saved it")]


def test_it_ends() -> None:
    client, seen, end = fed()
    client.callbacks["connection"]("live")
    client.callbacks["delta"]("delta")
    unknown: Any = "delta"
    assert seen == [ConnectionChanged("live", ""), DeltaApplied(unknown)]
    end()
    assert client.delta_callbacks == []
    assert list(client.callbacks) == ["delta"]
    end()  # a second time, too
