"""Whose turn it is to read much, and who has too much of it waiting."""

from __future__ import annotations

import asyncio

import pytest

from rtu_magics.server.limits.gate import ByLink, Gate, TooMuch
from rtu_magics.server.limits.settings import Limits


async def _read(gate: Gate, who: object, free: asyncio.Event) -> None:
    async with gate.reading(who):
        await free.wait()


async def test_links_have_a_bound_of_their_own_that_names_its_setting() -> None:
    gate, free = Gate(Limits(reads_waiting=2, links_waiting=5, reads_burst=3)), asyncio.Event()
    address = ByLink("10.0.0.1")
    waiting = [asyncio.create_task(_read(gate, address, free)) for _ in range(5)]
    await asyncio.sleep(0.01)
    with pytest.raises(TooMuch, match="raise links_waiting"):
        await _read(gate, address, free)
    free.set()
    await asyncio.gather(*waiting)
    for _ in range(20):  # a link is no request of a person, whose share it would spend
        await _read(gate, address, free)


async def test_a_persons_are_bounded_as_ever() -> None:
    gate, free = Gate(Limits(reads_waiting=2, links_waiting=5)), asyncio.Event()
    waiting = [asyncio.create_task(_read(gate, "person", free)) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(TooMuch, match="raise reads_waiting"):
        await _read(gate, "person", free)
    free.set()
    await asyncio.gather(*waiting)
