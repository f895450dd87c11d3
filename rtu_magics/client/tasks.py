"""Tasks beside the reader of a connection, and hooks that harm nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any

__all__ = ["SideTasks", "guard"]

logger = logging.getLogger(__name__)


class SideTasks:
    """Tasks of one client, kept until they end or the client does."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task of its own."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Cancel every task but the caller's own; return them."""
        me = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not me]
        for task in tasks:
            task.cancel()
        return tasks


async def guard(coroutine: Awaitable[None]) -> None:
    """Await a hook of the application; what it raises is logged and stops nothing."""
    try:
        await coroutine
    except Exception:
        logger.exception("a hook of the application raised")
