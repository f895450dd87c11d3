"""Long work on the loop, a slice at a time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.process import slices as module
from rtu_magics.server.process.slices import Slices, Steps, at_once, joined, parts_of


@pytest.fixture
def one_step_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE", 0.0)


def _work(name: str, steps: int, done: list[str]) -> Steps[str]:
    for _ in range(steps):
        done.append(name)
        yield
    return name


@pytest.mark.usefixtures("one_step_a_slice")
async def test_works_take_turns_and_the_loop_goes_on_in_between() -> None:
    slices, done, turns = Slices(), [], 0

    async def loop() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(loop())
    found = await asyncio.gather(slices.run(_work("a", 50, done)), slices.run(_work("b", 50, done)))
    other.cancel()
    assert found == ["a", "b"]
    assert sorted(done) == ["a"] * 50 + ["b"] * 50
    assert {done[at] == done[at + 1] for at in range(2, 90)} == {False}
    assert turns >= 90


async def test_what_is_short_is_done_in_one_slice() -> None:
    done: list[str] = []
    task = asyncio.ensure_future(Slices().run(_work("a", 3, done)))
    await asyncio.sleep(0)
    assert done == ["a"] * 3
    assert await task == "a"


@pytest.mark.usefixtures("one_step_a_slice")
async def test_one_that_fails_or_is_cancelled_keeps_nobody_waiting() -> None:
    def failing() -> Steps[None]:
        yield
        raise ValueError("no")

    def endless() -> Steps[None]:
        while True:
            yield

    slices = Slices()
    given_up = asyncio.create_task(slices.run(endless()))
    failed = asyncio.create_task(slices.run(failing()))
    with pytest.raises(ValueError, match="no"):
        await failed
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await slices.run(_work("b", 5, [])) == "b"


@given(st.lists(st.integers(0, 300_000), max_size=8))
def test_parts_are_what_the_pieces_are_together(sizes: list[int]) -> None:
    pieces = [bytes([at % 256]) * size for at, size in enumerate(sizes)]
    parts = at_once(joined(iter(pieces)))
    assert b"".join(parts) == b"".join(pieces)
    assert all(0 < len(part) <= 256 * 1024 for part in parts)
    assert b"".join(parts_of(b"".join(pieces))) == b"".join(pieces)
