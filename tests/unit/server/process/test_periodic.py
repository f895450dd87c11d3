"""The background tasks of a server: they go on whatever happens, and end when they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from rtu_magics.server.process.periodic import Periodic

PATIENCE = 10.0  # seconds; nothing here takes as long


@asynccontextmanager
async def periodic(work: Callable[[], Any], every: float = 0.0, **more: Any) -> AsyncIterator[Any]:
    more.setdefault("tell", lambda exc: None)
    found = Periodic(work, every, name="rtu-test", **more)
    found.start()
    try:
        yield found
    finally:
        await asyncio.wait_for(found.close(), PATIENCE)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def tasks() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "rtu-test"]


async def test_the_work_is_done_again_and_again() -> None:
    done: asyncio.Queue[None] = asyncio.Queue()
    async with periodic(lambda: done.put(None), 0.001):
        for _ in range(5):
            await asyncio.wait_for(done.get(), PATIENCE)


async def test_the_first_time_comes_after_a_pause() -> None:
    done: asyncio.Queue[None] = asyncio.Queue()
    async with periodic(lambda: done.put(None), 3600.0):
        await turns()
        assert done.empty()


async def test_work_that_raises_is_told_and_done_again() -> None:
    told: asyncio.Queue[Exception] = asyncio.Queue()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        raise ValueError(str(count))

    async with periodic(work, tell=told.put_nowait):
        for expected in "123":
            exc = await asyncio.wait_for(told.get(), PATIENCE)
            assert isinstance(exc, ValueError)
            assert str(exc) == expected


async def test_what_is_raised_each_time_is_told_once_until_it_went_well() -> None:
    told: list[str] = []
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        if count != 10:
            raise ValueError("the same")

    async with periodic(work, tell=lambda exc: told.append(str(exc))):
        while count < 20:
            await turns()
    assert told == ["the same", "the same"]


async def test_the_pause_after_a_failure_may_be_a_longer_one() -> None:
    told: list[Exception] = []
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError

    async with periodic(work, tell=told.append, every_after_failure=3600.0):
        await turns(50)
        assert count == 3
        assert len(told) == 1


async def test_the_pause_is_the_usual_one_again_after_a_success() -> None:
    count = 0
    second = asyncio.Event()

    async def work() -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise OSError
        second.set()

    async with periodic(work, every_after_failure=0.1):
        await turns()
        assert count == 1
        await asyncio.wait_for(second.wait(), PATIENCE)
        await turns()
        assert count > 5


async def test_closing_ends_the_work_in_its_midst() -> None:
    begun = asyncio.Event()
    ended = []

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await turns(2)
            ended.append(True)

    async with periodic(work):
        await asyncio.wait_for(begun.wait(), PATIENCE)
    assert ended == [True]
    assert not tasks()


async def test_closing_is_possible_twice_and_without_a_start() -> None:
    async with periodic(turns, 3600.0) as found:
        assert len(tasks()) == 1
        await found.close()
        assert not tasks()
    await Periodic(turns, 1.0, name="rtu-test", tell=print).close()
