"""Queries that keep the database small: what there is, how large it is, and removing it.

Every function takes the open connection of a transaction. What may go is decided elsewhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from .deltas import version_content
from .schema import (
    cell_states,
    collections,
    deltas,
    disk_bases,
    files,
    output_chunks,
    outputs,
    page_bases,
    spent_deltas,
    uploads,
    version_pieces,
    versions,
)

_AT_ONCE = 400  # ids in one statement: SQLite allows 999 parameters in old builds


def newest_delta_sizes(
    connection: Connection, file_id: UUID, limit: int
) -> Sequence[tuple[int, int, int]]:
    """Return epoch, place and size in characters of a file's newest deltas, the newest first."""
    rows = connection.execute(
        select(deltas.c.epoch, deltas.c.seq, func.length(deltas.c.body))
        .where(deltas.c.file_id == file_id)
        .order_by(deltas.c.epoch.desc(), deltas.c.seq.desc())
        .limit(limit)
    )
    return [(epoch, seq, size) for epoch, seq, size in rows]


def first_deltas(connection: Connection, file_id: UUID) -> Sequence[tuple[int, int]]:
    """Return the first place that is still there in each epoch of a file."""
    rows = connection.execute(
        select(deltas.c.epoch, func.min(deltas.c.seq))
        .where(deltas.c.file_id == file_id)
        .group_by(deltas.c.epoch)
    )
    return [(epoch, seq) for epoch, seq in rows]


def retire_deltas(connection: Connection, file_id: UUID, epoch: int, seq: int, limit: int) -> int:
    """Remove the oldest deltas up to a place, at most so many; their digests stay.

    Returns
    -------
    int
        How many went.
    """
    oldest = (
        select(deltas.c.epoch, deltas.c.seq, deltas.c.id, deltas.c.digest)
        .where(deltas.c.file_id == file_id)
        .where(or_(deltas.c.epoch < epoch, (deltas.c.epoch == epoch) & (deltas.c.seq <= seq)))
        .order_by(deltas.c.epoch, deltas.c.seq)
        .limit(limit)
    )
    found = connection.execute(oldest).all()
    if not found:
        return 0
    kept = [row for row in found if row.digest]
    if kept:
        now = time.time()
        connection.execute(
            insert(spent_deltas),
            [
                {"file_id": file_id, "id": row.id, "digest": row.digest, "left_at": now}
                for row in kept
            ],
        )
    last = found[-1]
    connection.execute(
        delete(deltas).where(
            deltas.c.file_id == file_id,
            or_(
                deltas.c.epoch < last.epoch,
                (deltas.c.epoch == last.epoch) & (deltas.c.seq <= last.seq),
            ),
        )
    )
    return len(found)


def forget_spent(connection: Connection, file_id: UUID, before: float, keep: int) -> None:
    """Forget the digests of deltas that left before a time, and all but the newest of the rest."""
    mine = spent_deltas.c.file_id == file_id
    connection.execute(delete(spent_deltas).where(mine, spent_deltas.c.left_at < before))
    oldest = connection.execute(
        select(spent_deltas.c.left_at)
        .where(mine)
        .order_by(spent_deltas.c.left_at.desc())
        .limit(1)
        .offset(keep)
    ).scalar()
    if oldest is not None:
        connection.execute(delete(spent_deltas).where(mine, spent_deltas.c.left_at <= oldest))


def version_sizes(connection: Connection, file_id: UUID) -> Sequence[Any]:
    """Return the versions of a file with the ``size`` of their bodies in bytes, newest first."""
    rest = (
        select(func.coalesce(func.sum(func.length(version_pieces.c.body)), 0))
        .where(version_pieces.c.version_id == versions.c.id)
        .scalar_subquery()
    )
    return connection.execute(
        select(
            versions.c.id,
            versions.c.number,
            versions.c.reason,
            versions.c.name,
            versions.c.created_at,
            (func.length(versions.c.body) + rest).label("size"),
        )
        .where(versions.c.file_id == file_id)
        .order_by(versions.c.number.desc())
    ).all()


def delete_versions(connection: Connection, ids: Sequence[UUID]) -> None:
    """Remove versions; large ones leave their pieces, which `deltas.drop_pieces` removes."""
    for part in _parts(ids):
        connection.execute(delete(versions).where(versions.c.id.in_(part)))


def shown_in_versions(connection: Connection, file_id: UUID) -> set[str]:
    """Return the ids of the output collections that a file's versions show."""
    found: set[str] = set()
    rows = connection.execute(
        select(versions.c.id, versions.c.collection_ids).where(versions.c.file_id == file_id)
    ).all()
    for row in rows:
        known = row.collection_ids
        if known is None:  # written before versions noted them
            content = version_content(connection, row.id)
            assert content is not None
            known = json.dumps(sorted(_shown(json.loads(content[0]))))
            connection.execute(
                update(versions).where(versions.c.id == row.id).values(collection_ids=known)
            )
        found.update(json.loads(known))
    return found


def _shown(notebook: dict[str, Any]) -> Iterable[str]:
    for cell in notebook.get("cells", ()):
        named = cell.get("metadata", {}).get("noteable", {})
        collection_id = named.get("output_collection_id") if isinstance(named, dict) else None
        if collection_id:
            yield str(collection_id)


def collections_of(connection: Connection, file_id: UUID) -> Sequence[tuple[UUID, float]]:
    """Return id and time of the last change of a file's output collections, the newest first."""
    rows = connection.execute(
        select(collections.c.id, collections.c.updated_at)
        .where(collections.c.file_id == file_id)
        .order_by(collections.c.updated_at.desc())
    )
    return [(collection_id, changed) for collection_id, changed in rows]


def size_of_collection(connection: Connection, collection_id: UUID) -> int:
    """Return how many characters a collection's outputs have."""
    mine = outputs.c.collection_id == collection_id
    bodies = connection.execute(select(func.sum(func.length(outputs.c.body))).where(mine)).scalar()
    texts = connection.execute(
        select(func.sum(func.length(output_chunks.c.text)))
        .join(outputs, outputs.c.id == output_chunks.c.output_id)
        .where(mine)
    ).scalar()
    return int(bodies or 0) + int(texts or 0)


def delete_collections(connection: Connection, ids: Sequence[UUID]) -> None:
    """Remove output collections with all that is in them."""
    for part in _parts(ids):
        inside = select(outputs.c.id).where(outputs.c.collection_id.in_(part))
        connection.execute(delete(output_chunks).where(output_chunks.c.output_id.in_(inside)))
        connection.execute(delete(outputs).where(outputs.c.collection_id.in_(part)))
        connection.execute(delete(collections).where(collections.c.id.in_(part)))


def deleted_files(connection: Connection, before: float) -> Sequence[UUID]:
    """Return the files that were deleted before a time."""
    return connection.execute(select(files.c.id).where(files.c.deleted_at < before)).scalars().all()


def purge_file(connection: Connection, file_id: UUID) -> None:
    """Remove all that is left of a deleted file."""
    owned = connection.execute(
        select(collections.c.id).where(collections.c.file_id == file_id)
    ).scalars()
    delete_collections(connection, list(owned))
    owned_versions = select(versions.c.id).where(versions.c.file_id == file_id)
    connection.execute(
        delete(version_pieces).where(version_pieces.c.version_id.in_(owned_versions))
    )
    for table in (deltas, spent_deltas, versions, cell_states, disk_bases, page_bases, uploads):
        connection.execute(delete(table).where(table.c.file_id == file_id))
    connection.execute(delete(files).where(files.c.id == file_id))


def abandon_uploads(connection: Connection, before: float) -> Sequence[UUID]:
    """Give up uploads that were reserved before a time and never completed; returns their ids."""
    rows = connection.execute(
        select(uploads.c.id, uploads.c.file_id).where(uploads.c.created_at < before)
    ).all()
    now = time.time()
    for row in rows:
        connection.execute(delete(uploads).where(uploads.c.id == row.id))
        connection.execute(
            update(files)
            .where(files.c.id == row.file_id, files.c.ready.is_(False))
            .values(deleted_at=now)
        )
    return [row.id for row in rows]


def _parts(ids: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    for at in range(0, len(ids), _AT_ONCE):
        yield ids[at : at + _AT_ONCE]
