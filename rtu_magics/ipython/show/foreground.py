"""Running remote cells from a local one: outputs stream here, Ctrl-C reaches there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import RemoteCellError, RTUError, RunTimeout
from ...session import CellStarted, Execution, Finished, InputRequested, Reconnected, Reconnecting
from ...session.context import RECONNECTING
from ...session.events import OutputAppended, PayloadReceived
from .display_ids import display_ids
from .interrupt import interrupted
from .late import follow_late
from .replay import Replay
from .stdin import Asker, CannotAsk, can_ask

if TYPE_CHECKING:
    from ...session import Session
    from .progress import ProgressLine

__all__ = ["How", "follow_here", "run_cells", "run_here", "run_scratch_here"]

GRACE = 5.0  # seconds that an interrupted cell gets to end
FIRST_WORD = 1.0  # seconds that a cell gets to begin before it is interrupted
STILL_RUNS = "%rtu_kernel interrupt stops it, %rtu_attach shows it again"


@dataclass
class How:
    """How a run is shown.

    Attributes
    ----------
    say
        Prints a line.
    owns_cell
        Whether the calling cell holds nothing but this run.
    collect
        Called with each output event; nothing but tracebacks is shown then.
    deadline
        When to stop the run, in seconds of the monotonic clock; None lets it take its time.
    grace
        Seconds that an interrupted cell gets to end.
    mark
        A line to stand above the outputs, whatever clears them.
    progress
        Counts the cells; the caller closes it.
    header
        See `show_payload`.
    payload
        Whether what a cell's reply asks of its front end is done.
    interrupts
        Whether Ctrl-C interrupts the remote cell; otherwise it only stops looking.
    """

    say: Callable[[str], None]
    owns_cell: bool = False
    collect: Callable[[Any], None] | None = None
    deadline: float | None = None
    grace: float = GRACE
    mark: str | None = None
    progress: ProgressLine | None = None
    interrupts: bool = True
    header: str | None = None
    payload: bool = True


def run_here(shell: Any, session: Session, ref: str | None, how: How, **what: Any) -> None:
    """Run remote cells and show their outputs in the calling cell until they are done.

    Parameters
    ----------
    shell
        The IPython shell.
    session
        Where to run.
    ref, what
        What to run, see `Session.start`.
    how
        How it is shown.

    Raises
    ------
    RemoteCellError
        A cell raised; its traceback was shown.
    KeyboardInterrupt
        The run was interrupted, here and there.
    RunTimeout
        The deadline passed; the remote cell was interrupted.
    """
    follow_here(shell, session, session.start(ref, asks=can_ask(shell), **what), how)


def run_scratch_here(shell: Any, session: Session, source: str, how: How) -> None:
    """Run code without a cell; the rest as in `run_here`."""
    follow_here(shell, session, session.start_scratch(source, asks=can_ask(shell)), how)


def follow_here(shell: Any, session: Session, execution: Execution, how: How) -> None:
    """Show a run's outputs in the calling cell until it is done; the rest as in `run_here`."""
    show = Replay(
        shell,
        display_ids(session),
        owns_cell=how.owns_cell,
        fetch=session.fetch,
        trusts=lambda: session.trusts_outputs,
        mark=how.mark,
    )
    show.begin()
    watch = _Watch(session, execution, show, how)
    try:
        try:
            if not watch.follow(how.deadline):
                watch.time_up()
        except KeyboardInterrupt:
            watch.stop()
        show.end()
    finally:
        if execution.done:
            follow_late(
                shell,
                session,
                execution,
                owns_cell=how.owns_cell,
                mark=how.mark,
                collect=how.collect,
            )
        execution.close()
    execution.raise_for_failure()


def run_cells(
    shell: Any, session: Session, refs: list[str], how: How, *, keep_going: bool = False
) -> None:
    """Run cells one after the other; the rest as in `run_here`.

    Parameters
    ----------
    keep_going
        Whether those after a failed one run, too. What failed is raised at the end.
    """
    failed: list[RemoteCellError] = []
    for ref in refs:
        try:
            run_here(shell, session, ref, how)
        except RemoteCellError as exc:
            if not keep_going or len(refs) == 1:
                raise
            failed.append(exc)
    if failed:
        raise RemoteCellError(
            f"{len(failed)} of {len(refs)} cells failed: {'; '.join(map(str, failed))}",
            ename=failed[0].ename,
            evalue=failed[0].evalue,
            traceback=failed[0].traceback,
            cell_id=failed[0].cell_id,
        )


class _Watch:
    """The calling thread at work for one run."""

    def __init__(self, session: Session, execution: Execution, show: Replay, how: How) -> None:
        self.session = session
        self.execution = execution
        self.show = show
        self.how = how
        self.asker = Asker(execution)
        self._lost: float | None = None

    def follow(self, until: float | None = None) -> bool:
        """Show events until the run is over; returns whether it is (False: the time is up)."""
        while until is None or time.monotonic() < until:
            event = self.execution.next()
            if isinstance(event, Finished):
                return True
            self._take(event)
        return False

    def _take(self, event: Any) -> None:
        how, progress = self.how, self.how.progress
        if event is None:
            self.show.idle()
            if self._lost is not None:
                self.session.check_server()
            if progress is not None:
                progress.tick()
        elif isinstance(event, CellStarted):
            if progress is not None:
                progress.total = max(progress.total, len(self.execution.targets))
                progress.cell_started()
        elif isinstance(event, InputRequested):
            self._answer(event)
        elif isinstance(event, Reconnecting):
            self._lost = time.monotonic()
            how.say(RECONNECTING)
        elif isinstance(event, Reconnected):
            if self._lost is not None:
                how.say(f"reconnected after {time.monotonic() - self._lost:.1f} s")
            self._lost = None
        elif isinstance(event, PayloadReceived) and how.collect is None:
            self._do(event)
        elif how.collect is not None:
            how.collect(event)
            if isinstance(event, OutputAppended) and event.output.type == "error":
                self.show.show(event)
        else:
            self.show.show(event)

    def _do(self, event: PayloadReceived) -> None:
        if self.how.payload:
            from .payload import show_payload

            how = self.how
            show_payload(self.show.shell, self.session, event, how.say, how.header)

    def _answer(self, event: InputRequested) -> None:
        self.show.idle()
        try:
            self.asker.answer(event)
        except CannotAsk:
            with contextlib.suppress(RTUError, TimeoutError):
                self.execution.interrupt()
            raise

    def _runs_now(self) -> bool:
        return any(state.state == "executing" for state in self.execution.states.values())

    def time_up(self) -> None:
        """Stop a run that took too long, as Ctrl-C does, and raise."""
        took, grace = "the run took longer than --timeout allows", self.how.grace
        if not self._runs_now():
            # The interrupt would hit somebody else's cell, which ours waits for.
            raise RunTimeout(f"{took}: the remote cell still waits for its turn, and will run then")
        if self.session.connection != "live":
            raise RunTimeout(f"{took}; the connection is lost and the remote cell may still run")
        with contextlib.suppress(RTUError, TimeoutError):
            self.execution.interrupt()
        if not self.follow(time.monotonic() + grace):
            raise RunTimeout(
                f"{took} and did not stop within {grace:g} s; it still runs, {STILL_RUNS}"
            )
        self.show.idle()
        raise RunTimeout(f"{took}; the remote cell was interrupted")

    def _is_next(self) -> bool:
        """Whether nothing that is known of runs before this run."""
        states = self.session.cell_states.values()
        return not any(state.state == "executing" for state in states)

    def stop(self) -> None:
        """Interrupt the remote cell, give it time to end, and raise here.

        A second Ctrl-C, or none of it working, leaves the cell running and says so.
        """
        still_runs = f"stopped waiting; the remote cell still runs, {STILL_RUNS}"
        if not self.how.interrupts:
            raise interrupted(f"stopped looking; the run goes on, {STILL_RUNS}")
        grace = self.how.grace
        try:
            if self.session.connection != "live":
                raise interrupted(still_runs)
            if not self._runs_now() and self._is_next():
                self.follow(time.monotonic() + FIRST_WORD)  # it was about to begin
            if not self._runs_now() and not self.execution.done:
                # The interrupt would hit somebody else's cell.
                raise interrupted(
                    "stopped waiting; the remote cell waits for its turn and will run then, "
                    "%rtu_kernel interrupt stops the one before it"
                )
            with contextlib.suppress(RTUError, TimeoutError):
                self.execution.interrupt()
            ended = self.follow(time.monotonic() + grace)
            self.show.idle()
        except KeyboardInterrupt as exc:
            if hasattr(exc, "_render_traceback_"):
                raise  # one of ours
            raise interrupted(still_runs) from None
        if not ended:
            raise interrupted(f"the remote cell did not stop within {grace:g} s; {still_runs}")
        raise interrupted("the remote cell was interrupted")
