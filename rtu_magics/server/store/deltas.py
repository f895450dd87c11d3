"""Queries about the delta chain and the versions that bound it.

Every function takes the open connection of a transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from .prepared import AnyConnection, Prepared
from .schema import deltas, spent_deltas, version_pieces, versions

VersionRow = Row[Any]

_VERSION_BODY = ("body", "deleted_cell_ids", "collection_ids")
_VERSION_HEAD = [column for column in versions.c if column.name not in _VERSION_BODY]


@dataclass(frozen=True, slots=True)
class StoredDelta:
    """One delta of the chain as it is stored.

    Attributes
    ----------
    id
        The delta's id.
    epoch, seq
        Its place.
    body
        Its JSON as it was broadcast.
    digest
        Of the delta as submitted; empty for those the server made.
    """

    id: UUID
    epoch: int
    seq: int
    body: str
    digest: str


_APPEND = Prepared(insert(deltas), "file_id", "epoch", "seq", "id", "body", "digest")


def insert_deltas(connection: AnyConnection, file_id: UUID, new: Sequence[StoredDelta]) -> None:
    """Append to the chain; takes the connection of a quick transaction too."""
    _APPEND.run(connection, [(file_id, d.epoch, d.seq, d.id, d.body, d.digest) for d in new])


_FIND = select(deltas.c.epoch, deltas.c.seq, deltas.c.body, deltas.c.digest)


def find_delta(connection: Connection, file_id: UUID, delta_id: UUID) -> StoredDelta | None:
    """Return the delta with this id in any epoch of the file, or None."""
    row = connection.execute(
        _FIND.where(deltas.c.file_id == file_id, deltas.c.id == delta_id)
    ).first()
    if row is None:
        return None
    return StoredDelta(delta_id, row.epoch, row.seq, row.body, row.digest)


def digest_of_spent(connection: Connection, file_id: UUID, delta_id: UUID) -> str | None:
    """Return the digest of a delta that has left the chain, or None."""
    return connection.execute(
        select(spent_deltas.c.digest).where(
            spent_deltas.c.file_id == file_id, spent_deltas.c.id == delta_id
        )
    ).scalar()


_READ = select(deltas.c.id, deltas.c.epoch, deltas.c.seq, deltas.c.body, deltas.c.digest)


def deltas_after(
    connection: Connection, file_id: UUID, epoch: int, seq: int, last: int | None = None
) -> list[StoredDelta]:
    """Return the deltas of an epoch after a place, up to the last or the given one, in order."""
    query = _READ.where(deltas.c.file_id == file_id, deltas.c.epoch == epoch, deltas.c.seq > seq)
    if last is not None:
        query = query.where(deltas.c.seq <= last)
    return [StoredDelta(*row) for row in connection.execute(query.order_by(deltas.c.seq))]


def deltas_up_to(
    connection: Connection, file_id: UUID, epoch: int, seq: int, limit: int
) -> list[StoredDelta]:
    """Return at most so many deltas of an epoch that end with a place, in chain order."""
    query = (
        _READ.where(deltas.c.file_id == file_id, deltas.c.epoch == epoch, deltas.c.seq <= seq)
        .order_by(deltas.c.seq.desc())
        .limit(limit)
    )
    return [StoredDelta(*row) for row in connection.execute(query)][::-1]


def end_before(connection: Connection, file_id: UUID, epoch: int) -> tuple[int, int] | None:
    """Return the place of the last delta in the epochs before one, or None."""
    row = connection.execute(
        select(deltas.c.epoch, deltas.c.seq)
        .where(deltas.c.file_id == file_id, deltas.c.epoch < epoch)
        .order_by(deltas.c.epoch.desc(), deltas.c.seq.desc())
        .limit(1)
    ).first()
    return None if row is None else (row.epoch, row.seq)


def size_after(connection: Connection, file_id: UUID, epoch: int, seq: int) -> int:
    """Return how many characters the bodies of the deltas after a place hold."""
    found = connection.execute(
        select(func.coalesce(func.sum(func.length(deltas.c.body)), 0)).where(
            deltas.c.file_id == file_id, deltas.c.epoch == epoch, deltas.c.seq > seq
        )
    ).scalar_one()
    return int(found)


def all_delta_ids(connection: Connection, file_id: UUID, limit: int) -> set[UUID] | None:
    """Return the ids of every delta that a file ever had, None if more than `limit` are known."""
    found: set[UUID] = set()
    for table in (deltas, spent_deltas):
        rows = connection.execute(
            select(table.c.id).where(table.c.file_id == file_id).limit(limit + 1 - len(found))
        )
        found.update(rows.scalars())
        if len(found) > limit:
            return None
    return found


_PIECE = 256 * 1024  # bytes
_PUT_PIECE = Prepared(insert(version_pieces), "version_id", "n", "body")
_DROP_PIECES = Prepared(
    delete(version_pieces).where(
        version_pieces.c.version_id == bindparam("v"), version_pieces.c.n >= bindparam("n_from")
    ),
    "v",
    "n_from",
)


def put_piece(connection: AnyConnection, version_id: UUID, n: int, body: bytes) -> None:
    """Store the n-th piece, from 1, of a version to come; what is before them is in the version."""
    _PUT_PIECE.run(connection, [(version_id, n, body)])


def drop_pieces(connection: AnyConnection, version_id: UUID, first: int = 1) -> None:
    """Remove the pieces of a version from the `first` on."""
    _DROP_PIECES.run(connection, [(version_id, first)])


def last_piece(connection: Connection, version_id: UUID) -> int:
    """Return the number of a version's last piece, 0 if it has none."""
    mine = version_pieces.c.version_id == version_id
    return connection.execute(select(func.max(version_pieces.c.n)).where(mine)).scalar() or 0


def orphaned_pieces(connection: Connection) -> Sequence[UUID]:
    """Return the versions that have pieces and are not there."""
    here = select(versions.c.id)
    query = select(version_pieces.c.version_id).distinct()
    return connection.execute(query.where(version_pieces.c.version_id.not_in(here))).scalars().all()


def insert_version(
    connection: Connection,
    file_id: UUID,
    *,
    epoch: int,
    seq: int,
    last_delta_id: UUID,
    body: bytes,
    reason: str,
    deleted_cell_ids: Iterable[str] = (),
    collection_ids: Iterable[str] = (),
    name: str | None = None,
    description: str | None = None,
    created_by_id: UUID | None = None,
    version_id: UUID | None = None,
) -> VersionRow:
    """Store a snapshot under the next number and return it.

    Parameters
    ----------
    connection, file_id, epoch, seq, last_delta_id, body, name, description, created_by_id
        What it is, and which point of the chain it holds.
    reason
        ``save``, ``automatic``, ``restore``, ``outside`` or ``upload``.
    deleted_cell_ids, collection_ids
        The cells that may not come back, and the output collections that its cells show.
    version_id
        The id under which all but the beginning of `body` is stored already.
    """
    highest = connection.execute(
        select(func.max(versions.c.number)).where(versions.c.file_id == file_id)
    ).scalar()
    if version_id is None:
        version_id = uuid4()
        for n, at in enumerate(range(_PIECE, len(body), _PIECE), 1):
            put_piece(connection, version_id, n, body[at : at + _PIECE])
        body = body[:_PIECE]
    connection.execute(
        insert(versions),
        {
            "id": version_id,
            "file_id": file_id,
            "number": 0 if highest is None else highest + 1,
            "epoch": epoch,
            "seq": seq,
            "last_delta_id": last_delta_id,
            "body": body,
            "deleted_cell_ids": json.dumps(sorted(deleted_cell_ids)),
            "name": name,
            "description": description,
            "automatic": reason == "automatic",
            "reason": reason,
            "collection_ids": json.dumps(sorted(collection_ids)),
            "created_at": time.time(),
            "created_by_id": created_by_id,
        },
    )
    return connection.execute(select(*_VERSION_HEAD).where(versions.c.id == version_id)).one()


def current_version(connection: Connection, file_id: UUID) -> VersionRow | None:
    """Return the newest version without its body, or None."""
    return connection.execute(
        select(*_VERSION_HEAD)
        .where(versions.c.file_id == file_id)
        .order_by(versions.c.number.desc())
        .limit(1)
    ).first()


def version_before(
    connection: Connection, file_id: UUID, epoch: int, seq: int
) -> VersionRow | None:
    """Return the latest version of an epoch that a place follows, without its body, or None."""
    return connection.execute(
        select(*_VERSION_HEAD)
        .where(versions.c.file_id == file_id, versions.c.epoch == epoch, versions.c.seq < seq)
        .order_by(versions.c.seq.desc(), versions.c.number.desc())
        .limit(1)
    ).first()


def first_version_from(
    connection: Connection, file_id: UUID, epoch: int, seq: int
) -> VersionRow | None:
    """Return the earliest version of an epoch at or after a place, without its body, or None."""
    return connection.execute(
        select(*_VERSION_HEAD)
        .where(versions.c.file_id == file_id, versions.c.epoch == epoch, versions.c.seq >= seq)
        .order_by(versions.c.seq, versions.c.number)
        .limit(1)
    ).first()


def get_version(connection: Connection, version_id: UUID) -> VersionRow | None:
    """Return a version without its body, or None."""
    return connection.execute(select(*_VERSION_HEAD).where(versions.c.id == version_id)).first()


def version_content(connection: Connection, version_id: UUID) -> tuple[bytes, list[str]] | None:
    """Return a version's notebook as JSON and the ids of the cells deleted before it, or None."""
    row = connection.execute(
        select(versions.c.body, versions.c.deleted_cell_ids).where(versions.c.id == version_id)
    ).first()
    if row is None:
        return None
    mine = version_pieces.c.version_id == version_id
    query = select(version_pieces.c.body).where(mine).order_by(version_pieces.c.n)
    body = b"".join([row.body, *connection.execute(query).scalars()])
    return body, json.loads(row.deleted_cell_ids)


def list_versions(connection: Connection, file_id: UUID) -> Sequence[VersionRow]:
    """Return the versions of a file without their bodies, newest first."""
    return connection.execute(
        select(*_VERSION_HEAD)
        .where(versions.c.file_id == file_id)
        .order_by(versions.c.number.desc())
    ).all()
