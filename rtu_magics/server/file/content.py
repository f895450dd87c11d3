"""What a room's file is to hold, and which of its outputs are its owners' own."""

from __future__ import annotations

from ...models import CellOutput, CodeCell, Notebook
from ..access.people import People
from ..outputs.cache import Collections
from ..outputs.collection import LiveCollection
from ..ports import Log
from .format import DiskBase, render
from .snapshot import detached

__all__ = ["RoomContent"]


class RoomContent:
    """A room's content for its file.

    Parameters
    ----------
    room, collections, people
        The notebook, its outputs, and who may have made them.
    """

    def __init__(self, room: Log, collections: Collections, people: People) -> None:
        self._room, self._collections, self._people = room, collections, people

    def notebook(self, base: DiskBase | None) -> Notebook:
        """Return the notebook as it belongs into a file that held `base`."""
        found = detached(render(self._room.chain.builder, self._outputs_of))
        # What Jupyter marks cells with while they are open; nobody is to write it for others.
        marked = {cell.id for cell in base.cells if "trusted" in cell.metadata} if base else set()
        for cell in found.cells:
            if isinstance(cell, CodeCell) and cell.id not in marked:
                cell.metadata.pop("trusted", None)
        return found

    def own_outputs(self) -> set[str]:
        """Return the ids of the cells whose outputs came from owners' runs alone."""
        authors = {
            cell.id: found.authors
            for cell in self._room.chain.builder.nb.cells
            if isinstance(cell, CodeCell) and (found := self._collection(cell)) is not None
        }
        people = {one: self._people.find(one) for one in set().union(*authors.values())}
        owners = {one for one, person in people.items() if person is not None and person.is_owner}
        return {cell for cell, found in authors.items() if found and found <= owners}

    def _outputs_of(self, cell: CodeCell) -> tuple[list[CellOutput], int | None] | None:
        found = self._collection(cell)
        return None if found is None else (found.to_nbformat(), found.execution_count)

    def _collection(self, cell: CodeCell) -> LiveCollection | None:
        if cell.output_collection_id is None:
            return None
        return self._collections.of_cell(cell.output_collection_id, self._room.file_id)
