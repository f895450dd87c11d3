"""Running remote cells from a local one: outputs stream here, Ctrl-C reaches there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import RTUError
from ..session import Execution, Finished, Reconnected, Reconnecting
from ..session.base import RECONNECTING
from .base import interrupted
from .replay import DisplayIds, Replay

if TYPE_CHECKING:
    from ..session import Session

__all__ = ["run_here"]

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
        Called with each output event; nothing is shown then.

    Raises
    ------
    RemoteCellError
        A cell raised; its traceback was shown.
    KeyboardInterrupt
        The run was interrupted, here and there.
    """
    execution = session.start(ref, run_all=run_all, before=before, after=after)
    ids = _display_ids.setdefault(id(session), DisplayIds())
    show = Replay(shell, ids, owns_cell=owns_cell, fetch=session.fetch)
    try:
        try:
            _follow(execution, show, say, collect)
        except KeyboardInterrupt:
            _stop(execution, show, say, collect)
        show.idle()
    finally:
        execution.close()
    execution.raise_for_failure()


def _follow(
    execution: Execution,
    show: Replay,
    say: Callable[[str], None],
    collect: Callable[[Any], None] | None,
    until: float | None = None,
) -> bool:
    """Show events until the run is over; returns whether it is (False: the time is up)."""
    lost: float | None = None
    while until is None or time.monotonic() < until:
        event = execution.next()
        if event is None:
            show.idle()
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
        else:
            show.show(event)
    return False


def _stop(
    execution: Execution,
    show: Replay,
    say: Callable[[str], None],
    collect: Callable[[Any], None] | None,
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
        ended = _follow(execution, show, say, collect, time.monotonic() + GRACE)
        show.idle()
    except KeyboardInterrupt:
        raise interrupted(still_runs) from None
    if not ended:
        raise interrupted(f"the remote cell did not stop within {GRACE:.0f} s; {still_runs}")
    raise interrupted("the remote cell was interrupted")
