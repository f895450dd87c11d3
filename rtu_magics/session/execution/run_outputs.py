"""The outputs of one run, in all its collections: what is new, and what is missing. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from uuid import UUID

from ... import models as m
from ..events import Event, OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated
from .cursor import Progress

__all__ = ["OutputEvent", "RunOutputs", "Taken"]

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
    execution_id
        Which run.

    Attributes
    ----------
    collections
        By cell, the collection with the run's outputs, as far as it is known.
    """

    def __init__(self, execution_id: UUID) -> None:
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

    def settle(self, shown: Mapping[str, UUID]) -> None:
        """Note where the cells' outputs lie now: later a cell may show another run's."""
        for cell_id, collection_id in shown.items():
            self.collections.setdefault(cell_id, collection_id)

    def missed(self, cell_id: str, collection: m.OutputCollection) -> list[Event]:
        """Return what a snapshot of a collection holds that was not passed on.

        Parameters
        ----------
        cell_id
            The cell where it was found.
        collection
            With its streams' text in it; another run's has nothing of this one.
        """
        if collection.execution_id != self._id:
            return []
        self.collections[cell_id] = collection.id
        progress = self._progress.setdefault(collection.id, Progress())
        progress.gapped = True
        return progress.catch_up(collection.id, collection.outputs, cell_id)
