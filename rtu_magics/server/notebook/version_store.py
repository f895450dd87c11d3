"""Storing and removing what large versions hold, a piece in each transaction.

The pieces come first and the version itself last: until it is there nobody sees them, and those of
a version that never came are removed with the next sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from ..store import Database
from ..store import deltas as queries

__all__ = ["StoredPieces", "drop_pieces", "store_pieces"]

_WAITS = 10.0  # seconds for another program that holds the database
_AGAIN = 0.05


@dataclass(frozen=True, slots=True)
class StoredPieces:
    """A version to come.

    Attributes
    ----------
    version_id
        Its id.
    beginning
        The first part of its notebook, which is stored with the version.
    """

    version_id: UUID
    beginning: bytes


@asynccontextmanager
async def store_pieces(database: Database, parts: Sequence[bytes]) -> AsyncIterator[StoredPieces]:
    """Store what a version is to hold; the version itself is to be stored within the block.

    Parameters
    ----------
    database
        The store.
    parts
        The notebook's JSON, cut into parts of a size that one transaction takes quickly.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        The database refuses.
    """
    beginning, *rest = parts
    version_id = uuid4()
    database.unfinished.add(version_id)
    try:
        for n, part in enumerate(rest, 1):
            await _until_free(database)
            with database.quick_transaction() as connection:
                queries.put_piece(connection, version_id, n, part)
            await asyncio.sleep(0)
        await _until_free(database)
        yield StoredPieces(version_id, beginning)
    finally:
        database.unfinished.discard(version_id)


async def drop_pieces(database: Database, version_id: UUID) -> None:
    """Remove the pieces of a version that is gone."""
    with database.transaction() as connection:
        last = queries.last_piece(connection, version_id)
    for n in range(last, 0, -1):
        with database.quick_transaction() as connection:
            queries.drop_pieces(connection, version_id, n)
        await asyncio.sleep(0)


async def _until_free(database: Database) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + _WAITS
    while not database.is_free() and loop.time() < until:  # noqa: ASYNC110  nothing tells when another program ends
        await asyncio.sleep(_AGAIN)
