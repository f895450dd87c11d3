"""Running remote cells from a local one: outputs stream here, Ctrl-C reaches there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import RemoteCellError, RTUError, RunTimeout
from ..session import CellStarted, Execution, Finished, Reconnected, Reconnecting
from ..session.base import RECONNECTING
from ..session.events import OutputAppended
from .base import interrupted
from .replay import DisplayIds, Replay

if TYPE_CHECKING:
    from ..session import Session
    from .progress import ProgressLine

__all__ = ["run_cells", "run_here"]

GRACE = 5.0  # seconds that an interrupted cell gets to end
FIRST_WORD = 1.0  # seconds that the interrupt itself may take to be handed over

_display_ids: dict[int, DisplayIds] = {}


def run_here(
    shell: Any,
    session: Session,
    ref: str | None = None,
    *,
    run_all: bool = False,
    before: str | None = None,
    after: str | None = None,
    owns_cell: bool,
    say: Callable[[str], None],
    collect: Callable[[Any], None] | None = None,
    deadline: float | None = None,
    grace: float = GRACE,
    mark: str | None = None,
    progress: ProgressLine | None = None,
) -> None:
    """Run remote cells and show their outputs in the calling cell until they are done.

    Parameters
    ----------
    shell
        The IPython shell.
    session
        Where to run.
    ref, run_all, before, after
        What to run, see `Session.start`.
    owns_cell
        Whether the calling cell holds nothing but this run.
    say
        Prints a line.
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

    Raises
    ------
    RemoteCellError
        A cell raised; its traceback was shown.
    KeyboardInterrupt
        The run was interrupted, here and there.
    RunTimeout
        The deadline passed; the remote cell was interrupted.
    """
    execution = session.start(ref, run_all=run_all, before=before, after=after)
    ids = _display_ids.setdefault(id(session), DisplayIds())
    show = Replay(shell, ids, owns_cell=owns_cell, fetch=session.fetch, mark=mark)
    show.begin()
    try:
        try:
            if not _follow(execution, show, say, collect, until=deadline, progress=progress):
                _time_up(execution, show, say, collect, grace)
        except KeyboardInterrupt:
            _stop(execution, show, say, collect, grace)
        show.idle()
    finally:
        execution.close()
    execution.raise_for_failure()


def run_cells(
    shell: Any,
    session: Session,
    cell_ids: list[str],
    *,
    keep_going: bool = False,
    **how: Any,
) -> None:
    """Run cells one after the other; the rest as in `run_here`.

    Parameters
    ----------
    keep_going
        Whether those after a failed one run, too. What failed is raised at the end.
    """
    failed: list[RemoteCellError] = []
    for cell_id in cell_ids:
        try:
            run_here(shell, session, cell_id, **how)
        except RemoteCellError as exc:
            if not keep_going or len(cell_ids) == 1:
                raise
            failed.append(exc)
    if failed:
        raise RemoteCellError(
            f"{len(failed)} of {len(cell_ids)} cells failed: {'; '.join(map(str, failed))}",
            ename=failed[0].ename,
            evalue=failed[0].evalue,
            traceback=failed[0].traceback,
            cell_id=failed[0].cell_id,
        )


def _follow(
    execution: Execution,
    show: Replay,
    say: Callable[[str], None],
    collect: Callable[[Any], None] | None,
    *,
    until: float | None = None,
    progress: ProgressLine | None = None,
) -> bool:
    """Show events until the run is over; returns whether it is (False: the time is up)."""
    lost: float | None = None
    while until is None or time.monotonic() < until:
        event = execution.next()
        if event is None:
            show.idle()
            if progress is not None:
                progress.tick()
        elif isinstance(event, CellStarted):
            if progress is not None:
                progress.total = max(progress.total, len(execution.targets))
                progress.cell_started()
        elif isinstance(event, Finished):
            return True
        elif isinstance(event, Reconnecting):
            lost = time.monotonic()
            say(RECONNECTING)
        elif isinstance(event, Reconnected):
            if lost is not None:
                say(f"reconnected after {time.monotonic() - lost:.1f} s")
            lost = None
        elif collect is not None:
            collect(event)
            if isinstance(event, OutputAppended) and event.output.type == "error":
                show.show(event)
        else:
            show.show(event)
    return False


def _time_up(
    execution: Execution,
    show: Replay,
    say: Callable[[str], None],
    collect: Callable[[Any], None] | None,
    grace: float,
) -> None:
    """Stop a run that took too long, as Ctrl-C does, and raise."""
    took = "the run took longer than --timeout allows"
    runs_on = "%rtu_kernel interrupt stops it"
    if not any(state.state == "executing" for state in execution.states.values()):
        # The interrupt would hit somebody else's cell, which ours waits for.
        raise RunTimeout(f"{took}: the remote cell still waits for its turn, and will run then")
    if execution.session.connection != "live":
        raise RunTimeout(f"{took}; the connection is lost and the remote cell may still run")
    with contextlib.suppress(RTUError, TimeoutError):
        execution.interrupt()
    if not _follow(execution, show, say, collect, until=time.monotonic() + grace):
        raise RunTimeout(f"{took} and did not stop within {grace:g} s; it still runs, {runs_on}")
    show.idle()
    raise RunTimeout(f"{took}; the remote cell was interrupted")


def _stop(
    execution: Execution,
    show: Replay,
    say: Callable[[str], None],
    collect: Callable[[Any], None] | None,
    grace: float,
) -> None:
    """Interrupt the remote cell, give it time to end, and raise here.

    A second Ctrl-C, or none of it working, leaves the cell running and says so.
    """
    still_runs = "stopped waiting; the remote cell still runs, %rtu_kernel interrupt stops it"
    try:
        if execution.session.connection != "live":
            raise interrupted(still_runs)
        with contextlib.suppress(RTUError, TimeoutError):
            execution.interrupt()
        ended = _follow(execution, show, say, collect, until=time.monotonic() + grace)
        show.idle()
    except KeyboardInterrupt:
        raise interrupted(still_runs) from None
    if not ended:
        raise interrupted(f"the remote cell did not stop within {grace:g} s; {still_runs}")
    raise interrupted("the remote cell was interrupted")
