"""What remote cells put out after their run has ended, shown in the cell that ran them.

A local front end adds it to that cell, whatever runs meanwhile. In a notebook every message here
names the cell as its parent, so the same happens; in a terminal the text appears above the prompt,
as that of a local thread does.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import RTUError
from ...session.events import Event, OutputAppended
from .display_ids import display_ids
from .pinned import PinnedPublisher, PinnedReplay
from .replay import Replay

if TYPE_CHECKING:
    from ...session import Execution, Session

__all__ = ["LateThread", "follow_late", "late_thread"]

_REST = 0.05  # seconds without anything more, until what is put off is done
_IDLE = 1.0  # seconds without anything to show until the thread ends


class LateThread:
    """The one thread that shows what comes late, there as long as something comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Replay | None, Callable[[], None]]] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None

    def put(self, show: Callable[[], None], area: Replay | None = None) -> None:
        """Call a function there, and let its area come to rest when nothing more waits."""
        with self._lock:
            self._queue.put((area, show))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="rtu-late", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        touched: dict[int, Replay] = {}
        while True:
            try:
                area, show = self._queue.get(timeout=_REST if touched else _IDLE)
            except queue.Empty:
                for each in touched.values():
                    self._call(each.end)
                    self._call(each.push)
                if not touched:
                    with self._lock:
                        if self._queue.empty():
                            self._thread = None
                            return
                touched.clear()
                continue
            if area is not None:
                touched[id(area)] = area
            self._call(show)

    @staticmethod
    def _call(show: Callable[[], None]) -> None:
        # A session that was closed fetches nothing more; a front end that has gone takes nothing.
        with contextlib.suppress(RTUError, OSError, ValueError):
            show()


late_thread = LateThread()
"""That of this process."""


def follow_late(
    shell: Any,
    session: Session,
    execution: Execution,
    *,
    owns_cell: bool,
    mark: str | None = None,
    collect: Callable[[Any], None] | None = None,
) -> None:
    """Show in the calling cell what a run puts out although it has ended.

    Parameters
    ----------
    shell
        The shell that runs the calling cell.
    session, execution
        The run, which has ended.
    owns_cell, mark
        As for `Replay`.
    collect
        Takes the events instead; nothing but tracebacks is shown then.
    """
    area: Replay
    if hasattr(shell, "kernel"):
        area = PinnedReplay(PinnedPublisher(shell), session, owns_cell=owns_cell, mark=mark)
    else:
        # To clear would clear the prompt.
        area = Replay(
            shell,
            display_ids(session),
            owns_cell=False,
            fetch=session.fetch,
            trusts=lambda: session.trusts_outputs,
        )

    def show(event: Event) -> None:
        if collect is not None:
            collect(event)
        if collect is None or (isinstance(event, OutputAppended) and event.output.type == "error"):
            area.show(event)

    execution.on_late(lambda event: late_thread.put(lambda: show(event), area))
