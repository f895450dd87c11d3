"""The runs of a notebook, and clearing what they left."""

from __future__ import annotations

from ...models import CodeCell, Model
from ..access.people import Action
from ..execution.clear import clear_outputs
from .base import fail, signed_in
from .files import FileHandler

__all__ = ["ClearOutputs", "FileRuns"]


class FileRuns(FileHandler):
    """What runs, and what ran lately."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """List the runs, the newest first; those without a cell only for who started them."""
        room = await self.room(file_id)
        async with self.reading():
            work = await room.executor.executions.listed(self.person.id)
            parts = await self.service.slices.run(work)
        await self.answer_large(parts)


class _Cells(Model):
    cell_ids: list[str] | None = None


class ClearOutputs(FileHandler):
    """Clearing outputs."""

    @signed_in(Action.EDIT)
    async def post(self, file_id: str) -> None:
        """Clear the outputs of some cells, or of all, for everybody; answers with their ids."""
        given = self.body(_Cells).cell_ids
        # Somebody may name one cell very often; each is looked up among them.
        wanted = None if given is None else dict.fromkeys(given)
        room = await self.room(file_id)
        builder = room.chain.builder
        for cell_id in wanted or ():
            if cell_id not in builder:
                raise fail(404, f"there is no cell {cell_id[:64]}")
        cells = [
            cell.id
            for cell in list(builder.cells)
            if isinstance(cell, CodeCell) and (wanted is None or cell.id in wanted)
        ]
        self.answer(
            {
                "cell_ids": await clear_outputs(
                    room, room.executor, self.service.collections, cells, self.person.id
                )
            }
        )
