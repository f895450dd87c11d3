"""Keeping the database bounded, whatever the history; nothing that was accepted gets lost.

The rule, for each notebook:

- **Deltas** are kept back to the version before the newest 5,000 of them, or before the newest 8
  MiB. Older ones are part of that version and all that follow. Who asks to catch up from one that
  has left is told to load the current version. Their ids and digests stay for a week (at most
  20,000), so that a late retry is still taken for what it is.
- **Versions**: named saves, the first, and the current one are kept always; those from before a
  restore or a change by another program too, of these the newest 50. Of all others the newest 10,
  then one an hour for a day and one a day for a month, and no more than 64 MiB of them.
- **Outputs**: those that the notebook or a kept version shows are kept always. Of earlier runs the
  newest 500 are, as far as they fit into 32 MiB, and all of the last ten minutes.

Deleted files leave the database after a week, and uploads that were never completed after a day.
Freed pages are given back to the file system.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ..notebook.chain import Chain
from ..notebook.still import collections_shown
from ..notebook.version_store import drop_pieces
from ..process.periodic import Periodic
from ..store import Database
from ..store import compaction as queries
from ..store import deltas as delta_queries

if TYPE_CHECKING:
    from ..room import Room

__all__ = ["Compactor", "compact", "versions_to_drop"]

logger = logging.getLogger(__name__)

KEEP_DELTAS = 5_000
KEEP_DELTA_BYTES = 8 * 1024 * 1024
KEEP_SPENT = 20_000
KEEP_SPENT_FOR = 7 * 24 * 3600.0
KEEP_VERSIONS = 10
KEEP_TURNS = 50  # versions from before a restore or an outside change
KEEP_VERSION_BYTES = 64 * 1024 * 1024
KEEP_COLLECTIONS = 500
KEEP_COLLECTION_BYTES = 32 * 1024 * 1024
KEEP_COLLECTIONS_FOR = 600.0
DELETED_FOR = 7 * 24 * 3600.0
UPLOADS_FOR = 24 * 3600.0
LONG_TAIL = 100  # deltas after the current version

_HOUR, _DAY, _MONTH = 3600.0, 24 * 3600.0, 30 * 24 * 3600.0
_LOOK_EVERY = 2.0
_LOOK_AGAIN = 60.0  # after a failure
_SWEEP_EVERY = 3600.0
_SLICE = 500  # deltas in one transaction: others' changes wait no longer than for one


def versions_to_drop(
    versions: Sequence[Any], protected: Collection[UUID], now: float
) -> list[UUID]:
    """Return which versions the rule lets go.

    Parameters
    ----------
    versions
        With ``id``, ``number``, ``reason``, ``name``, ``created_at`` and ``size``; newest first.
    protected
        Those that must stay whatever the rule says.
    now
        Seconds since the epoch.
    """
    turns = others = 0
    size = 0
    slots: set[tuple[float, int]] = set()
    dropped = []
    for place, version in enumerate(versions):
        named = version.reason == "save" and version.name
        if place == 0 or named or version.reason == "upload" or version.id in protected:
            continue
        if version.reason in ("restore", "outside"):
            turns += 1
            if turns <= KEEP_TURNS:
                continue
        others += 1
        if others > KEEP_VERSIONS:
            age = now - version.created_at
            unit = _HOUR if age < _DAY else _DAY
            slot = unit, int(version.created_at // unit)
            if age > _MONTH or slot in slots:
                dropped.append(version.id)
                continue
            slots.add(slot)
        size += version.size
        if size > KEEP_VERSION_BYTES:
            dropped.append(version.id)
    return dropped


async def compact(chain: Chain) -> None:
    """Apply the rule to one notebook, in short transactions.

    Parameters
    ----------
    chain
        Of the notebook; the caller sees to it that there is one only.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        The database refuses; what was done so far is whole.
    """
    database, file_id = chain.database, chain.file_id
    edge = _edge(database, file_id)
    if edge is not None:
        while True:
            with database.transaction() as connection:
                count = queries.retire_deltas(connection, file_id, *edge, _SLICE)
            if count < _SLICE:
                break
            await asyncio.sleep(0)
    now = time.time()
    with database.transaction() as connection:
        queries.forget_spent(connection, file_id, now - KEEP_SPENT_FOR, KEEP_SPENT)
        protected = set(_starts(connection, file_id))
        dropped = versions_to_drop(queries.version_sizes(connection, file_id), protected, now)
        queries.delete_versions(connection, dropped)
    for version_id in dropped:
        await drop_pieces(database, version_id)
    await asyncio.sleep(0)
    await _drop_outputs(chain, now)


def _edge(database: Database, file_id: UUID) -> tuple[int, int] | None:
    """Return the place up to which deltas may go: a version holds all that they did."""
    with database.transaction() as connection:
        size = 0
        newest = queries.newest_delta_sizes(connection, file_id, KEEP_DELTAS + 1)
        for count, (epoch, seq, length) in enumerate(newest):
            size += length
            if count < KEEP_DELTAS and size <= KEEP_DELTA_BYTES:
                continue
            version = delta_queries.version_before(connection, file_id, epoch, seq + 1)
            return (epoch, -1) if version is None else (epoch, version.seq)
    return None


def _starts(connection: Any, file_id: UUID) -> Iterable[UUID]:
    """Yield the versions from which the kept deltas of each epoch are read."""
    for epoch, seq in queries.first_deltas(connection, file_id):
        version = delta_queries.version_before(connection, file_id, epoch, seq)
        if version is not None:
            yield version.id


async def _drop_outputs(chain: Chain, now: float) -> None:
    """Drop the outputs of earlier runs that the rule lets go, one run at a time."""
    database, file_id = chain.database, chain.file_id
    with database.transaction() as connection:
        in_versions = queries.shown_in_versions(connection, file_id)
        found = queries.collections_of(connection, file_id)
    kept = size = 0
    head, shown = chain.head, collections_shown(chain.builder)
    for collection_id, changed in found:
        if head != chain.head:  # others go on while this does
            head, shown = chain.head, collections_shown(chain.builder)
        name = str(collection_id)
        if changed > now - KEEP_COLLECTIONS_FOR or name in in_versions or name in shown:
            continue
        kept += 1
        with database.transaction() as connection:
            if kept <= KEEP_COLLECTIONS and size <= KEEP_COLLECTION_BYTES:
                size += queries.size_of_collection(connection, collection_id)
            if kept > KEEP_COLLECTIONS or size > KEEP_COLLECTION_BYTES:
                queries.delete_collections(connection, [collection_id])
        await asyncio.sleep(0)


class Compactor:
    """Applies the rule to the notebooks of a server, beside everything else.

    Parameters
    ----------
    database, rooms
        The store, and the notebooks that are open, by file id.
    staged_upload
        Returns where the content of an upload lies that was never completed.
    """

    def __init__(
        self,
        database: Database,
        rooms: Mapping[UUID, Room],
        staged_upload: Callable[[UUID], Path],
    ) -> None:
        self._database, self._rooms, self._staged_upload = database, rooms, staged_upload
        self._done: dict[UUID, UUID] = {}
        self._heads: dict[UUID, UUID] = {}
        self._swept_at = 0.0
        self._looking = Periodic(
            self._look,
            _LOOK_EVERY,
            name="rtu-compaction",
            tell=_log,
            every_after_failure=_LOOK_AGAIN,
        )

    def start(self) -> None:
        """Start looking for what may go."""
        self._looking.start()

    async def close(self) -> None:
        """Stop."""
        await self._looking.close()

    async def _look(self) -> None:
        rooms, changed = self._rooms, False
        for known in (self._done, self._heads):
            for file_id in known.keys() - rooms.keys():
                del known[file_id]
        for room in list(rooms.values()):
            await self._save_when_quiet(room)
            # Every notebook that grows gets new versions on the way.
            if self._done.get(room.file_id) != room.chain.version.id:
                self._done[room.file_id] = room.chain.version.id
                await compact(room.chain)
                changed = True
        if time.monotonic() - self._swept_at > _SWEEP_EVERY or not self._swept_at:
            self._swept_at = time.monotonic()
            await self._sweep()
            changed = True
        if changed:
            await self._shrink()

    async def _shrink(self) -> None:
        more = True
        while more:
            more = self._database.reclaim()
            await asyncio.sleep(0)

    async def _save_when_quiet(self, room: Room) -> None:
        """Save a version of a notebook that rests, so that whoever joins has little to catch up."""
        chain = room.chain
        rests = self._heads.get(room.file_id) == chain.head
        self._heads[room.file_id] = chain.head
        if rests and chain.tail_length > LONG_TAIL:
            await room.versions.save(reason="automatic")

    async def _sweep(self) -> None:
        now = time.time()
        with self._database.transaction() as connection:
            gone = queries.deleted_files(connection, now - DELETED_FOR)
            abandoned = queries.abandon_uploads(connection, now - UPLOADS_FOR)
        with self._database.transaction() as connection:
            orphans = delta_queries.orphaned_pieces(connection)
        for version_id in set(orphans) - self._database.unfinished:
            await drop_pieces(self._database, version_id)
        for file_id in gone:
            with self._database.transaction() as connection:
                queries.purge_file(connection, file_id)
            await asyncio.sleep(0)
        for upload_id in abandoned:
            await asyncio.to_thread(self._staged_upload(upload_id).unlink, missing_ok=True)


def _log(exc: Exception) -> None:
    if isinstance(exc, SQLAlchemyError):
        logger.warning("the database was not compacted: %s", getattr(exc, "orig", exc))
    else:
        logger.error("the database was not compacted", exc_info=exc)
