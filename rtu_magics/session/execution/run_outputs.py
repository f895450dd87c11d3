"""The outputs of one run, in all its collections: what is new, and what is missing."""

from __future__ import annotations

import enum
import logging
from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from ... import models as m
from ...errors import APIError
from ..context import Context
from ..events import Event, OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated
from .cursor import Progress
from .outputs import with_streams

__all__ = ["OutputEvent", "RunOutputs", "Taken"]

logger = logging.getLogger(__name__)

OutputEvent = OutputAppended | OutputContinued | OutputsCleared


class Taken(enum.Enum):
    """What an event is to whoever has had everything until now."""

    NEW = "new"
    KNOWN = "known"
    UNSURE = "unsure"  # since a gap nobody knows: a snapshot says it


class RunOutputs:
    """Which outputs of a run were passed on.

    Parameters
    ----------
    context
        Where it runs.
    execution_id
        Which run.

    Attributes
    ----------
    collections
        By cell, the collection with the run's outputs, as far as it is known.
    """

    def __init__(self, context: Context, execution_id: UUID) -> None:
        self._context = context
        self._id = execution_id
        self._progress: dict[UUID, Progress] = {}
        self.collections: dict[str, UUID] = {}

    def take(self, event: OutputEvent, *, gapped: bool = False) -> Taken:
        """Note a live event of the run.

        Parameters
        ----------
        event
            The event.
        gapped
            Whether something may have come unseen before it.
        """
        progress = self._progress_of(event)
        progress.gapped = progress.gapped or gapped
        if progress.take(event):
            return Taken.NEW
        return Taken.UNSURE if progress.gapped else Taken.KNOWN

    def _progress_of(self, event: OutputEvent) -> Progress:
        if isinstance(event, OutputsCleared):
            return self._progress.setdefault(event.collection_id, Progress())
        collection_id = event.output.parent_collection_id
        self.collections[event.output.cell_id or m.SCRATCH_CELL] = collection_id
        return self._progress.setdefault(collection_id, Progress())

    def update(self, event: OutputsUpdated) -> bool:
        """Note what a display shows now; returns whether there are outputs to show anything."""
        for progress in self._progress.values():
            progress.take(event)
        return bool(self._progress)

    def shows(self, output_ids: tuple[UUID, ...]) -> bool:
        """Whether one of these outputs is the run's."""
        return any(progress.shows(output_ids) for progress in self._progress.values())

    def note_gap(self) -> None:
        """Note a lost connection."""
        for progress in self._progress.values():
            progress.gapped = True

    def compact(self) -> None:
        """Keep less: the run is over."""
        for progress in self._progress.values():
            progress.compact()

    def settle(self, targets: Iterable[str]) -> None:
        """Note where the cells' outputs lie now: later a cell may show another run's."""
        for cell_id in targets:
            if (now := self._context.collection_of(cell_id)) is not None:
                self.collections.setdefault(cell_id, now)

    async def snapshot(self, targets: Iterable[str]) -> AsyncIterator[Event]:
        """Yield what snapshots of the collections hold that was not passed on.

        Parameters
        ----------
        targets
            The run's cells.

        Raises
        ------
        RTUError
            One cannot be fetched; what came before it is passed on.
        """
        for cell_id in targets:
            # What a cell shows now may be another run's, or be cleared and go on with this one's:
            known = (self.collections.get(cell_id), self._context.collection_of(cell_id))
            for collection_id in filter(None, dict.fromkeys(known)):
                for event in await self._missed(cell_id, collection_id):
                    yield event

    async def _missed(self, cell_id: str, collection_id: UUID) -> list[Event]:
        api = self._context.api
        try:
            found = await api.get_output_collection(collection_id)
        except APIError as exc:
            logger.debug("no output collection: %s", exc)
            return []
        collection = await with_streams(api, found)
        if collection.execution_id != self._id:
            return []
        self.collections[cell_id] = collection.id
        progress = self._progress.setdefault(collection.id, Progress())
        progress.gapped = True
        return progress.catch_up(collection.id, collection.outputs, cell_id)
