"""One run of remote cells, from its start to its end, for the thread that waits for it.

A `Follower` subscribes to the notebook's events before the run is asked for, whose id it chose, and
keeps what carries that id. Whoever waits takes its events from a queue on their own thread.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from uuid import UUID

from ... import models as m
from ...errors import KernelDied, RTUError
from ..context import Context
from ..events import Event, InputRequested
from ..thread import TURN
from .events import Finished
from .failure import failure_of
from .follower import Follower

__all__ = ["END_OF_FILE", "Execution"]

END_OF_FILE = "\x04"  # as a kernel takes it (Jupyter messaging, input_reply)


class Execution:
    """A run: of one cell, of all, or of all from or up to one; or of code without a cell.

    Made by `Session.start`, `Session.start_scratch` and `Session.attach`. Its methods are for
    whoever waits; its follower works on the background thread.

    Parameters
    ----------
    context
        Where it runs.
    follower
        Follows it.
    interrupt
        Interrupts the kernel.

    Attributes
    ----------
    id
        The run's execution id: the id of its execute delta.
    """

    def __init__(
        self,
        context: Context,
        follower: Follower,
        interrupt: Callable[[], Coroutine[Any, Any, object]],
    ) -> None:
        self.id = follower.id
        self._context = context
        self._follower, self._course = follower, follower.course
        self._interrupt = interrupt

    @property
    def targets(self) -> tuple[str, ...]:
        """The ids of the cells that it runs, in order; known once the server has accepted it."""
        return self._course.targets

    @property
    def states(self) -> dict[str, m.CellState]:
        """The latest state of each of these cells."""
        return self._course.states

    @property
    def errors(self) -> dict[str, m.Output]:
        """The error among the outputs of each cell that has one."""
        return self._course.errors

    @property
    def question(self) -> InputRequested | None:
        """What a cell asks at present, see `answer`."""
        return self._course.question

    @property
    def user_id(self) -> UUID | None:
        """Who started it, where that is known (`Session.attach`)."""
        return self._course.user_id

    @property
    def on_withdrawn(self) -> Callable[[], None]:
        """Called, on the background thread, when a question needs no answer any more."""
        return self._follower.on_withdrawn

    @on_withdrawn.setter
    def on_withdrawn(self, fn: Callable[[], None]) -> None:
        self._follower.on_withdrawn = fn

    def next(self, timeout: float = TURN) -> Event | None:
        """Return the next event, or None when none came in time.

        Parameters
        ----------
        timeout
            Seconds. Short, because Ctrl-C gets through between two calls only on some platforms.
        """
        try:
            return self._follower.events.get(timeout=timeout)
        except queue.Empty:
            return None

    def __iter__(self) -> Iterator[Event]:
        """Yield every event up to the end."""
        while True:
            event = self.next()
            if event is None:
                if not self._context.open and self._follower.events.empty():
                    raise RTUError("the session was closed while the cell ran; it runs on remotely")
                continue
            yield event
            if isinstance(event, Finished):
                return

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self._follower.over

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``waits for input``, ``ok`` or ``failed``."""
        states = [self.states[cell_id] for cell_id in self.targets if cell_id in self.states]
        if self._course.failure is not None or any(s.failed for s in states):
            return "failed"
        if self._course.all_finished():
            return "ok"
        if any(s.waiting_for_input for s in states):
            return "waits for input"
        began = any(s.state != "queued" for s in states)
        return "running" if began else "queued"

    @property
    def failed(self) -> bool:
        """Whether it is over and something failed."""
        return self.done and self.state == "failed"

    def interrupt(self) -> None:
        """Interrupt the remote kernel."""
        self._context.call(self._interrupt())

    def answer(self, request_id: UUID, value: str) -> bool:
        """Answer a question of the run's; returns whether it was still asked.

        Parameters
        ----------
        request_id
            Of the question (`InputRequested`).
        value
            The line, or `END_OF_FILE`.
        """
        return self._context.call(self._answer(request_id, value))

    async def _answer(self, request_id: UUID, value: str) -> bool:
        self._course.answered(request_id)
        data = m.InputReplyRequestData(request_id=request_id, value=value)
        message = m.InputReplyRequest(channel=self._context.client.file_channel, data=data)
        reply = await self._context.request(message)
        return isinstance(reply, m.InputReplyReply) and reply.data.success

    def raise_for_failure(self) -> None:
        """Raise what ended the run, if it failed.

        Raises
        ------
        RemoteCellError
            A cell raised.
        KernelDied
            The kernel died.
        """
        if self._course.failure is not None:
            raise self._course.failure
        for cell_id in self.targets:
            state = self.states.get(cell_id)
            if state is None or not state.failed:
                continue
            where = f"cell {self._context.label(cell_id)}" if cell_id else "the scratch cell"
            gone = self._course.kernel_gone
            failure = failure_of(where, state, self.errors.get(cell_id), kernel_gone=gone)
            if isinstance(failure, KernelDied):
                self._context.known.kernel_died = ""  # this tells it
            raise failure

    def wait(self) -> None:
        """Wait for the end of the run, stop following it, and raise what ended it.

        Raises
        ------
        RemoteCellError
            A cell raised.
        KernelDied
            The kernel died.
        """
        try:
            for _ in self:
                pass
        finally:
            self.close()
        self.raise_for_failure()

    def on_late(self, fn: Callable[[Event], None]) -> None:
        """Call `fn` with every output event that comes after the end of the run.

        Parameters
        ----------
        fn
            Called on the background thread, at first with what has come already; must return at
            once. `close` does not end it for a run that is over.
        """
        self._follower.late.subscribe(fn)

    def close(self) -> None:
        """Stop following the run, which goes on remotely."""
        self._follower.let_go()
