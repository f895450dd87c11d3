"""The receiving half of a manager: parse what comes, and have it handled in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..errors import InvalidMessage
from ..models import BaseRTUResponse, parse_response
from ..models.rtu.parse import RESPONSE_CLASSES
from .callbacks import MessageCallbacks, in_worker
from .messagelog import MessageLog
from .sender import Hook, in_no_context
from .slot import Line, Slot

__all__ = ["Inbox", "Inward", "parsed"]


def parsed(contents: str | bytes, log: MessageLog) -> BaseRTUResponse:
    """Parse one message; never raises. See `RTUManager.inbound_message_hook`."""
    try:
        message = parse_response(contents)
    except InvalidMessage as exc:
        log.complain("unreadable", f"a message that is not RTU was ignored: {exc}")
        return BaseRTUResponse(channel="system", event="unreadable")
    if type(message) is BaseRTUResponse:
        key = (message.channel_prefix, message.event)
        what = "do not fit it" if key in RESPONSE_CLASSES else "are of an unknown event"
        log.complain("/".join(key), f"the data of {message.event[:80]!r} {what}")
    return message


class Inward(Protocol):
    """What receiving asks of the manager, because people assign or override it."""

    context_hook: Hook | None
    receive_hook: Callable[[BaseRTUResponse], Awaitable[None]] | None
    direct_hook: Callable[[BaseRTUResponse], bool] | None
    callbacks: MessageCallbacks

    def inbound_message_hook(self, contents: str | bytes) -> BaseRTUResponse:
        """Parse one message."""

    async def on_exception(self, exc: BaseException) -> None:
        """Hear of what went wrong."""


class Inbox:
    """The receiving half of a manager: handles what arrives, in its order."""

    def __init__(self, manager: Inward, line: Line, log: MessageLog) -> None:
        self.queue: asyncio.Queue[tuple[Slot, BaseRTUResponse]] = asyncio.Queue()
        self._manager = manager
        self._line = line
        self._log = log
        self._handling = 0  # messages in the hands of workers
        self._workers: set[asyncio.Task[Any]] = set()

    def add_worker(self) -> None:
        """Start one more task that handles what arrives."""
        task = self._line.spawn(self._work())
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    def step_aside(self) -> None:
        """Let somebody else read on, if the caller is the task that handles what arrives.

        A handler that waits for an answer would otherwise wait for itself.
        """
        task = asyncio.current_task()
        if task in self._workers and not self._line.closing:
            self._workers.discard(task)
            self.add_worker()

    async def _work(self) -> None:
        in_worker.set(True)
        me = asyncio.current_task()
        while not self._line.stopped and me in self._workers:
            slot, message = await self.queue.get()
            self._handling += 1
            try:
                # Messages of an old connection are dropped: catching up brings their content.
                if slot is self._line.current:
                    await self._handle(message)
            except Exception as exc:
                await self._manager.on_exception(exc)
            finally:
                self._handling -= 1
                self.queue.task_done()

    def take(self, slot: Slot, contents: bytes) -> bool:
        """Take a message that has just arrived; return False to have it come through `recv`.

        What need not wait for anything is handled here and now.
        """
        manager = self._manager
        if slot is not self._line.current or self._line.closing or self.queue.full():
            return False
        message = manager.inbound_message_hook(contents)
        if (
            manager.direct_hook is None
            or self._handling
            or not self.queue.empty()
            or not in_no_context(manager.context_hook)
            or not manager.direct_hook(message)
        ):
            self.queue.put_nowait((slot, message))
            return True
        in_worker.set(True)
        work = self._handle(message)
        try:
            work.send(None)
        except StopIteration:
            pass
        except Exception as exc:
            self._line.spawn(manager.on_exception(exc))
        else:
            work.close()
            self._line.spawn(
                manager.on_exception(RuntimeError(f"{message.event} was not handled at once"))
            )
        return True

    async def _handle(self, message: BaseRTUResponse) -> None:
        manager = self._manager
        if manager.context_hook is not None:
            await manager.context_hook()
        self._log.trace("received", message)
        if manager.receive_hook is not None:
            try:
                await manager.receive_hook(message)
            except Exception as exc:
                await manager.on_exception(exc)
        manager.callbacks.dispatch(message)
