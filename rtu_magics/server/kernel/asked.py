"""One execution that a kernel has been asked for: `KernelRequest` with a clock and those who wait.

How it ends is decided in `request`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...models import EndReason
from .errors import clean_error
from .request import ExecuteReply, KernelRequest, KernelTraits

__all__ = ["AskedRequest", "ExecuteReply", "OnMessage", "OnQuestion"]

_QUESTION_TIME = 2.0  # seconds that a kernel gets to take an interrupt instead of an answer

OnMessage = Callable[[Mapping[str, Any]], None]
OnQuestion = Callable[[str, bool], None]


class AskedRequest:
    """One execution that the kernel has been asked for.

    Parameters
    ----------
    message_id
        Of the request.
    on_message
        Takes the iopub messages that it causes, also those that come after it has ended.
    on_question
        Takes prompt and whether it is for a secret, when the code asks for input.
    traits
        Of the kernel.

    Attributes
    ----------
    on_reply
        Takes how it ended as soon as the kernel has said that it ended well; messages may still
        follow.
    on_payload
        Takes what the reply asks of a front end, if it asks something.
    kernel_lost
        How an execution ends there now that the kernel's memory is gone, None while it is not;
        also known of one that had ended before.
    """

    def __init__(
        self,
        message_id: str,
        on_message: OnMessage,
        on_question: OnQuestion | None = None,
        traits: KernelTraits | None = None,
    ) -> None:
        self.message_id = message_id
        self.on_message = on_message
        self.on_question = on_question
        self.on_reply: Callable[[ExecuteReply], None] | None = None
        self.on_payload: Callable[[Any], None] | None = None
        self.kernel_lost: ExecuteReply | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[ExecuteReply] = self._loop.create_future()
        self._begun = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._began = self._loop.time()
        self._request = KernelRequest(traits or KernelTraits())

    @classmethod
    def lost(cls, cause: str, reason: str = EndReason.KERNEL_GONE) -> AskedRequest:
        """Return the run of a kernel that is not there."""
        run = cls("", lambda message: None)
        run.lose(cause, reason)
        return run

    @property
    def seconds(self) -> float:
        """For how long it has been going on."""
        return self._loop.time() - self._began

    @property
    def executing(self) -> bool:
        """Whether the kernel has said that it is at it, and not yet how it ended."""
        return self._request.executing

    @property
    def ended(self) -> bool:
        """Whether it is known how it ended."""
        return self._ended.done()

    @property
    def was_interrupted(self) -> bool:
        """Whether an interrupt was sent to the kernel meanwhile."""
        return self._request.was_interrupted

    async def begun(self) -> None:
        """Return once the kernel is at it, or has said how it ended."""
        await self._begun.wait()

    async def ends_within(self, seconds: float) -> bool:
        """Return whether it ends in time."""
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._ended), seconds)
        return self.ended

    async def reply(self) -> ExecuteReply:
        """Return how it ended, once all its messages have been handed on."""
        return await self._ended

    def take(self, message: Mapping[str, Any]) -> None:
        """Take an iopub message of this execution, which may have ended long ago."""
        kind, content = str(message.get("msg_type")), message.get("content") or {}
        if kind == "error":
            cleaned = clean_error(content)
            if cleaned is not content:
                message, content = {**message, "content": cleaned}, cleaned
        if self._ended.done():
            self.on_message(message)
            return
        self._request.heard(kind, content)
        if not self._begun.is_set():
            self._begun.set()
        self.on_message(message)

    def status(self, state: str) -> None:
        """Take that the kernel is busy with it, or idle again: nothing more follows on iopub."""
        self._request.status(state, self._loop.time())
        self._follow()

    def replied(self, message: Mapping[str, Any]) -> None:
        """Take the kernel's reply."""
        payload = (message.get("content") or {}).get("payload")
        if payload and self.on_payload is not None and not self._ended.done():
            self.on_payload(payload)
        self._request.replied(message.get("content") or {}, self._loop.time())
        self._follow()
        if not self._ended.done() and self.on_reply is not None:
            early = self._request.early
            if early is not None:
                self.on_reply(early)

    def overtaken(self) -> None:
        """Note that the kernel answered to what was asked later."""
        self._request.overtaken(self._loop.time())
        self._follow()

    def interrupted(self) -> None:
        """Note that an interrupt was sent to the kernel meanwhile."""
        self._request.interrupted(self._loop.time())
        self._follow()

    async def end_question(
        self, interrupt: Callable[[], Awaitable[None]], answer: Callable[[str], None]
    ) -> None:
        """End it, which asked what nobody can answer: it would block the kernel for all.

        There is no answer that means "none", hence an interrupt; for a kernel that does not heed it
        there, an empty line. Neither may hit what comes after it.
        """
        if not self.ended:
            await interrupt()
            if not await self.ends_within(_QUESTION_TIME):
                answer("")

    def asked_nobody(self) -> None:
        """Note that the code asked for input which nobody can give."""
        self._request.asked_nobody(self._loop.time())
        self._follow()

    def lose(self, cause: str, reason: str = EndReason.KERNEL_GONE) -> None:
        """End it: the kernel is gone or about to go."""
        if self.kernel_lost is None:
            self.kernel_lost = ExecuteReply.lost(cause, reason)
        self._request.lost(cause, reason)
        self._follow()

    def _due(self) -> None:
        self._timer = None
        self._request.due(self._loop.time())
        self._follow()

    def _follow(self) -> None:
        """Tell what has come out, and wait for what comes of itself."""
        request = self._request
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if request.begun or request.end is not None:
            self._begun.set()
        if request.end is not None:
            if not self._ended.done():
                self._ended.set_result(request.end)
        elif request.deadline is not None:
            self._timer = self._loop.call_at(request.deadline, self._due)
