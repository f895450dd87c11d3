"""One execution that a kernel has been asked for, from the request to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .kernel_messages import expression_in

__all__ = ["ExecuteReply", "KernelRun", "OnMessage", "OnQuestion"]

_IDLE_GRACE = 5.0  # a kernel that replied but whose idle got lost is taken as idle after this
_REPLY_GRACE = 1.0  # after the answer to a later request
_UNANSWERED = "KeyboardInterrupt: the kernel was interrupted and does not say how the cell ended"

OnMessage = Callable[[Mapping[str, Any]], None]
OnQuestion = Callable[[str, bool], None]


@dataclass(frozen=True, slots=True)
class ExecuteReply:
    """How one execution ended.

    Attributes
    ----------
    status
        ``ok``, ``error``, ``aborted`` (by another client's failed cell), ``lost`` (the kernel is
        gone) or ``unanswered`` (an interrupt hit the kernel while it was about to answer).
    execution_count
        The kernel's count, if it said one.
    cause
        For ``error``, ``lost`` and ``unanswered``, in one line.
    """

    status: str
    execution_count: int | None = None
    cause: str | None = None


class KernelRun:
    """One execution that the kernel has been asked for.

    Parameters
    ----------
    message_id
        Of the request.
    on_message
        Takes the iopub messages that it causes.
    on_question
        Takes prompt and whether it is for a secret, when the code asks for input.

    Attributes
    ----------
    on_reply
        Takes how it ended as soon as the kernel has said so; messages may still follow.
    """

    def __init__(
        self, message_id: str, on_message: OnMessage, on_question: OnQuestion | None = None
    ) -> None:
        self.message_id = message_id
        self.on_message = on_message
        self.on_question = on_question
        self.on_reply: Callable[[ExecuteReply], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[ExecuteReply] = self._loop.create_future()
        self._begun = asyncio.Event()
        self._ended.add_done_callback(lambda _: self._begun.set())
        self._reply: ExecuteReply | None = None
        self._idle = self._executing = self._interrupted = False
        self._count: int | None = None
        self._error: str | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._began = self._loop.time()

    @classmethod
    def lost(cls, cause: str) -> KernelRun:
        """Return the run of a kernel that is not there."""
        run = cls("", lambda message: None)
        run.lose(cause)
        return run

    @property
    def seconds(self) -> float:
        """For how long it has been going on."""
        return self._loop.time() - self._began

    @property
    def executing(self) -> bool:
        """Whether the kernel has said that it is at it, and not yet how it ended."""
        return self._executing and not self._ended.done()

    @property
    def ended(self) -> bool:
        """Whether nothing of it is taken any more."""
        return self._ended.done()

    async def begun(self) -> None:
        """Return once the kernel has said that it is at it, or how it ended."""
        await self._begun.wait()

    async def reply(self) -> ExecuteReply:
        """Return how it ended, once all its messages have been handed on."""
        return await self._ended

    def take(self, message: Mapping[str, Any]) -> None:
        """Take an iopub message of this execution."""
        # What is aborted before its turn is never said to be executed.
        kind, content = message.get("msg_type"), message.get("content") or {}
        if kind == "execute_input":
            self._executing, self._count = True, content.get("execution_count")
            self._begun.set()
        elif kind == "error":
            self._error = _one_line(content)
        self.on_message(message)

    def replied(self, message: Mapping[str, Any]) -> None:
        """Take the kernel's reply."""
        if self._reply is not None or self._ended.done():
            return
        reply = self._reply = self._read(message.get("content", {}))
        if self._idle:
            self._end()
            return
        self._grace = self._loop.call_later(_IDLE_GRACE, self._end)
        if self.on_reply is not None:
            self.on_reply(reply)

    def idle(self) -> None:
        """Note that the kernel is idle again: nothing more follows on iopub."""
        self._idle = True
        if self._reply is not None:
            self._end()
        else:
            self._loop.call_later(_IDLE_GRACE, self._give_up)

    def overtaken(self) -> None:
        """Note that the kernel answered to what was asked later: it is not at this any more.

        An interrupt that hits a kernel between two lines of its own takes the answer with it.
        """
        self._loop.call_later(_REPLY_GRACE, self._give_up)

    def interrupted(self) -> None:
        """Note that an interrupt was sent to the kernel meanwhile."""
        self._interrupted = True

    def _give_up(self) -> None:
        if self._reply is not None or self._ended.done():
            return
        # A reply that is lost without an interrupt says no more than iopub did.
        status, cause = "ok", None
        if self._error is not None:
            status, cause = "error", self._error
        elif self._interrupted or not (self._idle and self._executing):
            status, cause = "unanswered", _UNANSWERED
        self._ended.set_result(ExecuteReply(status, self._count, cause))

    def lose(self, cause: str) -> None:
        """End it: the kernel is gone or about to go."""
        if self._reply is None and not self._ended.done():
            self._ended.set_result(ExecuteReply("lost", cause=cause))

    def _end(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        if not (self._ended.done() or self._reply is None):
            self._ended.set_result(self._reply)

    def _read(self, content: Mapping[str, Any]) -> ExecuteReply:
        status = content.get("status", "ok")
        cause = None
        expression = expression_in(content)
        if status == "ok" and expression.get("status") == "error":
            status, cause = "error", _one_line(expression)
        elif status == "error":
            cause = _one_line(content)
        elif status != "ok" and self._executing:
            # So says a kernel that was interrupted, the bash kernel for one: to be run once more
            # is the last thing that is wanted.
            status, cause = "error", "the kernel stopped it"
        elif status != "ok":
            status = "aborted"
        return ExecuteReply(status, content.get("execution_count"), cause)


def _one_line(error: Mapping[str, Any]) -> str:
    name = error.get("ename") or "Error"  # a shell names none
    return f"{name}: {error.get('evalue', '')}"
