"""Runs in the background: ``%rtu_exec --bg`` returns at once, the outputs go on below its cell.

A plain terminal cannot show anything below an old prompt, so there the outputs wait for
``%rtu_result``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...errors import RTUError
from ...foreign import shown
from ...session import Execution
from .late import late_thread
from .pinned import PinnedPublisher, PinnedReplay
from .result import RunResult

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["BackgroundRun", "BackgroundRuns", "background_runs"]

_TURN = 0.1  # seconds between two messages of a stream


class _Area(PinnedReplay):
    """Where a background run's outputs go: below its cell, under a line that says how it is."""

    def __init__(
        self, publisher: PinnedPublisher, session: Session, headline: str, *, owns_cell: bool
    ) -> None:
        super().__init__(publisher, session, owns_cell=owns_cell)
        self._headline = headline
        self._display_id = f"rtu-run-{uuid4().hex}"

    def begin(self) -> None:
        """Show the line, also after everything was cleared."""
        self._show_headline(update=False)

    def say(self, headline: str) -> None:
        """Put another line in the place of the first."""
        if headline != self._headline:
            self._headline = headline
            self._show_headline(update=True)

    def _show_headline(self, *, update: bool) -> None:
        transient = {"display_id": self._display_id}
        self._publisher.publish({"text/plain": self._headline}, transient=transient, update=update)


class BackgroundRun:
    """A run that goes on while the notebook is used for other things.

    Parameters
    ----------
    name
        What the magics call it.
    session, execution
        Where and what runs.
    shell
        The shell of the cell that started it.
    owns_cell
        Whether that cell holds nothing else, so that the run may clear it.

    Attributes
    ----------
    result
        What it has given so far; ``result.error`` says how it failed.

    Examples
    --------
    ::

        run = %rtu_exec 3 --bg
        run.wait(timeout=60)
        run.result.text
    """

    def __init__(
        self, name: str, session: Session, execution: Execution, shell: Any, *, owns_cell: bool
    ) -> None:
        self.name = name
        self.session = session
        self.result = RunResult(session.fetch, lambda: session.trusts_outputs)
        self.execution = execution
        self._began = time.monotonic()
        self._took: float | None = None
        self._over = threading.Event()
        self._area: _Area | None = None
        if hasattr(shell, "kernel"):
            publisher = PinnedPublisher(shell)
            self._area = _Area(publisher, session, self.headline, owns_cell=owns_cell)
            self._area.begin()
        else:
            print(f"{self.headline}; %rtu_result {name} shows its outputs", flush=True)
        thread = threading.Thread(target=self._pump, name=f"rtu-{name}", daemon=True)
        thread.start()

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``waits for input``, ``ok`` or ``failed``."""
        return self.execution.state

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._over.is_set()

    @property
    def seconds(self) -> float:
        """For how long it has been going on, or took."""
        return time.monotonic() - self._began if self._took is None else self._took

    @property
    def what(self) -> str:
        """The cells that it runs, for people."""
        cells = [cell_id for cell_id in self.execution.targets if cell_id]
        if not cells:
            return "scratch code"
        if len(cells) == 1:
            return f"cell {self.session.label(cells[0])}"
        return f"{len(cells)} cells"

    @property
    def headline(self) -> str:
        """How it is, in one line."""
        if not self.done:
            return shown(
                f"{self.name}: {self.what} of {self.session.path}, {self.state} in the background"
            )
        error = f": {self.result.error}" if self.result.error is not None else ""
        return shown(f"{self.name}: {self.what}, {self.state} after {self.seconds:.1f} s{error}")

    def __repr__(self) -> str:
        return shown(
            f"<{self.name}: {self.what} of {self.session.path}, {self.state}, {self.seconds:.0f} s>"
        )

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over; returns whether it is.

        Parameters
        ----------
        timeout
            Seconds to wait at most.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self._over.wait(_TURN):  # in turns: Ctrl-C gets through between them
            if until is not None and time.monotonic() >= until:
                return False
        return True

    def interrupt(self) -> None:
        """Interrupt the remote kernel."""
        self.execution.interrupt()

    def _pump(self) -> None:
        try:
            for event in self._events():
                self.result.take(event)
                if self._area is not None:
                    self._area.show(event)
            self.execution.raise_for_failure()
        except RTUError as exc:
            self.result.error = exc
        except Exception as exc:  # nobody would see it in a thread
            self.result.error = RTUError(f"the run could not be followed: {exc}")
        finally:
            self._took = time.monotonic() - self._began
            self._over.set()
            if self._area is not None:
                self._area.idle()
                self._area.push()
                self._area.say(self.headline)
            self.execution.on_late(self._on_late)
            self.execution.close()

    def _on_late(self, event: Any) -> None:
        late_thread.put(partial(self._take_late, event), self._area)

    def _take_late(self, event: Any) -> None:
        """Take what a thread of the run puts out although it has ended."""
        self.result.take(event)
        if self._area is not None:
            self._area.show(event)

    def _events(self) -> Iterator[Any]:
        """Yield the run's events, and keep the line above them up to date in the pauses."""
        pushed = 0.0
        while True:
            event = self.execution.next(_TURN)
            area = self._area
            if area is not None and time.monotonic() - pushed > _TURN:
                pushed = time.monotonic()
                if event is None:
                    area.idle()
                area.push()
                if self.state not in ("ok", "failed"):  # how it ended is said at the very end
                    area.say(self.headline)
            if event is not None:
                yield event
            elif self.execution.done:
                return


class BackgroundRuns:
    """The background runs of this kernel, by name."""

    def __init__(self) -> None:
        self._runs: dict[str, BackgroundRun] = {}

    def __iter__(self) -> Iterator[BackgroundRun]:
        """Iterate in the order in which they were started."""
        return iter(list(self._runs.values()))

    def get(self, name: str) -> BackgroundRun | None:
        """Return a run by name, or None."""
        return self._runs.get(name)

    def by_execution(self, execution_id: Any) -> BackgroundRun | None:
        """Return the run with an execution id, or None."""
        return next((r for r in self._runs.values() if r.execution.id == execution_id), None)

    def name_for(self, wanted: str | None) -> str:
        """Return the name for a new run.

        Raises
        ------
        RTUError
            A run of that name goes on.
        """
        if wanted is None:
            number = len(self._runs) + 1
            while f"run{number}" in self._runs:
                number += 1
            return f"run{number}"
        known = self._runs.get(wanted)
        if known is not None and not known.done:
            raise RTUError(
                f"a run {wanted!r} goes on; %rtu_wait {wanted} waits for it, or choose another name"
            )
        return wanted

    def add(self, run: BackgroundRun) -> None:
        """Keep a run."""
        self._runs.pop(run.name, None)  # the newest come last
        self._runs[run.name] = run


background_runs = BackgroundRuns()
"""Those of this process."""
