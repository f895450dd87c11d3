"""What arrives at a notebook that is being replaced waits, and is never forgotten."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from rtu_magics.server.notebook.jobs import Call
from rtu_magics.server.writer import Writer


@pytest.fixture
async def writer() -> Any:
    notebook = SimpleNamespace(file_id="f", chain=SimpleNamespace(needs_version=False))
    collections = SimpleNamespace(database=SimpleNamespace(is_free=lambda: True))
    made: Any = Writer(notebook, None, collections, None, lambda: None)  # type: ignore[arg-type]
    made._write = lambda batch: True
    made.start()
    yield made
    await made.close()


def _call(writer: Writer, done: list[str], name: str) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    writer.put(Call(lambda: done.append(name), future))
    return future


async def test_what_arrives_waits_for_the_end_of_the_block(writer: Writer) -> None:
    done: list[str] = []
    _call(writer, done, "before")
    async with writer.held():
        after = _call(writer, done, "after")
        await asyncio.sleep(0.01)
        assert done == ["before"]
    await after
    assert done == ["before", "after"]


async def test_one_block_waits_for_the_other(writer: Writer) -> None:
    done: list[str] = []

    async def hold(name: str) -> None:
        async with writer.held():
            done.append(f"{name} begins")
            await asyncio.sleep(0.01)
            done.append(f"{name} ends")

    await asyncio.gather(hold("a"), hold("b"), hold("c"))
    assert done == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


@pytest.mark.parametrize("turns", range(4))
async def test_a_block_that_is_cancelled_holds_nobody(writer: Writer, turns: int) -> None:
    async def hold() -> None:
        async with writer.held():
            await asyncio.sleep(3600)

    async with writer.held():
        waiting = asyncio.create_task(hold())  # behind this one
        await asyncio.sleep(0)
        if turns == 0:
            waiting.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    done: list[str] = []
    await asyncio.wait_for(_call(writer, done, "after"), 10)
    assert done == ["after"]
