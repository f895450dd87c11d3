"""A cell named by its position runs, although cells came above it that this copy does not have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.document import NotebookBuilder
from rtu_magics.errors import CellNotFound, DeltaRejected
from rtu_magics.session.cell_refs import CellRefs
from rtu_magics.session.hub import EventHub
from rtu_magics.session.ops.executions import Executions

FILE = uuid4()


def cell(cell_id: str) -> m.CodeCell:
    return m.CodeCell(id=cell_id, source=f"print({cell_id!r})")


def added(cell_id: str, parent: UUID) -> m.NBCellsAdd:
    return m.NBCellsAdd(
        file_id=FILE,
        parent_delta_id=parent,
        properties=m.NBCellsAddProperties(id=cell_id, cell=cell(cell_id)),
    )


class Client:
    """A copy of a notebook, and the server that it is a copy of."""

    def __init__(self, *, checks: bool) -> None:
        self.builder = NotebookBuilder(m.Notebook(cells=[cell("a"), cell("b")]))
        self.builder.last_applied_delta_id = self.head = uuid4()
        self.checks_positions = checks
        self.connection_state = "live"
        self.file_id, self.file_channel = FILE, f"files/{FILE}"
        self.unseen: list[m.NBCellsAdd] = []
        self.asked = 0
        self.ran: list[str] = []
        self.full = ""

    @property
    def cell_ids(self) -> list[str]:
        return self.builder.cell_ids

    def somebody_adds(self, cell_id: str) -> None:
        self.unseen.append(added(cell_id, self.head))
        self.head = self.unseen[-1].id

    def register_transaction_id_callback(self, transaction_id: UUID, fn: Any) -> Any:
        self.answer = fn
        return lambda: None

    def send(self, message: m.BaseRTURequest) -> None:
        if isinstance(message, m.PingRequest):
            self.asked += 1
            for delta in self.unseen:
                self.builder.apply_delta(delta)
            self.unseen.clear()
            self.answer()

    async def new_delta_request(
        self, delta: m.CellExecuteDelta, *, positions_at: UUID | None = None, **_: Any
    ) -> None:
        if self.full or positions_at not in (None, self.head):
            raise DeltaRejected(self.full or "cells have come")
        self.ran.append(delta.resource_id)


class Place:
    def __init__(self, *, checks: bool = True) -> None:
        self.client = Client(checks=checks)
        hub = EventHub()

        async def ensure(_: Any) -> None:
            return None

        context: Any = SimpleNamespace(
            client=self.client,
            hub=hub,
            refs=CellRefs(self.client, hub),  # type: ignore[arg-type]
            collection_of=lambda _: None,
        )
        kernel: Any = SimpleNamespace(ready=True, ensure=ensure)
        self.executions = Executions(context, kernel)

    async def run(self, ref: str) -> None:
        await self.executions.start(ref, print)


@pytest.mark.parametrize(("ref", "ran"), [("1", "a"), ("-1", "b"), ("b", "b")])
async def test_nobody_is_asked_while_nothing_came(ref: str, ran: str) -> None:
    place = Place()
    await place.run(ref)
    assert (place.client.ran, place.client.asked) == ([ran], 0)


@pytest.mark.parametrize(("ref", "ran"), [("1", "new"), ("-1", "b"), ("2", "a"), ("b", "b")])
@pytest.mark.parametrize("checks", [True, False])
async def test_what_came_is_counted(checks: bool, ref: str, ran: str) -> None:
    place = Place(checks=checks)
    place.client.somebody_adds("new")  # at the top
    await place.run(ref)
    assert place.client.ran == [ran]


async def test_a_position_that_is_there_only_by_now() -> None:
    place = Place()
    place.client.somebody_adds("new")
    await place.run("3")
    assert place.client.ran == ["b"]
    with pytest.raises(CellNotFound):
        await place.run("9")


async def test_what_is_refused_for_another_reason_is_not_tried_again() -> None:
    place = Place()
    place.client.full = "too much waits"
    with pytest.raises(DeltaRejected, match="too much waits"):
        await place.run("1")
    assert place.client.ran == []


async def test_a_server_that_knows_no_positions_is_asked_first() -> None:
    place = Place(checks=False)
    await place.run("1")
    assert (place.client.ran, place.client.asked) == (["a"], 1)
