"""Doing something again and again, beside everything else that a server does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .seldom import Seldom

__all__ = ["Periodic"]


class Periodic:
    """A background task that survives whatever its work raises.

    Parameters
    ----------
    work
        What is done; never twice at once.
    every
        Seconds from the end of one time to the beginning of the next, and before the first.
    name
        Of the asyncio task.
    tell
        Called with what the work raised; ever more rarely while that stays the same.
    every_after_failure
        Takes the place of `every` after work that raised; as long by default.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[None]],
        every: float,
        *,
        name: str,
        tell: Callable[[Exception], None],
        every_after_failure: float | None = None,
    ) -> None:
        self._work = work
        self._every = every
        self._name = name
        self._tell = tell
        self._every_after_failure = every if every_after_failure is None else every_after_failure
        self._seldom = Seldom()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, in the running event loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Stop, also in the midst of the work; returns once it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = self._every
        while True:
            await asyncio.sleep(pause)
            pause = self._every
            try:
                await self._work()
                self._seldom.over(self._name)
            except Exception as exc:
                if self._seldom.due(self._name, exc):
                    self._tell(exc)
                pause = self._every_after_failure
