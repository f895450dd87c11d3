"""What arrives at a notebook that is being replaced waits, and is never forgotten."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from rtu_magics.models import NIL_UUID, CellContentsReplace
from rtu_magics.server.notebook.chain import NotStored
from rtu_magics.server.notebook.jobs import Call, Submission
from rtu_magics.server.writer import Writer


@pytest.fixture
async def writer() -> Any:
    notebook = SimpleNamespace(
        file_id="f", channel="files/f", subscribers={}, chain=SimpleNamespace(needs_version=False)
    )
    collections = SimpleNamespace(database=SimpleNamespace(is_free=lambda: True))
    executor = SimpleNamespace(executions=SimpleNamespace(not_begun=lambda *_: True))
    parts: Any = (notebook, executor, collections, None)
    made: Any = Writer(*parts, lambda: None)
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


async def test_no_more_wait_than_can_be_kept(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtu_magics.server.writer._MOST_WAITING", 2)
    answers: list[asyncio.Future[Any]] = []
    async with writer.held():
        for _ in range(3):
            answers.append(asyncio.get_running_loop().create_future())
            person: Any = SimpleNamespace(id=NIL_UUID)
            delta = CellContentsReplace(
                file_id=NIL_UUID, resource_id="c", properties={"source": ""}
            )
            writer.put(Submission(delta, NIL_UUID, "", person=person, done=answers[-1]))
        with pytest.raises(NotStored, match="is just being replaced"):
            await answers[2]
        assert [one.done() for one in answers] == [False, False, True]


class _Twin:
    """A live document in which nobody does anything."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def changes(self) -> list[Any]:
        self.seen.append("asked")
        return []

    def settle(self, deltas: Any) -> None:
        self.seen.append("settled")


async def test_a_live_document_is_asked_before_what_waited(writer: Writer) -> None:
    twin = _Twin()
    writer.twin = twin  # type: ignore[assignment]
    done = twin.seen
    async with writer.held():
        done.clear()
        after = _call(writer, done, "after")
        writer.pull()
        await asyncio.sleep(0.01)
        assert done == []
    await after
    # What was replaced is shown even where nothing waited.
    assert done[:4] == ["asked", "after", "settled", "settled"]
