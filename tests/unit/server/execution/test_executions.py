"""Which kernels wait for a notebook's, from the moment in which somebody asks for a run."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics.models import CellState, EndReason
from rtu_magics.server.execution.executions import Executions
from rtu_magics.server.execution.plan import Plan, Target
from rtu_magics.server.http.run_requests import why_circle


class Room:
    """A notebook with a kernel."""

    def __init__(self, name: str) -> None:
        kernel: Any = SimpleNamespace(kernel_id=name)
        self.kernel = kernel
        none: Any = None
        self.executions = Executions(none, kernel, none, dict)
        self.executor = SimpleNamespace(executions=self.executions)

    def asks(self, rooms: list[Room], run: UUID, *waiting: str) -> bool:
        """Ask for a run as a connection does; returns whether it may begin."""
        room: Any = self
        everywhere: Any = rooms
        return not why_circle(room, everywhere, run, waiting)

    def begin(self, run: UUID) -> None:
        self.executions.add(Plan(run, uuid4(), uuid4(), deque([Target("a", "1")])))

    def end(self, run: UUID) -> None:
        state = CellState(
            cell_id="a", state="finished_with_error", execution_id=run, reason=EndReason.ERROR
        )
        self.executions.note([state])


@pytest.fixture
def rooms() -> list[Room]:
    return [Room(name) for name in "abc"]


def test_two_that_ask_at_once_do_not_wait_for_one_another(rooms: list[Room]) -> None:
    """What arrives with more behind it is queued: neither has begun when the other asks."""
    a, b, c = rooms
    assert b.asks(rooms, uuid4(), "a")
    assert not a.asks(rooms, uuid4(), "b")
    assert c.asks(rooms, uuid4(), "b", "a")
    assert not a.asks(rooms, uuid4(), "c")


@pytest.mark.parametrize("how", ["refused", "begun and ended"])
def test_nobody_waits_for_what_does_not_come(rooms: list[Room], how: str) -> None:
    a, b, _ = rooms
    run = uuid4()
    assert b.asks(rooms, run, "a")
    if how == "refused":
        b.executions.not_begun(run)
    else:
        b.begin(run)
        assert not a.asks(rooms, uuid4(), "b")
        b.end(run)
    assert a.asks(rooms, uuid4(), "b")
