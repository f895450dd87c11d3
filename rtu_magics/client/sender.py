"""The sending half of a manager: what goes out, when, and over which connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import ClientClosed, ConnectionLost, TransportError
from ..models import BaseRTURequest
from .callbacks import in_worker
from .hooks import is_idle
from .messagelog import MessageLog
from .slot import Slot

__all__ = ["Hook", "SendingManager"]

logger = logging.getLogger(__name__)

Hook = Callable[..., Awaitable[None]]


class SendingManager:
    """Sends messages in order, each once a connection is authenticated; part of `RTUManager`."""

    def __init__(self) -> None:
        self.context_hook: Hook | None = None
        self.unsent_hook: Callable[[BaseRTURequest, Exception], None] | None = None
        self._current: Slot | None = None
        self._outbound: asyncio.Queue[tuple[BaseRTURequest, Slot | None]] = asyncio.Queue()
        self._sending = 0  # messages in the hands of workers
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._log = MessageLog(logger)

    @property
    def slot(self) -> Slot:
        """The present connection, or the attempt to make one."""
        if self._current is None:
            self._current = Slot()
        return self._current

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
        if self._closing:
            raise ClientClosed("the connection was shut down: connect again")
        if not self._send_at_once(message, only_on):
            self._outbound.put_nowait((message, only_on))

    def _send_at_once(self, message: BaseRTURequest, only_on: Slot | None) -> bool:
        """Send a message without a worker, if nothing stands in the way; return whether."""
        slot = self._current
        if (
            self._sending
            or slot is None
            or slot.quick is None
            or not slot.authed.done()
            or (only_on is not None and only_on is not slot)
            or not self._outbound.empty()
            or not self._in_no_context()
        ):
            return False
        try:
            text = self.outbound_message_hook(message)
        except Exception:
            return False  # the worker meets it again, and knows what to do
        self._log.trace("sent", message)
        return slot.quick.send_now(text)

    def _in_no_context(self) -> bool:
        """Return whether the application's `context_hook` has nothing to do."""
        return self.context_hook is None or is_idle(self.context_hook)

    async def flush(self) -> None:
        """Send what is queued from the caller's own task, if nothing stands in the way.

        It saves whoever waits for an answer one turn of the loop. What cannot go out at once stays
        for the workers.
        """
        while not (self._sending or self._outbound.empty()) and self.slot.is_authenticated:
            await self._send_next()

    async def send_now(self, message: BaseRTURequest) -> None:
        """Send a message over the open connection, before everything queued, authenticated or not.

        Raises
        ------
        ConnectionLost
            No connection is open.
        """
        connection = self.slot.connection
        if connection is None:
            raise ConnectionLost("not connected")
        self._log.trace("sent", message)
        await connection.send(self.outbound_message_hook(message))

    def outbound_message_hook(self, contents: BaseRTURequest) -> str:
        """Serialise one message."""
        return contents.model_dump_json()

    async def on_exception(self, exc: BaseException) -> None:
        """Hear of what went wrong in a worker or with the connection; logs it."""
        if isinstance(exc, TransportError):
            logger.info("%s: %s", type(exc).__name__, exc)
        else:
            logger.error("an RTU worker caught %r", exc, exc_info=exc)

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_forever(self) -> None:
        in_worker.set(True)
        while True:
            await self._send_next()

    async def _send_next(self) -> None:
        message, only_on = await self._outbound.get()
        self._sending += 1
        try:
            if self.context_hook is not None:
                await self.context_hook()
            await self._send(message, only_on)
        except Exception as exc:
            await self.on_exception(exc)
        finally:
            self._sending -= 1
            self._outbound.task_done()

    async def _send(self, message: BaseRTURequest, only_on: Slot | None) -> None:
        text: str | None = None
        while only_on is None or only_on is self._current:
            slot = self.slot
            try:
                connection = await (
                    slot.authed if slot.authed.done() else asyncio.shield(slot.authed)
                )
                if text is None:
                    try:
                        text = self.outbound_message_hook(message)
                    except Exception as exc:
                        if self.unsent_hook is None:
                            raise
                        self.unsent_hook(message, exc)
                        return
                self._log.trace("sent", message)
                await connection.send(text)
                return
            except ConnectionLost:
                # It did not go out: the next connection takes it.
                await slot.ended.wait()
