"""A notebook as the store has it: its current version, and what came after that."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from ...document import NotebookBuilder, read_lines
from ...models import FileDeltaAdapter
from ..process.slices import Steps
from ..store import deltas as queries
from ..store.deltas import StoredDelta, VersionRow

__all__ = ["IDS_IN_MEMORY", "Replayed", "Stored", "content_of", "replay"]

IDS_IN_MEMORY = 5000


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store has.

    Attributes
    ----------
    version
        The current version.
    content, deleted
        Its notebook, and the cells that may not come back.
    tail
        The deltas after it.
    known
        The ids of all deltas that the notebook ever had, None if these are very many.
    """

    version: VersionRow
    content: bytes
    deleted: list[str]
    tail: list[StoredDelta]
    known: set[UUID] | None

    @classmethod
    def read(cls, connection: Connection, file_id: UUID) -> Stored:
        """Read it.

        Raises
        ------
        LookupError
            The notebook has no version.
        """
        version = queries.current_version(connection, file_id)
        content = version and queries.version_content(connection, version.id)
        if version is None or content is None:
            raise LookupError(f"file {file_id} has no version")
        tail = queries.deltas_after(connection, file_id, version.epoch, version.seq)
        known = queries.all_delta_ids(connection, file_id, IDS_IN_MEMORY)
        return cls(version, *content, tail, known)


@dataclass(frozen=True, slots=True)
class Replayed:
    """The notebook that it comes to, and what it was made of."""

    builder: NotebookBuilder
    stored: Stored


def content_of(content: bytes, deleted: list[str]) -> Steps[NotebookBuilder]:
    """Read what a version holds, a cell at a step."""
    builder = yield from read_lines(content)
    builder.deleted_cell_ids.update(deleted)
    return builder


def replay(stored: Stored) -> Steps[Replayed]:
    """Squash what the store has, a cell or a delta at a step."""
    builder = yield from content_of(stored.content, stored.deleted)
    for one in stored.tail:
        builder.apply_delta(FileDeltaAdapter.validate_json(one.body))
        yield
    return Replayed(builder, stored)
