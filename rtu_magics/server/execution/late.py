"""What cells put out after their run has ended: by threads, timers, tasks and processes of theirs.

It takes the same way as what came in time: it is added to the outputs of its run, sent, stored, and
written to the notebook's file. Which messages still come here, `past_requests` says. Beyond that:

- of a cell that was deleted nothing is shown any more;
- in a cell whose outputs were cleared it appears, as in JupyterLab;
- it ends with the kernel, and with the server: what was shown until then is stored.
"""

from __future__ import annotations

from weakref import WeakSet

from ..kernel.notebook_kernel import NotebookKernel
from ..outputs.collection import LiveCollection
from ..outputs.stream import Streamer
from ..ports import Log
from .cell import CellExecution

__all__ = ["LateOutputs"]


class LateOutputs:
    """The outputs of a notebook's runs that are over.

    Parameters
    ----------
    notebook, kernel
        Where they are shown, and whose they are.
    """

    def __init__(self, notebook: Log, kernel: NotebookKernel) -> None:
        self._notebook, self._kernel = notebook, kernel
        self._latest: dict[str, Streamer] = {}  # of the latest run of each cell
        self._over: WeakSet[Streamer] = WeakSet()
        self._closed = False

    def takes(self, running: CellExecution) -> bool:
        """Whether what the kernel puts out for a cell is to be shown."""
        if running.turn.gone or not running.streamer.over:
            return not running.turn.gone
        cell_id = running.target.cell_id
        return not self._closed and (
            running.plan.scratch or cell_id in self._notebook.chain.builder
        )

    def ended(self, running: CellExecution) -> None:
        """Keep what passes on the outputs of a run that is over."""
        running.streamer.stop()
        turn = running.turn
        turn.gone = turn.gone or not (turn.shown or turn.plan.scratch)
        if turn.gone:
            return
        self._over.add(running.streamer)
        if not running.plan.scratch and self._kernel.ready:
            self._latest[running.target.cell_id] = running.streamer

    def cleared(self, empty: LiveCollection) -> None:
        """Show what a cell's run still puts out in the collection that took its own's place."""
        streamer = self._latest.get(empty.cell_id or "")
        if streamer is not None:
            empty.run_id = streamer.collection.run_id
            empty.authors |= streamer.collection.authors
            streamer.move(empty)

    def shown(self, cell_id: str, collection: LiveCollection) -> None:
        """Go on in the outputs that a cell was given again, if they are of its latest run.

        Those of another run stay as they were.
        """
        streamer = self._latest.get(cell_id)
        if streamer is None or streamer.collection.id == collection.id:
            return
        if collection.run_id is not None and collection.run_id == streamer.collection.run_id:
            streamer.move(collection)

    def cell_deleted(self, cell_id: str) -> None:
        """Show nothing more of a cell."""
        self._latest.pop(cell_id, None)
        self._kernel.forget(cell_id)

    def kernel_lost(self) -> None:
        """Forget which cells may still put something out."""
        self._latest.clear()

    def settle(self) -> None:
        """Send and store what has just come."""
        for streamer in list(self._over):
            streamer.settle()

    def close(self) -> None:
        """Take nothing more: the server stops."""
        self._closed = True
        self.settle()
