"""What runs show, on both sides: ours in the page, the page's own for our clients.

Whoever runs a cell writes its outputs. Both ways go by comparing, a few times a second while
something runs: the same function serves a stream that grows, an update of a display, a clearing and
what comes after the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from ...errors import SquashError
from ...models import CellState, CodeCell
from ..execution.events import Elsewhere
from ..execution.executor import Executor
from ..outputs.adopt import adopt_outputs
from ..outputs.cache import Collections
from ..ports import LiveNotebook
from .cells import cell_from_live, output_for_live, same
from .document import LiveDocument
from .outputs import bring_outputs, joined_output
from .page_executions import PageExecutions

__all__ = ["ExecutionStates", "Shown"]

logger = logging.getLogger(__name__)

_SHOW_EVERY = 0.05  # seconds
_SETTLES = 0.3  # seconds without a change until what a page's run put out so far is taken
_WAITS_AT_MOST = 1.0

_RUNNING = ("queued", "executing")


class ExecutionStates:
    """What is known of a notebook's runs.

    Parameters
    ----------
    states
        Returns the states of cells.
    busy
        Returns whether anything goes on.
    elsewhere
        Called with the state of a cell that a page runs.
    """

    def __init__(
        self,
        states: Callable[[], Mapping[str, CellState]],
        busy: Callable[[], bool],
        elsewhere: Callable[[CellState], None],
    ) -> None:
        self.states, self.busy, self.elsewhere = states, busy, elsewhere

    @classmethod
    def of(cls, executor: Executor) -> ExecutionStates:
        """Return what a notebook's executor knows."""

        def elsewhere(state: CellState) -> None:
            executor.note(Elsewhere(state))

        return cls(lambda: executor.states, lambda: executor.busy, elsewhere)


class Shown:
    """Keeps the outputs of a notebook and of a live document the same.

    Parameters
    ----------
    notebook, live
        The two.
    collections
        The outputs of the server's notebooks.
    runs
        What goes on in the notebook.
    joined
        Whether both are together now.
    author
        Returns whose a cell's outputs are.
    """

    def __init__(
        self,
        notebook: LiveNotebook,
        live: LiveDocument,
        collections: Collections,
        runs: ExecutionStates,
        *,
        joined: Callable[[], bool],
        author: Callable[[str], UUID],
    ) -> None:
        self._notebook, self._live, self._collections = notebook, live, collections
        self._runs, self._joined, self._author = runs, joined, author
        self._loop = asyncio.get_running_loop()
        self._brought: dict[str, tuple[UUID, float]] = {}  # what the page shows, by cell
        self._states: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._taking: asyncio.Task[None] | None = None
        self._came: dict[str, tuple[float, float]] = {}  # first and last change of a page's run
        self._page_executions = PageExecutions()

    def close(self) -> None:
        """Do nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._taking is not None:
            self._taking.cancel()
        for state in self._page_executions.given_up():
            self._runs.elsewhere(state)

    # Ours, in the page

    def changed(self) -> None:
        """Show soon what our runs put out since."""
        if self._timer is None:
            self._timer = self._loop.call_later(_SHOW_EVERY, self._show)

    def bring_now(self) -> None:
        """Show what is still to be shown."""
        if self._timer is not None:
            self._timer.cancel()
            self._show()

    def outputs_of(self, cell: CodeCell) -> list[Any] | None:
        """Return what a cell's latest run here put out, None if there was none."""
        found = self._collection(cell)
        if found is None:
            return None
        self._brought[cell.id] = (found.id, found.updated_at)
        return list(found.to_nbformat())

    def bring(self, *, everything: bool = False) -> None:
        """Make the page show what our runs have put out; nobody's transaction is open."""
        there = set(self._live.ids)
        for cell in self._notebook.chain.builder.cells:
            if not isinstance(cell, CodeCell) or cell.id not in there:
                continue
            found = self._collection(cell)
            if found is None or cell.id in self._came:
                continue
            mark = (found.id, found.updated_at)
            if everything or self._brought.get(cell.id) != mark:
                bring_outputs(self._live, cell.id, found.to_nbformat(), found.execution_count)
                self._brought[cell.id] = mark
        self._bring_states(there)

    def _bring_states(self, there: set[Any]) -> None:
        states = dict(self._runs.states())
        for cell_id, state in states.items():
            before = self._states.get(cell_id)
            if before is state or cell_id not in there:
                continue
            running = state.state in _RUNNING
            was = before is not None and before.state in _RUNNING
            if running or was:
                shown = "running" if running else "idle"
                self._live.set_execution_state(self._live.index_of(cell_id), shown)
        self._states = states

    def _show(self) -> None:
        self._timer = None
        if not self._joined():
            return
        if self._live.busy:
            self.changed()
            return
        try:
            with self._live.change():
                self.bring()
        except Exception:
            logger.exception("outputs cannot be shown in the page")
        if self._runs.busy():
            self.changed()

    def _collection(self, cell: CodeCell) -> Any:
        if cell.output_collection_id is None:
            return None
        return self._collections.of_cell(cell.output_collection_id, self._notebook.file_id)

    # The page's, here

    def heard(self, cells: set[str]) -> None:
        """Take soon what a page's runs put out in these cells."""
        now = self._loop.time()
        for cell_id in cells:
            first, _ = self._came.get(cell_id, (now, now))
            self._came[cell_id] = (first, now)
            if self._is_in_both(cell_id) and not self._is_ours(cell_id):
                self._tell(self._page_executions.seen(cell_id, running=self._runs_there(cell_id)))
        if self._came and self._taking is None:
            self._taking = self._loop.create_task(self._take())

    async def _take(self) -> None:
        try:
            while self._came:
                await asyncio.sleep(0.1)
                now = self._loop.time()
                for cell_id, (first, last) in list(self._came.items()):
                    if now - last >= _SETTLES or now - first >= _WAITS_AT_MOST:
                        del self._came[cell_id]
                        if self._joined():
                            await self._adopt(cell_id)
        except Exception:
            logger.exception("outputs of the page cannot be taken")
        finally:
            self._taking = None

    async def _adopt(self, cell_id: str) -> None:
        builder = self._notebook.chain.builder
        if not self._is_in_both(cell_id):
            return
        cell = builder.cell(cell_id)
        found = cell_from_live(self._live.raw(self._live.index_of(cell_id)))
        if not isinstance(cell, CodeCell) or not isinstance(found, CodeCell):
            return
        if self._is_ours(cell_id):  # it writes what it puts out
            self._brought.pop(cell_id, None)
            self.changed()
            return
        known = self._collection(cell)
        outputs = cell.outputs if known is None else known.to_nbformat()
        count = cell.execution_count if known is None else known.execution_count
        counted = found.execution_count != count
        if not counted and same(_plain(found.outputs), _plain(outputs)):
            self._took(found, counted=False)
            return
        try:
            author = self._author(cell_id)
            await adopt_outputs(self._notebook, self._collections, found, author)
        except SquashError as exc:  # the store does not take it now
            logger.warning("outputs of the page are not stored: %s", exc)
            self.heard({cell_id})
            return
        if cell_id in builder and isinstance(cell := builder.cell(cell_id), CodeCell):
            self.outputs_of(cell)  # the page has them
            self._took(found, counted=counted)
        self._notebook.changed()

    def _took(self, cell: CodeCell, *, counted: bool) -> None:
        if not self._is_in_both(cell.id) or self._is_ours(cell.id):
            return
        state = self._page_executions.taken(
            cell.id,
            running=self._runs_there(cell.id),
            outputs=_plain(cell.outputs),
            count=cell.execution_count,
            counted=counted,
        )
        self._tell(state)

    def _tell(self, state: CellState | None) -> None:
        if state is not None:
            self._runs.elsewhere(state)

    def _is_in_both(self, cell_id: str) -> bool:
        return cell_id in self._notebook.chain.builder and cell_id in self._live.ids

    def _is_ours(self, cell_id: str) -> bool:
        state = self._runs.states().get(cell_id)
        return state is not None and state.execution_id is not None and state.state in _RUNNING

    def _runs_there(self, cell_id: str) -> bool:
        return self._live.execution_state(cell_id) == "running"


def _plain(outputs: Any) -> list[Any]:
    return [joined_output(output_for_live(output)) for output in outputs]
