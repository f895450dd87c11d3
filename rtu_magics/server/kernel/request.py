"""How an execution ends, from what its kernel says and from what was asked of the kernel.

Kernels differ from what the Jupyter protocol asks of them: some reply ``ok`` to a cell that was
interrupted, some ``abort``, some go idle and never reply, some say of an error that there was one
and no more. What they leave out is made up for here and nowhere else. Nothing here waits or looks
at a clock: the time comes with each event, in seconds of any steady clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...models import EndReason
from .errors import error_of, first_line, last_line, names_error
from .expressions import expression_in

__all__ = ["ExecuteReply", "KernelRequest", "KernelTraits", "retry_after"]

_IDLE_GRACE = 5.0  # a kernel that replied but whose idle got lost is taken as idle after this
_REPLY_GRACE = 1.0  # after the answer to a later request
_INTERRUPTED_GRACE = 0.5  # an interrupt takes the reply of some kernels with it
_BEGINS = 0.25  # busy for so long, a kernel that does not say when it begins has begun
_QUESTION_GRACE = 10.0  # from a question that nobody can answer to the end of it, whatever happens
_RETRIES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5)  # pauses before a cell that was refused is asked again

_INTERRUPTED = ("KeyboardInterrupt", "the cell was interrupted")
_STDIN_ERROR = "StdinNotImplementedError"
_STDIN = (_STDIN_ERROR, "the cell asked for input, and there is nobody to answer")
_NO_ANSWER = (
    "NoAnswer",
    "the kernel is idle and does not say how the cell ended; perhaps its code is incomplete",
)
_SILENT_ERROR = "the kernel says that the cell failed, and not why"
_STOPPED = ("Stopped", "the kernel stopped the cell and does not say why")
_REFUSED = ("Aborted", "the kernel refused to run the cell, again and again; run it again")


@dataclass(frozen=True, slots=True)
class ExecuteReply:
    """How one execution ended.

    Attributes
    ----------
    status
        ``ok``, ``failed``, or ``aborted``: refused before it began, so that it may be asked again.
    execution_count
        The kernel's count, if it said one.
    cause
        Why it failed, in one line.
    reason
        One of `EndReason`; also of what ended well although it was interrupted.
    shows
        Name and value of the error that stands for the failure where the kernel has shown none.
    """

    status: str
    execution_count: int | None = None
    cause: str | None = None
    reason: str | None = None
    shows: tuple[str, str] | None = None

    @classmethod
    def failed(
        cls, error: tuple[str, str], reason: str, execution_count: int | None = None
    ) -> ExecuteReply:
        """Return the end of an execution that an error of ours stands for."""
        return cls("failed", execution_count, ": ".join(error), reason, error)

    @classmethod
    def lost(cls, cause: str, reason: str = EndReason.KERNEL_GONE) -> ExecuteReply:
        """Return the end of an execution whose kernel is gone, or was never there."""
        shows = ("KernelDied", f"{cause}; the cell did not finish")
        return cls("failed", None, cause, reason, shows)

    @classmethod
    def refused(cls) -> ExecuteReply:
        """Return the end of an execution that the kernel aborted once too often."""
        return cls.failed(_REFUSED, EndReason.ABORTED)

    @classmethod
    def interrupted(cls) -> ExecuteReply:
        """Return the end of an execution that was interrupted before it began."""
        return cls.failed(_INTERRUPTED, EndReason.INTERRUPTED)


def retry_after(tries: int) -> float | None:
    """Return for how many seconds to wait before a cell is asked for again.

    Parameters
    ----------
    tries
        How often the kernel has refused it. None is returned when it has been often enough.

    Examples
    --------
    >>> retry_after(1), retry_after(100)
    (0.05, None)
    """
    return _RETRIES[tries - 1] if tries <= len(_RETRIES) else None


@dataclass(slots=True)
class KernelTraits:
    """What has to be known of a kernel to make sense of what it says.

    Attributes
    ----------
    in_order
        Whether it does one thing after the other.
    shows_errors
        Whether it shows every error on iopub. Where no error is shown a lost reply then was an
        ``ok``.
    says_begin
        Whether it says when it begins with a cell (``execute_input``).
    heeds_ok
        Whether ``ok`` after an interrupt means that the code has dealt with it, as code in Python
        can: an exception is raised there. Elsewhere it means nothing.
    """

    in_order: bool = False
    shows_errors: bool = False
    says_begin: bool = False
    heeds_ok: bool = False

    def take(self, info: Mapping[str, Any]) -> None:
        """Take what a kernel says of itself (``kernel_info_reply``)."""
        self.in_order = self.shows_errors = info.get("implementation") == "ipython"
        self.says_begin = self.says_begin or self.in_order
        language = info.get("language_info") or {}
        self.heeds_ok = str(language.get("name", "")).lower() == "python"


class KernelRequest:
    """One execute request, from what the kernel says to how it ends.

    Parameters
    ----------
    traits
        Of the kernel.

    Attributes
    ----------
    end
        How it ended, None while it goes on.
    deadline
        When `due` wants to be called, None for not at all.
    begun
        Whether the kernel is at it, as far as it tells: before, it may ignore an interrupt.
    """

    __slots__ = (
        "_asked_nobody",
        "_busy",
        "_count",
        "_error",
        "_executing",
        "_idle",
        "_interrupted",
        "_overtaken",
        "_replied",
        "_reply",
        "_said",
        "_stderr",
        "_traits",
        "begun",
        "deadline",
        "end",
    )

    def __init__(self, traits: KernelTraits) -> None:
        self._traits = traits
        self._busy: float | None = None
        self._idle: float | None = None
        self._replied: float | None = None
        self._interrupted: float | None = None
        self._overtaken: float | None = None
        self._asked_nobody: float | None = None
        self._reply: Mapping[str, Any] = {}
        self._count: int | None = None
        self._error: Mapping[str, Any] | None = None
        self._stderr: Mapping[str, Any] | None = None
        self._executing = False  # it was said to begin
        self._said = False  # it has put something out
        self.begun = False
        self.end: ExecuteReply | None = None
        self.deadline: float | None = None

    # What happens

    def heard(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take a message on iopub other than a status."""
        if kind == "execute_input":
            self._executing = self._traits.says_begin = True
            self._count = content.get("execution_count")
        else:
            self._said = True
            if kind == "error":
                self._error = content
            elif kind == "stream" and content.get("name") == "stderr":
                self._stderr = content
        self.begun = True

    def status(self, state: str, now: float) -> None:
        """Take ``busy`` or ``idle``; after the latter nothing follows on iopub."""
        if state == "busy" and self._busy is None:
            self._busy = now
        elif state == "idle":
            self._idle = now
        self._settle(now)

    def replied(self, content: Mapping[str, Any], now: float) -> None:
        """Take the reply; a second one is none."""
        if self._replied is None and self.end is None:
            self._replied, self._reply = now, content
            self._settle(now)

    def interrupted(self, now: float) -> None:
        """Note that an interrupt was sent to the kernel: whatever it says, that is the end."""
        if self._interrupted is None:
            self._interrupted = now
        self._settle(now)

    def overtaken(self, now: float) -> None:
        """Note that the kernel answered to what was asked later: it is not at this any more.

        An interrupt that hits a kernel between two lines of its own takes the answer with it.
        """
        self._overtaken = now
        self._settle(now)

    def asked_nobody(self, now: float) -> None:
        """Note that the code asked for input which nobody can give."""
        if self._asked_nobody is None:
            self._asked_nobody = now
        self._settle(now)

    def lost(self, cause: str, reason: str) -> None:
        """Note that the kernel is gone or about to go; a reply that came before still counts."""
        if self._replied is None and self.end is None:
            self.end, self.deadline = ExecuteReply.lost(cause, reason), None

    def due(self, now: float) -> None:
        """Note that time has passed."""
        self._settle(now)

    # What follows from it

    @property
    def executing(self) -> bool:
        """Whether the kernel has said that it is at it, and not yet how it ended."""
        return self.begun and self.end is None

    @property
    def was_interrupted(self) -> bool:
        """Whether an interrupt was sent to the kernel."""
        return self._interrupted is not None

    @property
    def early(self) -> ExecuteReply | None:
        """How it will end, where the reply alone settles that: well."""
        if self._replied is None or self.was_interrupted or self._asked_nobody is not None:
            return None
        read = self._read()
        return read if read.status == "ok" else None

    def _settle(self, now: float) -> None:
        if self.end is not None:
            return
        ends = self._ends_at()
        if ends is not None and now >= ends:
            self.end, self.begun, self.deadline = self._conclude(), True, None
            return
        begins = None
        if not self.begun and self._busy is not None and not self._traits.says_begin:
            begins = self._busy + _BEGINS
            if now >= begins:
                self.begun, begins = True, None
        times = [at for at in (ends, begins) if at is not None]
        self.deadline = min(times) if times else None

    def _ends_at(self) -> float | None:
        """Return when it is over unless something else happens; None for no time."""
        replied, idle, interrupted = self._replied, self._idle, self._interrupted
        if replied is not None:
            return replied + _IDLE_GRACE if idle is None else max(replied, idle)
        ends = []
        if idle is not None and interrupted is not None:
            ends.append(max(idle, interrupted) + _INTERRUPTED_GRACE)
        elif idle is not None:
            ends.append(idle + _IDLE_GRACE)
        if self._overtaken is not None:
            ends.append(self._overtaken + _REPLY_GRACE)
        if self._asked_nobody is not None:
            ends.append(self._asked_nobody + _QUESTION_GRACE)
        return min(ends) if ends else None

    def _conclude(self) -> ExecuteReply:
        if self._asked_nobody is not None:
            return ExecuteReply.failed(_STDIN, EndReason.STDIN, self._counted())
        read = self._read() if self._replied is not None else self._unanswered()
        if self._interrupted is None:
            return read
        came_late = self._replied is not None and self._interrupted > self._replied
        if read.status == "ok" and (self._traits.heeds_ok or came_late):
            return ExecuteReply("ok", read.execution_count, reason=EndReason.INTERRUPTED)
        if read.reason == EndReason.ERROR and self._named:
            return ExecuteReply(
                "failed", read.execution_count, read.cause, EndReason.INTERRUPTED, read.shows
            )
        return ExecuteReply.failed(_INTERRUPTED, EndReason.INTERRUPTED, read.execution_count)

    def _read(self) -> ExecuteReply:
        """Return what the reply says, with what iopub says beside it."""
        content = self._reply
        status, count = content.get("status", "ok"), self._counted()
        expression = expression_in(content)
        if status == "ok" and expression.get("status") != "error":
            return ExecuteReply("ok", count)
        if status in ("ok", "error"):
            return self._failed(expression if status == "ok" else content, count)
        if self._executing or self._said:
            # So says a kernel that was interrupted, the bash kernel for one: to be run once more
            # is the last thing that is wanted.
            return ExecuteReply.failed(_STOPPED, EndReason.STOPPED, count)
        return ExecuteReply("aborted", count)

    def _failed(self, content: Mapping[str, Any], count: int | None) -> ExecuteReply:
        name, value, traceback = error_of(content)
        if not (name or value) and self._error is not None:
            name, value, traceback = error_of(self._error)
        line = first_line(value) or last_line(self._stderr_text()) or last_line(*traceback)
        if name:
            cause = f"{name}: {line}" if line else name
        elif names_error(line):
            cause = line
        else:
            cause = f"Error: {line}" if line else _SILENT_ERROR
        reason = EndReason.STDIN if name == _STDIN_ERROR else EndReason.ERROR
        # What a kernel has written as text is not written once more.
        told = self._error is not None or self._stderr is not None
        shows = None if told else (name or "Error", line or _SILENT_ERROR)
        return ExecuteReply("failed", count, cause, reason, shows)

    @property
    def _named(self) -> bool:
        """Whether the kernel gives the error a name: then it may say more than we can."""
        return any(error_of(content)[0] for content in (self._reply, self._error or {}))

    def _unanswered(self) -> ExecuteReply:
        count = self._counted()
        if self._error is not None:
            return self._failed(self._error, count)
        if self._traits.shows_errors and self._executing and self._interrupted is None:
            return ExecuteReply("ok", count)
        return ExecuteReply.failed(_NO_ANSWER, EndReason.NO_ANSWER, count)

    def _counted(self) -> int | None:
        count = self._reply.get("execution_count")
        return count if isinstance(count, int) else self._count

    def _stderr_text(self) -> str:
        return str(self._stderr.get("text") or "") if self._stderr is not None else ""
