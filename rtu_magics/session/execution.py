"""One run of remote cells, followed from its start to its end.

An `Execution` subscribes to the notebook's events before it submits its execute delta, whose id it
chose, and keeps what carries that id. Whoever waits takes its events from a queue on their own
thread.
"""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..errors import APIError, KernelDied, RemoteCellError, RTUError
from .events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    KernelChanged,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)
from .links import fetch_stream
from .loop import TURN
from .progress import Progress

if TYPE_CHECKING:
    from ..models import CellState, FileDeltaBase, Output
    from .runs import RunVerbs

__all__ = ["CellFinished", "CellStarted", "Execution", "Finished", "Reconnected", "Reconnecting"]

logger = logging.getLogger(__name__)

_KERNEL_GONE = frozenset({"failed", "shutdown", "culled"})
_POLL = 0.3  # seconds between two snapshots of the outputs after a gap


@dataclass(frozen=True)
class CellStarted(Event):
    """A cell of the run began."""

    cell_id: str


@dataclass(frozen=True)
class CellFinished(Event):
    """A cell of the run ended; ``cause`` says why one failed that raised nothing itself."""

    cell_id: str
    ok: bool
    execution_count: int | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Reconnecting(Event):
    """The connection is lost; the client tries again by itself."""

    detail: str = ""


@dataclass(frozen=True)
class Reconnected(Event):
    """The connection is back."""


@dataclass(frozen=True)
class Finished(Event):
    """The run is over; nothing follows."""


class Execution:
    """A run: of one cell, of all, or of all from or up to one.

    Made by `Session.start`. Everything with a leading underscore happens on the background thread.

    Attributes
    ----------
    id
        The run's execution id: the id of its execute delta.
    targets
        The ids of the cells that it runs, in order; known once the server has accepted it.
    states
        The latest state of each of these cells.
    """

    def __init__(self, session: RunVerbs, delta: FileDeltaBase) -> None:
        self.session = session
        self.id: UUID = delta.id
        self.targets: tuple[str, ...] = ()
        self.states: dict[str, CellState] = {}
        self.errors: dict[str, Output] = {}
        self._delta = delta
        self._accepted = False
        self._kernel_gone = False
        self._failure: RTUError | None = None
        self._lost = False  # the connection was lost since the last full word of the server
        self._gapped = False
        self._progress: dict[UUID, Progress] = {}
        self._polling: asyncio.Task[None] | None = None
        self._dirty = False  # something happened since the last snapshot was asked for
        self._over = False
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._unsubscribe = session.hub.subscribe(self._on_event)

    # ------------------------------------------------------------------ the calling thread

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

    def interrupt(self) -> None:
        """Interrupt the remote kernel."""
        self.session.kernel_interrupt()

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
            if state is None or state.state == "finished_with_no_error":
                continue
            where = f"cell {self.session.label(cell_id)}"
            error = self.errors.get(cell_id)
            cause = state.cause or "the server gives no cause"
            # The server notes a kernel's death among the outputs, too, as an error of this name.
            raised = error is not None and error.ename != "KernelDied"
            if not raised and (self._kernel_gone or "kernel" in cause):
                raise KernelDied(
                    f"{where} did not run to its end: {cause}; its variables are gone, the next "
                    f"run starts on a fresh kernel"
                )
            if error is None:
                raise RemoteCellError(f"{where} did not run to its end: {cause}", cell_id=cell_id)
            raise RemoteCellError(
                f"{where} raised {error.ename}: {_one_line(error.evalue or '')}",
                ename=error.ename or "",
                evalue=error.evalue or "",
                traceback=error.traceback,
                cell_id=cell_id,
            )

    def close(self) -> None:
        """Stop following the run, which goes on remotely."""
        self._unsubscribe()

    # ------------------------------------------------------------------ the background thread

    def _on_event(self, event: Event) -> None:
        if self._over:
            return
        if isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            if event.execution_id == self.id:
                self._on_output(event)
        elif isinstance(event, OutputsUpdated):
            # Another run may update what this one displayed, so the ids count too.
            known = [p for p in self._progress.values() if p.take(event)]
            if event.execution_id == self.id or known:
                self._queue.put(event)
        elif isinstance(event, CellStatesChanged):
            self._on_states(event.states)
        elif isinstance(event, DeltaApplied):
            self._on_delta(event.delta)
        elif isinstance(event, KernelChanged):
            if event.status.kernel.execution_state in _KERNEL_GONE:
                self._kernel_gone = True
        elif isinstance(event, ConnectionChanged):
            self._on_connection(event)

    def _on_output(self, event: OutputAppended | OutputContinued | OutputsCleared) -> None:
        if isinstance(event, OutputsCleared):
            collection_id = event.collection_id
        else:
            collection_id = event.output.parent_collection_id
        progress = self._progress.setdefault(collection_id, Progress())
        progress.gapped = progress.gapped or self._gapped
        if progress.take(event):
            self._pass_on(event)
        elif progress.gapped:
            self._poll()

    def _pass_on(self, event: Event) -> None:
        if isinstance(event, OutputAppended) and event.output.type == "error":
            self.errors[event.output.cell_id or ""] = event.output
        self._queue.put(event)

    def _on_delta(self, delta: FileDeltaBase) -> None:
        if delta.id == self.id and not self._accepted:
            # The server took its snapshot of the cells at the same place of the chain.
            self._accepted = True
            self.targets = tuple(self.session.runnable(self._delta))
            self._check_over()

    def _on_states(self, states: dict[str, CellState]) -> None:
        for cell_id, state in states.items():
            if state.execution_id == self.id:
                self._on_state(cell_id, state)
        if self._lost and self._accepted:
            self._lost = False
            for cell_id in self.targets:
                state_now = states.get(cell_id)
                before = self.states.get(cell_id)
                if before is not None and before.state.startswith("finished"):
                    continue
                if state_now is None or state_now.execution_id != self.id:
                    # It ended unseen, and something else happened to the cell since.
                    self._on_state(cell_id, _ended_unseen(cell_id, self.id))
        self._check_over()

    def _on_state(self, cell_id: str, state: CellState) -> None:
        before = self.states.get(cell_id)
        self.states[cell_id] = state
        if before is not None and before.state == state.state:
            return
        if state.state == "executing":
            self._queue.put(CellStarted(cell_id))
        elif state.state.startswith("finished") and not self._gapped:
            self._finish_cell(state)

    def _finish_cell(self, state: CellState) -> None:
        ok = state.state == "finished_with_no_error"
        self._queue.put(CellFinished(state.cell_id, ok, state.execution_count, state.cause))

    def _on_connection(self, event: ConnectionChanged) -> None:
        if event.state == "reconnecting":
            if not self._lost:
                self._queue.put(Reconnecting(event.detail))
            self._lost = self._gapped = True
            for progress in self._progress.values():
                progress.gapped = True
        elif event.state == "live" and self._gapped:
            self._queue.put(Reconnected())
            self._poll()
        elif event.state == "closed":
            self._failure = RTUError(
                event.detail or "the session was closed while the cell ran; it runs on remotely"
            )
            self._end()

    def _check_over(self) -> None:
        if not self._accepted or self._over:
            return
        for cell_id in self.targets:
            state = self.states.get(cell_id)
            if state is None or not state.state.startswith("finished"):
                return
        if self._gapped:
            self._poll()  # the last snapshot ends the run
        else:
            self._end()

    def _all_finished(self) -> bool:
        return self._accepted and all(
            (state := self.states.get(cell_id)) is not None and state.state.startswith("finished")
            for cell_id in self.targets
        )

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._queue.put(Finished())
            self._unsubscribe()

    # ------------------------------------------------------------------ after a gap

    def _poll(self) -> None:
        self._dirty = True
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll_outputs())

    async def _poll_outputs(self) -> None:
        """Take the outputs from snapshots until the run is over or nothing changes any more."""
        while not self._over:
            self._dirty = False
            finished = self._all_finished()  # asked first: then the snapshots are complete
            try:
                changed = await self._snapshot()
            except (RTUError, OSError) as exc:
                logger.debug("no snapshot of the outputs: %s", exc)
                if not finished:
                    return  # the next event or reconnection asks again
                changed = False
            if finished:
                for cell_id in self.targets:
                    self._finish_cell(self.states[cell_id])
                self._end()
                return
            if not (changed or self._dirty or self._all_finished()):
                return
            await asyncio.sleep(_POLL)

    async def _snapshot(self) -> bool:
        changed = False
        for cell_id in self.targets:
            collection_id = self.session.collection_of(cell_id)
            if collection_id is None:
                continue
            try:
                collection: Any = await self.session.api.get_output_collection(collection_id)
            except APIError as exc:
                logger.debug("no output collection: %s", exc)
                continue
            if collection.execution_id != self.id:
                continue
            progress = self._progress.setdefault(collection.id, Progress())
            progress.gapped = True
            outputs = [await fetch_stream(self.session.api, o) for o in collection.outputs]
            for event in progress.catch_up(collection.id, outputs, cell_id):
                changed = True
                self._pass_on(event)
        return changed


def _ended_unseen(cell_id: str, execution_id: UUID) -> CellState:
    from ..models import CellState

    return CellState(
        cell_id=cell_id,
        state="finished_with_error",
        execution_id=execution_id,
        cause="it ended while the connection was lost, and the cell has been run or changed since",
    )


def _one_line(text: str, width: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
