"""Clients that edit one notebook without a pause and keep book of what they were told."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID, uuid4

from rtu_magics.client import RTUClient
from rtu_magics.document import make_patch
from rtu_magics.errors import DeltaRejected
from rtu_magics.models import (
    CellContentsReplace,
    CellContentsUpdate,
    CellMetadataUpdate,
    CodeCell,
    FileDeltaBase,
    NBCellsAdd,
    NBCellsDelete,
    NBCellsMove,
)

__all__ = ["SHARED_JOURNAL", "Editor"]

SHARED_JOURNAL = "journal-shared"
_MARKS = 0.55  # of all edits write a mark into a journal
_IN_SHARED = 0.2  # of those go into the journal in which everybody writes
_FEW, _MANY = 8, 60  # cells


class Editor:
    """One client, several edits in flight at any time.

    A *mark* is a line of its own that is patched into a journal, a cell that is otherwise left
    alone: whatever happens to the chain, each acknowledged mark has to be in its journal once.

    Parameters
    ----------
    name
        Goes into the marks and cell ids.
    client
        The client, live.
    seed
        Of the choice of edits.

    Attributes
    ----------
    acknowledged, refused
        The ids of the deltas that the server took (`new_delta_request` returned) and refused (with
        the cause).
    seen
        The ids of all deltas that reached this client, anybody's: as good as acknowledged, for
        nobody may see what is not stored.
    open
        The deltas without an answer.
    marks
        The mark, and its journal, of each delta that writes one.
    """

    def __init__(self, name: str, client: RTUClient, seed: int) -> None:
        self.name = name
        self.client = client
        self.acknowledged: set[UUID] = set()
        self.refused: dict[UUID, str] = {}
        self.seen: set[UUID] = set()
        self.open: dict[UUID, FileDeltaBase] = {}
        self.marks: dict[UUID, tuple[str, str]] = {}
        self._rng = random.Random(seed)
        self._journal = ""
        self._count = 0
        client.register_delta_callback(FileDeltaBase, lambda delta: self.seen.add(delta.id))

    async def stream(self, stop: asyncio.Event, at_once: int = 16, pause: float = 0.004) -> None:
        """Edit until told to stop; return when the last edit has its answer."""
        # A fresh journal each time, for a patch costs the more the longer the text is.
        add = self._add(f"journal-{self.name}-{self._next()}", "begin\nend\n")
        await self._request(add)
        self._journal = add.properties.id

        async def edit() -> None:
            while not stop.is_set():
                await self._request(self._any_edit())
                await asyncio.sleep(self._rng.uniform(0, pause))

        await asyncio.gather(*(edit() for _ in range(at_once)))

    async def _request(self, delta: FileDeltaBase) -> None:
        self.open[delta.id] = delta
        try:
            await self.client.new_delta_request(delta)
            self.acknowledged.add(delta.id)
        except DeltaRejected as exc:
            self.refused[delta.id] = str(exc)
        finally:
            del self.open[delta.id]

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _any_edit(self) -> FileDeltaBase:
        if self._rng.random() < _MARKS:
            shared = self._rng.random() < _IN_SHARED
            return self._mark(SHARED_JOURNAL if shared else self._journal)
        cells = [cell for cell in self.client.cell_ids if not cell.startswith("journal")]
        kinds = ["add"] * 3 + ["replace"] * 3 + ["move"] * 2 + ["metadata"] * 2
        kind = self._rng.choice([*kinds, "delete"])
        if kind == "add" or len(cells) < _FEW:
            kind = "add" if len(cells) < _MANY else "delete"
        resource = self._rng.choice(cells) if cells else ""
        file_id = self.client.file_id
        if kind == "add":
            return self._add(f"cell-{self.name}-{self._next()}", f"# {uuid4()}", resource or None)
        if kind == "delete":
            return NBCellsDelete(file_id=file_id, properties={"id": resource})
        if kind == "replace":
            source = f"{self.name} = {self._next()}\n# é 🎉\n"
            return CellContentsReplace(
                file_id=file_id, resource_id=resource, properties={"source": source}
            )
        if kind == "metadata":
            update = {"path": ["tags", self.name], "value": self._next()}
            return CellMetadataUpdate(file_id=file_id, resource_id=resource, properties=update)
        others = [cell for cell in self.client.cell_ids if cell != resource]
        after = self._rng.choice([None, *others])
        return NBCellsMove(file_id=file_id, properties={"id": resource, "after_id": after})

    def _add(self, cell_id: str, source: str, after_id: str | None = None) -> NBCellsAdd:
        cell = CodeCell(id=cell_id, source=source)
        properties = {"id": cell_id, "cell": cell, "after_id": after_id}
        return NBCellsAdd(file_id=self.client.file_id, properties=properties)

    def _mark(self, journal: str) -> CellContentsUpdate:
        text = self.client.builder.cell(journal).source
        lines = text.splitlines(keepends=True)
        mark = f"<{self.name}{self._next()}>"
        at = self._rng.randrange(1, len(lines))  # between two lines: the first and last stay
        edited = "".join([*lines[:at], f"{mark}\n", *lines[at:]])
        delta = CellContentsUpdate(
            file_id=self.client.file_id,
            resource_id=journal,
            properties={"patch": make_patch(text, edited)},
        )
        self.marks[delta.id] = (journal, mark)
        return delta
