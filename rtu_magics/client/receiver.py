"""The receiving half of a manager: parse what comes, and have it handled in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import InvalidMessage
from ..models import BaseRTUResponse, parse_response
from ..models.rtu.parse import RESPONSE_CLASSES
from .callbacks import MessageCallbacks, in_worker
from .sender import SendingManager
from .slot import Slot

__all__ = ["HandlingManager"]


class HandlingManager(SendingManager):
    """Handles what arrives, in its order; part of `RTUManager`."""

    def __init__(self) -> None:
        super().__init__()
        self.receive_hook: Callable[[BaseRTUResponse], Awaitable[None]] | None = None
        self.direct_hook: Callable[[BaseRTUResponse], bool] | None = None
        self.callbacks = MessageCallbacks()
        self._inbound: asyncio.Queue[tuple[Slot, BaseRTUResponse]] = asyncio.Queue()
        self._handling = 0  # messages in the hands of workers
        self._inbound_tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False

    def register_callback(
        self,
        fn: Callable[[Any], Any],
        on_predicate: Callable[[str, Any], bool] | None = None,
    ) -> Callable[[], None]:
        """Call `fn` with every message for which ``on_predicate(topic, message)`` is true.

        The topic is always ``""``. Returns a function that deregisters. A predicate is asked about
        every message: prefer the client's registrations by event class or transaction id.
        """
        return self.callbacks.on_predicate(on_predicate or (lambda topic, message: True), fn)

    def inbound_message_hook(self, contents: str | bytes) -> BaseRTUResponse:
        """Parse one message; never raises.

        A known event whose data do not fit, and a message that is no RTU at all, become a plain
        `BaseRTUResponse` (event ``unreadable`` in the latter case) and one log line per event.
        """
        try:
            message = parse_response(contents)
        except InvalidMessage as exc:
            self._log.complain("unreadable", f"a message that is not RTU was ignored: {exc}")
            return BaseRTUResponse(channel="system", event="unreadable")
        if type(message) is BaseRTUResponse:
            key = (message.channel_prefix, message.event)
            what = "do not fit it" if key in RESPONSE_CLASSES else "are of an unknown event"
            self._log.complain("/".join(key), f"the data of {message.event[:80]!r} {what}")
        return message

    def add_inbound_worker(self) -> None:
        """Start one more task that handles what arrives."""
        task = self._spawn(self._handle_forever())
        self._inbound_tasks.add(task)
        task.add_done_callback(self._inbound_tasks.discard)

    def step_aside(self) -> None:
        """Let somebody else read on, if the caller is the task that handles what arrives.

        A handler that waits for an answer would otherwise wait for itself.
        """
        task = asyncio.current_task()
        if task in self._inbound_tasks and not self._closing:
            self._inbound_tasks.discard(task)
            self.add_inbound_worker()

    async def _handle_forever(self) -> None:
        in_worker.set(True)
        me = asyncio.current_task()
        while not self._stopped and me in self._inbound_tasks:
            slot, message = await self._inbound.get()
            self._handling += 1
            try:
                # Messages of an old connection are dropped: catching up brings their content.
                if slot is self._current:
                    await self._handle(message)
            except Exception as exc:
                await self.on_exception(exc)
            finally:
                self._handling -= 1
                self._inbound.task_done()

    def _take(self, slot: Slot, contents: bytes) -> bool:
        """Take a message that has just arrived; return False to have it come through `recv`.

        What need not wait for anything is handled here and now.
        """
        if slot is not self._current or self._closing or self._inbound.full():
            return False
        message = self.inbound_message_hook(contents)
        if (
            self.direct_hook is None
            or self._handling
            or not self._inbound.empty()
            or not self._in_no_context()
            or not self.direct_hook(message)
        ):
            self._inbound.put_nowait((slot, message))
            return True
        in_worker.set(True)
        work = self._handle(message)
        try:
            work.send(None)
        except StopIteration:
            pass
        except Exception as exc:
            self._spawn(self.on_exception(exc))
        else:
            work.close()
            self._spawn(self.on_exception(RuntimeError(f"{message.event} was not handled at once")))
        return True

    async def _handle(self, message: BaseRTUResponse) -> None:
        if self.context_hook is not None:
            await self.context_hook()
        self._log.trace("received", message)
        if self.receive_hook is not None:
            try:
                await self.receive_hook(message)
            except Exception as exc:
                await self.on_exception(exc)
        self.callbacks.dispatch(message)
