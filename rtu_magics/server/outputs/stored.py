"""Collections that only the store remembers."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from ..store import runs
from .collection import LiveCollection
from .wire_form import LinkMaker

__all__ = ["load_collection"]


def load_collection(
    connection: Connection, collection_id: UUID, link: LinkMaker
) -> LiveCollection | None:
    """Return a stored collection, or None.

    Parameters
    ----------
    connection
        To the store.
    collection_id
        Which.
    link
        Returns a link to one representation of an output.
    """
    row = runs.get_collection(connection, collection_id)
    if row is None:
        return None
    found = LiveCollection(
        row.id, row.file_id, row.cell_id, row.execution_id, link=link, created_at=row.created_at
    )
    found.take_stored(runs.output_bodies(connection, collection_id))
    found.execution_count, found.updated_at = row.execution_count, row.updated_at
    found.authors = runs.authors_of(row)
    return found
