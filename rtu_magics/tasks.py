"""Tasks that nobody awaits: kept until they are done, since the event loop holds them weakly."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["TaskSet"]


class TaskSet:
    """The tasks that somebody has begun and that go on beside them.

    Examples
    --------
    >>> async def main():
    ...     tasks = TaskSet()
    ...     tasks.spawn(asyncio.sleep(0))
    ...     await tasks.settle()
    ...     return len(tasks)
    >>> asyncio.run(main())
    0
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        """Begin something on the running loop."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Cancel all of them."""
        for task in list(self._tasks):
            task.cancel()

    async def settle(self) -> None:
        """Return when all of them have ended, those that begin meanwhile too, but for this one."""
        while begun := self._tasks - {asyncio.current_task()}:
            await asyncio.gather(*begun, return_exceptions=True)
