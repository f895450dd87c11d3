"""An interrupt of what the kernel has not begun with yet, as on a machine with too much to do."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from rtu_magics.server.kernel.asked import AskedRequest
from rtu_magics.server.kernel.notebook_kernel import NotebookKernel


class Sessions:
    """The kernels of a Jupyter Server, one of which ignores what comes before it has begun."""

    def __init__(self, state: str) -> None:
        self._manager = SimpleNamespace(execution_state=state)
        self.heard: list[bool] = []
        self.run: AskedRequest

    def manager(self, kernel_id: str) -> Any:
        return self._manager

    async def interrupt(self, kernel_id: str) -> None:
        self.heard.append(self.run.executing)


def kernel_with(sessions: Sessions, run: AskedRequest) -> NotebookKernel:
    kernel = NotebookKernel(sessions, lambda: "n.ipynb", None)  # type: ignore[arg-type]
    kernel._info = SimpleNamespace(kernel_id="k", session_id=uuid4())  # type: ignore[assignment]

    async def wait_begun() -> AskedRequest | None:
        return None if run.executing else run

    kernel._link = SimpleNamespace(  # type: ignore[assignment]
        wait_begun=wait_begun, executing=run.executing, interrupted=run.interrupted
    )
    sessions.run = run
    return kernel


def begin(run: AskedRequest) -> None:
    run.take({"msg_type": "execute_input", "content": {"execution_count": 1}})


# Who watches for Jupyter may not have heard yet that it has started.
@pytest.mark.parametrize(("state", "before"), [("idle", [False]), ("starting", [])])
async def test_what_begins_late_is_interrupted_then(state: str, before: list[bool]) -> None:
    run, sessions = AskedRequest("m", lambda message: None), Sessions(state)
    kernel = kernel_with(sessions, run)
    assert await kernel.interrupt()
    assert sessions.heard == before
    begin(run)
    for _ in range(5):
        await asyncio.sleep(0)
    assert sessions.heard == [*before, True]
    assert run.was_interrupted


async def test_what_ended_before_it_began_is_not() -> None:
    run, sessions = AskedRequest("m", lambda message: None), Sessions("idle")
    kernel = kernel_with(sessions, run)
    assert await kernel.interrupt()
    run.lose("the kernel was restarted")
    for _ in range(5):
        await asyncio.sleep(0)
    assert sessions.heard == [False]


async def test_what_has_begun_is_interrupted_once() -> None:
    run, sessions = AskedRequest("m", lambda message: None), Sessions("idle")
    begin(run)
    kernel = kernel_with(sessions, run)
    assert await kernel.interrupt()
    for _ in range(5):
        await asyncio.sleep(0)
    assert sessions.heard == [True]
