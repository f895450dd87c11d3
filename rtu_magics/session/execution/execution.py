"""One run of remote cells, followed from its start to its end.

An `Execution` subscribes to the notebook's events before its run is asked for, whose id it chose,
and keeps what carries that id. Whoever waits takes its events from a queue on their own thread.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from uuid import UUID

from ... import models as m
from ...errors import KernelDied, RemoteCellError, RTUError
from ..events import Event
from ..thread import TURN, background
from .events import Finished
from .follower import Follower

__all__ = ["Execution"]

# What servers that give no reasons note among the outputs, by the error's name.
_OLD_REASONS = {
    "KernelDied": m.EndReason.KERNEL_GONE,
    "StdinNotImplementedError": m.EndReason.STDIN,
}
END_OF_FILE = "\x04"  # as a kernel takes it (Jupyter messaging, input_reply)


# What is said of a cell that failed without an error among its outputs.
_WITHOUT_ERROR = {
    m.EndReason.ERROR: "failed",
    m.EndReason.EXPECTED_ERROR: "failed",
}


class Execution(Follower):
    """A run: of one cell, of all, or of all from or up to one; or of code without a cell.

    Made by `Session.start`, `Session.start_scratch` and `Session.attach`. What the base class does
    happens on the background thread; the methods here are for whoever waits.

    Attributes
    ----------
    id
        The run's execution id: the id of its execute delta.
    targets
        The ids of the cells that it runs, in order; known once the server has accepted it.
    states
        The latest state of each of these cells.
    question
        What a cell asks at present, see `answer`.
    user_id
        Who started it, where that is known (`Session.attach`).
    """

    def next(self, timeout: float = TURN) -> Event | None:
        """Return the next event, or None when none came in time.

        Parameters
        ----------
        timeout
            Seconds. Short, because Ctrl-C gets through between two calls only on some platforms.
        """
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def __iter__(self) -> Iterator[Event]:
        """Yield every event up to the end."""
        while True:
            event = self.next()
            if event is None:
                if not self.session.open and self._queue.empty():
                    raise RTUError("the session was closed while the cell ran; it runs on remotely")
                continue
            yield event
            if isinstance(event, Finished):
                return

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self._over

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``waits for input``, ``ok`` or ``failed``."""
        states = [self.states[cell_id] for cell_id in self.targets if cell_id in self.states]
        if self._failure is not None or any(s.failed for s in states):
            return "failed"
        if self._all_finished():
            return "ok"
        if any(s.waiting_for_input for s in states):
            return "waits for input"
        began = any(s.state != "queued" for s in states)
        return "running" if began else "queued"

    @property
    def failed(self) -> bool:
        """Whether it is over and something failed."""
        return self._over and self.state == "failed"

    def interrupt(self) -> None:
        """Interrupt the remote kernel."""
        self.session.kernel_interrupt(None)

    def answer(self, request_id: UUID, value: str) -> bool:
        """Answer a question of the run's; returns whether it was still asked.

        Parameters
        ----------
        request_id
            Of the question (`InputRequested`).
        value
            The line, or `END_OF_FILE`.
        """
        self.question = None
        data = m.InputReplyRequestData(request_id=request_id, value=value)
        message = m.InputReplyRequest(channel=self.session.client.file_channel, data=data)
        reply = self.session.call(self.session.request(message))
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
        if self._failure is not None:
            raise self._failure
        for cell_id in self.targets:
            state = self.states.get(cell_id)
            if state is None or not state.failed:
                continue
            self._raise_for(cell_id, state)

    def _raise_for(self, cell_id: str, state: m.CellState) -> None:
        where = f"cell {self.session.label(cell_id)}" if cell_id else "the scratch cell"
        error = self.errors.get(cell_id)
        cause = state.cause or "the server gives no cause"
        if self._lost_kernel(state, error):
            raise KernelDied(
                f"{where} did not run to its end: {cause}; its variables are gone, the next "
                f"run starts on a fresh kernel"
            )
        if error is None or not (error.ename or error.evalue):
            # Some kernels write what went wrong as text, or not at all: the reply says it then.
            begin = _WITHOUT_ERROR.get(state.reason or "", "did not run to its end")
            what = f"{begin}: {_one_line(cause)}"
            ename, evalue = _error_in(state)
            raise RemoteCellError(f"{where} {what}", ename=ename, evalue=evalue, cell_id=cell_id)
        evalue = _one_line(error.evalue or "")
        # A shell, for one, names no exception: it says the exit code.
        what = f"raised {error.ename}: {evalue}" if error.ename else f"failed: {evalue}"
        what = what.removesuffix(": ")  # an error without a text
        if state.reason == m.EndReason.INTERRUPTED:
            what = f"was interrupted ({what})"
        if m.EndReason.STDIN in (state.reason, _OLD_REASONS.get(error.ename or "")):
            what = (
                "asked for input, and there is nobody to answer; run it in the foreground, "
                "in a front end that can ask"
            )
        raise RemoteCellError(
            f"{where} {what}",
            ename=error.ename or "",
            evalue=error.evalue or "",
            traceback=error.traceback,
            cell_id=cell_id,
        )

    def _lost_kernel(self, state: m.CellState, error: m.Output | None) -> bool:
        """Whether a cell failed because the kernel went, and its variables with it."""
        reason = state.reason
        if reason is None and error is not None:  # the server is old, or of another kind
            reason = _OLD_REASONS.get(error.ename or "", m.EndReason.ERROR)
        if reason is None:
            return self._kernel_gone
        return reason in m.KERNEL_LOST_REASONS

    def on_late(self, fn: Callable[[Event], None]) -> None:
        """Call `fn` with every output event that comes after the end of the run.

        Parameters
        ----------
        fn
            Called on the background thread, at first with what has come already; must return at
            once. `close` does not end it for a run that is over.
        """
        with self._late_lock:
            self._on_late = fn
            while self._late:
                fn(self._late.popleft())

    def close(self) -> None:
        """Stop following the run, which goes on remotely."""
        self._unsubscribe()
        if self._on_late is None or not self._over:
            self._abandoned = True
            loop = background()
            if loop.running:
                loop.loop.call_soon_threadsafe(self._let_go)


def _error_in(state: m.CellState) -> tuple[str, str]:
    """Return the name and the text of an error that stands in a state only."""
    cause = state.cause or ""
    name, colon, line = cause.partition(": ")
    return (name, line) if colon and state.reason == m.EndReason.ERROR else ("", cause)


def _one_line(text: str, width: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
