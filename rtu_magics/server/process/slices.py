"""Long work on the server's loop, a slice at a time: everybody else goes on in between.

What takes long in Python takes the interpreter from the loop on whatever thread it runs, and a
single call in C does not give it back before its end. So long work is cut into steps, each short,
and done on the loop itself, a few milliseconds in each of its turns, however many ask for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

__all__ = ["Slices", "Steps", "at_once", "joined", "parts_of"]

_T = TypeVar("_T")

Steps = Generator[None, None, _T]
"""Work that stops after each of its steps; none takes more than a few milliseconds."""

_SLICE = 0.004  # seconds of processor
_PART = 256 * 1024  # bytes


class Slices:
    """The long work of one server: all of it together gets one slice in a turn of the loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()  # fair: who has had a slice waits for all others

    async def run(self, work: Steps[_T]) -> _T:
        """Do some work beside everything else; returns what it returns."""
        while True:
            async with self._turn:
                until = time.thread_time() + _SLICE
                try:
                    next(work)  # whatever the clock says
                    while time.thread_time() < until:
                        next(work)
                except StopIteration as end:
                    found: _T = end.value
                    return found
                await asyncio.sleep(0)


def at_once(work: Steps[_T]) -> _T:
    """Do some work where nobody else is kept waiting; returns what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: _T = end.value
            return found


def joined(pieces: Iterable[bytes]) -> Steps[list[bytes]]:
    """Make pieces, a step each, and put small ones together; returns parts as `parts_of` does."""
    parts: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PART:
            parts += parts_of(b"".join(waiting))
            waiting, size = [], 0
        yield
    if waiting:
        parts += parts_of(b"".join(waiting))
    return parts


def parts_of(content: bytes) -> Iterator[bytes]:
    """Cut some bytes into parts that can be stored or sent without keeping anybody waiting.

    Examples
    --------
    >>> [len(part) for part in parts_of(bytes(600_000))]
    [262144, 262144, 75712]
    """
    for at in range(0, len(content), _PART):
        yield content[at : at + _PART]
