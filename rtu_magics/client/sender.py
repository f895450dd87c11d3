"""The sending half of a manager: what goes out, when, and over which connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..errors import ClientClosed, ConnectionLost
from ..models import BaseRTURequest
from .callbacks import in_worker
from .hooks import is_idle
from .messagelog import MessageLog
from .slot import Line, Slot

__all__ = ["Hook", "Outbox", "Outward", "in_no_context"]

Hook = Callable[..., Awaitable[None]]


def in_no_context(hook: Hook | None) -> bool:
    """Return whether the application's `context_hook` has nothing to do."""
    return hook is None or is_idle(hook)


class Outward(Protocol):
    """What sending asks of the manager, because people assign or override it."""

    context_hook: Hook | None
    unsent_hook: Callable[[BaseRTURequest, Exception], None] | None

    def outbound_message_hook(self, contents: BaseRTURequest) -> str:
        """Serialise one message."""

    async def on_exception(self, exc: BaseException) -> None:
        """Hear of what went wrong."""


class Outbox:
    """The sending half of a manager."""

    def __init__(self, manager: Outward, line: Line, log: MessageLog) -> None:
        self.queue: asyncio.Queue[tuple[BaseRTURequest, Slot | None]] = asyncio.Queue()
        self._manager = manager
        self._line = line
        self._log = log
        self._busy = 0  # messages in the hands of workers

    def send(self, message: BaseRTURequest, *, only_on: Slot | None = None) -> None:
        """Queue a message; it goes out once a connection is authenticated.

        Parameters
        ----------
        message
            The request.
        only_on
            Drop the message when this connection is no longer the present one.

        Raises
        ------
        ClientClosed
            The manager was shut down.
        """
        if self._line.closing:
            raise ClientClosed("the connection was shut down: connect again")
        if not self._send_at_once(message, only_on):
            self.queue.put_nowait((message, only_on))

    def _send_at_once(self, message: BaseRTURequest, only_on: Slot | None) -> bool:
        """Send a message without a worker, if nothing stands in the way; return whether."""
        slot = self._line.current
        if (
            self._busy
            or slot is None
            or slot.quick is None
            or not slot.authed.done()
            or (only_on is not None and only_on is not slot)
            or not self.queue.empty()
            or not in_no_context(self._manager.context_hook)
        ):
            return False
        try:
            text = self._manager.outbound_message_hook(message)
        except Exception:
            return False  # the worker meets it again, and knows what to do
        self._log.trace("sent", message)
        return slot.quick.send_now(text)

    async def flush(self) -> None:
        """Send what is queued from the caller's own task, if nothing stands in the way.

        It saves whoever waits for an answer one turn of the loop. What cannot go out at once stays
        for the workers.
        """
        while not (self._busy or self.queue.empty()) and self._line.slot.is_authenticated:
            await self._send_next()

    async def send_now(self, message: BaseRTURequest) -> None:
        """Send a message over the open connection, before everything queued, authenticated or not.

        Raises
        ------
        ConnectionLost
            No connection is open.
        """
        connection = self._line.slot.connection
        if connection is None:
            raise ConnectionLost("not connected")
        self._log.trace("sent", message)
        await connection.send(self._manager.outbound_message_hook(message))

    async def work(self) -> None:
        """Send what is queued, for ever."""
        in_worker.set(True)
        while True:
            await self._send_next()

    async def _send_next(self) -> None:
        message, only_on = await self.queue.get()
        self._busy += 1
        try:
            if self._manager.context_hook is not None:
                await self._manager.context_hook()
            await self._send(message, only_on)
        except Exception as exc:
            await self._manager.on_exception(exc)
        finally:
            self._busy -= 1
            self.queue.task_done()

    async def _send(self, message: BaseRTURequest, only_on: Slot | None) -> None:
        text: str | None = None
        while only_on is None or only_on is self._line.current:
            slot = self._line.slot
            try:
                connection = await (
                    slot.authed if slot.authed.done() else asyncio.shield(slot.authed)
                )
                if text is None:
                    try:
                        text = self._manager.outbound_message_hook(message)
                    except Exception as exc:
                        if self._manager.unsent_hook is None:
                            raise
                        self._manager.unsent_hook(message, exc)
                        return
                self._log.trace("sent", message)
                await connection.send(text)
                return
            except ConnectionLost:
                # It did not go out: the next connection takes it.
                await slot.ended.wait()
