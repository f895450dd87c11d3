"""The outputs of the mirrored cells, as far as they are known.

Outputs that came with the notebook are in it. Those of runs lie on the server: of runs that we see
start every event is kept; of others the collection is fetched once somebody looks. What arrives
while it is fetched would be counted twice or not at all, so it is fetched once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...errors import RTUError
from ...session.events import OutputsCleared, OutputsUpdated
from ...session.execution.fetch import fetch_bundle, fetch_collection, fetch_stream
from ...session.execution.outputs import OutputFold, stream_text
from ...session.execution.run_outputs import OutputEvent
from ...tasks import TaskSet
from .cells import embedded_outputs
from .outputs import MAX_ENTRY, View, bundle, entry_text, from_run, grow_stream

if TYPE_CHECKING:
    from ...models import CodeCell, Output
    from ...session import Session

__all__ = ["OutputBoard"]

logger = logging.getLogger(__name__)

Loaded = Callable[[str, list[View]], None]

PARALLEL = 4  # collections that are fetched at once
AGAIN = 0.5  # seconds between two looks at a run that goes on


def _fold() -> OutputFold[View]:
    return OutputFold(from_run, grow_stream, _show_new)


def _show_new(view: View, event: OutputsUpdated) -> None:
    new = {"id": view["id"], "k": view["k"], **bundle(event.data, event.metadata, event.links)}
    view.clear()  # the same object: what is to be sent of it may be waiting
    view.update(new)


class _Outputs:
    """One cell's outputs: those that came with the notebook, or those of a run once known."""

    __slots__ = ("collection_id", "dirty", "embedded", "fold", "loading")

    def __init__(self, collection_id: UUID | None, embedded: list[View] | None = None) -> None:
        self.collection_id = collection_id
        self.embedded = embedded
        self.fold: OutputFold[View] | None = None
        self.loading = False
        self.dirty = False

    @property
    def views(self) -> list[View] | None:
        """They; None while they are not known."""
        return self.embedded if self.fold is None else list(self.fold)


class OutputBoard:
    """The outputs of the cells of one mirror; everything but `outputs` on the background thread.

    Parameters
    ----------
    session
        The session.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._cells: dict[str, _Outputs] = {}
        self._collections: dict[UUID, str] = {}
        self._tasks = TaskSet()
        self._limit: asyncio.Semaphore | None = None

    def close(self) -> None:
        """End what is being fetched."""
        self._tasks.cancel()
        self._cells.clear()
        self._collections.clear()

    # ------------------------------------------------------------------ what is known

    def outputs(self, cell_id: str) -> list[View] | None:
        """Return a cell's outputs, None if they are not known."""
        found = self._cells.get(cell_id)
        return None if found is None else found.views

    def cell_of(self, collection_id: UUID) -> str | None:
        """Return the cell whose latest run a collection belongs to."""
        return self._collections.get(collection_id)

    def reset(self, cells: Iterable[CodeCell]) -> None:
        """Make these the cells; what is known of them stays."""
        known, self._cells = self._cells, {}
        self._collections = {}
        for cell in cells:
            old = known.get(cell.id)
            collection_id = _collection_of(cell)
            if old is None or collection_id is None or old.collection_id != collection_id:
                self.add(cell)
            else:
                self._cells[cell.id] = old
                self._collections[collection_id] = cell.id

    def add(self, cell: CodeCell) -> None:
        """Begin with a cell as it is."""
        collection_id = _collection_of(cell)
        embedded = embedded_outputs(cell) if collection_id is None else None
        self._cells[cell.id] = _Outputs(collection_id, embedded)
        if collection_id is not None:
            self._collections[collection_id] = cell.id

    def forget(self, cell_id: str) -> None:
        """Drop a cell."""
        old = self._cells.pop(cell_id, None)
        if old is not None and old.collection_id is not None:
            self._collections.pop(old.collection_id, None)

    def doubt(self) -> None:
        """Outputs may have come unseen: those of runs are not known any more."""
        for cell in self._cells.values():
            if cell.collection_id is not None:
                cell.fold, cell.dirty = None, True

    def begin(self, cell_id: str, collection_id: UUID) -> None:
        """Begin a cell's new run, which has no outputs yet."""
        self.forget(cell_id)
        self._cells[cell_id] = found = _Outputs(collection_id)
        found.fold = _fold()
        self._collections[collection_id] = cell_id

    def take(self, cell_id: str, event: OutputEvent) -> list[View]:
        """Take an event of a run; returns what it changed, nothing while the rest is not known."""
        cell = self._cells[cell_id]
        if isinstance(event, OutputsCleared):
            cell.fold = cell.fold or _fold()
        elif cell.fold is None:
            cell.dirty = True
        return [] if cell.fold is None else cell.fold.take(event)

    def update(self, event: OutputsUpdated) -> list[tuple[str, View]]:
        """Let outputs show something new; returns those that are known, with their cells."""
        found: list[tuple[str, View]] = []
        for cell_id, cell in self._cells.items():
            if cell.fold is not None:
                found += [(cell_id, view) for view in cell.fold.take(event)]
            elif cell.embedded is None:
                cell.dirty = True
        return found

    def finished(self, cell_id: str) -> None:
        """A run that was joined half-way is over: what was fetched is not the last word."""
        cell = self._cells.get(cell_id)
        if cell is not None and cell.views is None:
            cell.dirty = True

    # ------------------------------------------------------------------ fetching

    def need(self, cell_ids: Iterable[str], loaded: Loaded) -> None:
        """Fetch the outputs of cells and say when they are there.

        Parameters
        ----------
        cell_ids
            The cells.
        loaded
            Called with each cell's id and outputs once they are there; again while a run goes on.
        """
        for cell_id in cell_ids:
            cell = self._cells.get(cell_id)
            if cell is None:
                continue
            if (views := cell.views) is not None:
                loaded(cell_id, views)
            elif not cell.loading:
                cell.loading = True
                self._tasks.spawn(self._load(cell_id, cell, loaded))

    async def _load(self, cell_id: str, cell: _Outputs, loaded: Loaded) -> None:
        self._limit = self._limit or asyncio.Semaphore(PARALLEL)
        try:
            while self._cells.get(cell_id) is cell and cell.collection_id is not None:
                cell.dirty = False
                async with self._limit:
                    found = await fetch_collection(self.session.api, cell.collection_id)
                if self._cells.get(cell_id) is not cell or cell.fold is not None:
                    return  # an event has made it known meanwhile, or another run has begun
                fold = _fold()
                views = fold.replace(found.id, found.outputs)
                if not cell.dirty:
                    cell.fold = fold
                    loaded(cell_id, views)
                    return
                # Shown as far as it goes, but more is on its way: not known for good yet.
                loaded(cell_id, views)
                await asyncio.sleep(AGAIN)
        except (RTUError, OSError) as exc:
            logger.debug("no output collection: %s", exc)
            if self._cells.get(cell_id) is cell:
                cell.fold = _fold()
                loaded(cell_id, [])
        finally:
            cell.loading = False

    async def entry(self, cell_id: str, output_id: str, mimetype: str) -> str | None:
        """Return one entry of an output, or a stream's whole text for an empty mimetype.

        Raises
        ------
        RTUError
            It is gone, or too large.
        """
        cell = self._cells.get(cell_id)
        if cell is None:
            raise RTUError("the cell has gone")
        if cell.collection_id is None:
            value = self._embedded_entry(cell_id, output_id, mimetype)
        else:
            collection: Any = await self.session.api.get_output_collection(cell.collection_id)
            output = next((o for o in collection.outputs if str(o.id) == output_id), None)
            value = None if output is None else await self._run_entry(output, mimetype)
        if value is None:
            raise RTUError("the output has gone; run the cell again to see it")
        text = entry_text(value)
        if len(text) > MAX_ENTRY:
            size = f"{len(text) / 1e6:.0f} million characters"
            raise RTUError(f"the output has {size}, too much for a mirror; %rtu_exec shows it")
        return text

    def _embedded_entry(self, cell_id: str, output_id: str, mimetype: str) -> Any:
        nb_cell: Any = self.session.client.builder.cell(cell_id)
        index = int(output_id[1:]) if output_id[1:].isdigit() else -1
        if not output_id.startswith("e") or index >= len(nb_cell.outputs) or index < 0:
            return None
        output = nb_cell.outputs[index]
        return output.text if not mimetype else output.data.get(mimetype)

    async def _run_entry(self, output: Output, mimetype: str) -> Any:
        if not mimetype:
            return stream_text(await fetch_stream(self.session.api, output))
        if output.data is not None and mimetype in output.data:
            return output.data[mimetype]
        url = (output.links or {}).get(mimetype)
        if url is None and output.content is not None and output.content.mimetype == mimetype:
            if output.content.raw is not None:
                return output.content.raw
            url = output.content.url
        if url is None:
            return None
        return (await fetch_bundle(self.session.api, {mimetype: url})).get(mimetype)


def _collection_of(cell: CodeCell) -> UUID | None:
    try:
        return None if cell.output_collection_id is None else UUID(cell.output_collection_id)
    except ValueError:
        return None
