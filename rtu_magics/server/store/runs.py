"""Queries about what runs leave behind: output collections and cell states.

Every function takes the open connection of a transaction; those that write, of a quick one, too.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from ...models import CellState, CellStateName, Run
from .prepared import AnyConnection, Prepared
from .schema import cell_states, collections, deltas, output_chunks, outputs

_INSERT_COLLECTION = Prepared(
    insert(collections),
    "id",
    "file_id",
    "cell_id",
    "execution_id",
    "execution_count",
    "created_at",
    "updated_at",
    "authors",
)
_TOUCH_COLLECTION = Prepared(
    update(collections)
    .where(collections.c.id == bindparam("i"))
    .values(execution_count=bindparam("n"), updated_at=bindparam("t"), authors=bindparam("a")),
    "i",
    "n",
    "t",
    "a",
)
_INSERT_OUTPUT = Prepared(
    insert(outputs), "id", "collection_id", "position", "body", "created_at", "updated_at"
)
_DELETE_OUTPUT = Prepared(delete(outputs).where(outputs.c.id == bindparam("o")), "o")
_DELETE_OUTPUTS = Prepared(delete(outputs).where(outputs.c.collection_id == bindparam("c")), "c")
_INSERT_CHUNK = Prepared(insert(output_chunks), "output_id", "n", "text")
_DELETE_CHUNKS = Prepared(
    delete(output_chunks).where(output_chunks.c.output_id == bindparam("o")), "o"
)
_DELETE_ALL_CHUNKS = Prepared(
    delete(output_chunks).where(
        output_chunks.c.output_id.in_(
            select(outputs.c.id).where(outputs.c.collection_id == bindparam("c"))
        )
    ),
    "c",
)
_INSERT_STATE = Prepared(
    insert(cell_states),
    "file_id",
    "cell_id",
    "state",
    "execution_id",
    "execution_count",
    "cause",
    "reason",
    "source_digest",
)
_DELETE_STATE = Prepared(
    delete(cell_states).where(
        cell_states.c.file_id == bindparam("f"), cell_states.c.cell_id == bindparam("c")
    ),
    "f",
    "c",
)

_AT_ONCE = 500  # collections in one query


def insert_collection(
    connection: AnyConnection,
    collection_id: UUID,
    file_id: UUID,
    *,
    cell_id: str | None,
    execution_id: UUID | None,
    created_at: float,
    execution_count: int | None = None,
    authors: Iterable[UUID] = (),
) -> None:
    """Add an empty collection; `authors` are those whose runs its outputs are of, if known."""
    run = (collection_id, file_id, cell_id, execution_id, execution_count)
    row = (*run, created_at, created_at, _ids(authors))
    _INSERT_COLLECTION.run(connection, [row])


def touch_collection(
    connection: AnyConnection,
    collection_id: UUID,
    execution_count: int | None,
    authors: Iterable[UUID] = (),
) -> None:
    """Note a collection's execution count, whose runs it is of, and that it changed."""
    row = (collection_id, execution_count, time.time(), _ids(authors))
    _TOUCH_COLLECTION.run(connection, [row])


def _ids(found: Iterable[UUID]) -> str | None:
    return ",".join(sorted(one.hex for one in found)) or None


def authors_of(collection: Row[Any]) -> set[UUID]:
    """Return whose runs the outputs of a collection are of, none where that is not known."""
    return {UUID(one) for one in (collection.authors or "").split(",") if one}


def put_outputs(
    connection: AnyConnection,
    collection_id: UUID,
    new: Sequence[tuple[UUID, int, float, str]],
    replaced: Sequence[UUID] = (),
) -> None:
    """Add or replace outputs.

    Parameters
    ----------
    connection, collection_id
        Where.
    new
        Id, position, time of creation and body (JSON) of each.
    replaced
        Those that may be stored already. Their chunks go too.
    """
    gone = [(output_id,) for output_id in replaced]
    _DELETE_CHUNKS.run(connection, gone)
    _DELETE_OUTPUT.run(connection, gone)
    now = time.time()
    _INSERT_OUTPUT.run(
        connection,
        [
            (output_id, collection_id, position, body, created_at, now)
            for output_id, position, created_at, body in new
        ],
    )


def put_chunks(connection: AnyConnection, new: Sequence[tuple[UUID, int, str]]) -> None:
    """Append pieces of text to stream outputs: output id, number of the piece, text."""
    _INSERT_CHUNK.run(connection, new)


def clear_outputs(connection: AnyConnection, collection_id: UUID) -> None:
    """Remove every output of a collection."""
    _DELETE_ALL_CHUNKS.run(connection, [(collection_id,)])
    _DELETE_OUTPUTS.run(connection, [(collection_id,)])


def get_collection(connection: Connection, collection_id: UUID) -> Row[Any] | None:
    """Return a collection's own row, or None."""
    return connection.execute(select(collections).where(collections.c.id == collection_id)).first()


def get_output(connection: Connection, output_id: UUID) -> Row[Any] | None:
    """Return one output's row, or None."""
    return connection.execute(select(outputs).where(outputs.c.id == output_id)).first()


def output_bodies(
    connection: Connection, collection_id: UUID
) -> list[tuple[UUID, dict[str, Any], float, float]]:
    """Return the outputs of a collection in order: id, body, created and updated."""
    rows = connection.execute(
        select(outputs).where(outputs.c.collection_id == collection_id).order_by(outputs.c.position)
    ).all()
    pieces: dict[UUID, list[str]] = defaultdict(list)
    for piece in connection.execute(
        select(output_chunks.c.output_id, output_chunks.c.text)
        .join(outputs, outputs.c.id == output_chunks.c.output_id)
        .where(outputs.c.collection_id == collection_id)
        .order_by(output_chunks.c.output_id, output_chunks.c.n)
    ):
        pieces[piece.output_id].append(piece.text)
    found = []
    for row in rows:
        body = json.loads(row.body)
        if row.id in pieces:
            body["text"] = body.get("text", "") + "".join(pieces[row.id])
        found.append((row.id, body, row.created_at, row.updated_at))
    return found


def output_body(connection: Connection, output_id: UUID) -> dict[str, Any] | None:
    """Return one output's body, with the whole of its text, or None."""
    row = get_output(connection, output_id)
    if row is None:
        return None
    mine = output_chunks.c.output_id == output_id
    query = select(output_chunks.c.text).where(mine).order_by(output_chunks.c.n)
    rest = "".join(connection.execute(query).scalars())
    body: dict[str, Any] = json.loads(row.body)
    return {**body, "text": body.get("text", "") + rest} if rest else body


def with_displays(connection: Connection, collection_ids: Sequence[UUID]) -> list[UUID]:
    """Return those collections in which something was displayed under an id."""
    found: list[UUID] = []
    for at in range(0, len(collection_ids), _AT_ONCE):
        some = outputs.c.collection_id.in_(collection_ids[at : at + _AT_ONCE])
        named = outputs.c.body.contains('"display_id"')
        found += connection.execute(
            select(outputs.c.collection_id).where(some, named).distinct()
        ).scalars()
    return found


def put_states(connection: AnyConnection, file_id: UUID, states: Iterable[CellState]) -> None:
    """Store the states of some cells."""
    new = [
        (
            file_id,
            s.cell_id,
            str(s.state),
            s.execution_id,
            s.execution_count,
            s.cause,
            s.reason,
            s.source_digest,
        )
        for s in states
    ]
    _DELETE_STATE.run(connection, [row[:2] for row in new])
    _INSERT_STATE.run(connection, new)


def delete_state(connection: AnyConnection, file_id: UUID, cell_id: str) -> None:
    """Forget the state of a cell."""
    _DELETE_STATE.run(connection, [(file_id, cell_id)])


def get_states(connection: Connection, file_id: UUID) -> list[CellState]:
    """Return the stored states of a file's cells."""
    return [
        CellState(
            cell_id=row.cell_id,
            state=row.state,
            execution_id=row.execution_id,
            execution_count=row.execution_count,
            cause=row.cause,
            reason=row.reason,
            source_digest=row.source_digest,
        )
        for row in connection.execute(select(cell_states).where(cell_states.c.file_id == file_id))
    ]


def recent_runs(
    connection: Connection,
    file_id: UUID,
    states: Iterable[CellState],
    limit: int,
    without: Container[UUID] = (),
) -> list[Run]:
    """Return the newest runs of a file as far as their collections tell, the newest first.

    Parameters
    ----------
    connection, file_id
        Where.
    states
        The present states of the file's cells: what the last run of each came to.
    limit
        How many collections to look at.
    without
        The runs of which more is known elsewhere.
    """
    found_rows = connection.execute(
        select(collections)
        .where(collections.c.file_id == file_id, collections.c.execution_id.is_not(None))
        .order_by(collections.c.created_at.desc())
        .limit(limit)
    ).all()
    rows = [row for row in found_rows if row.execution_id not in without]
    known = {(state.execution_id, state.cell_id): state for state in states}
    by_run: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in reversed(rows):
        by_run[row.execution_id].append(row)
    authors = _authors(connection, file_id, list(by_run))
    failed = _failed(connection, [row.id for row in rows])
    found = []
    for execution_id, of_run in by_run.items():
        # A cell that never began has left its state and nothing else.
        began = {row.cell_id for row in of_run}
        ended = [s for (run, cell), s in known.items() if run == execution_id and cell not in began]
        cells = [
            known.get((execution_id, row.cell_id))
            or CellState(
                cell_id=row.cell_id,
                state=CellStateName.FAILED if row.id in failed else CellStateName.FINISHED,
                execution_id=execution_id,
                execution_count=row.execution_count,
            )
            for row in of_run
        ] + ended
        wrong = any(state.failed for state in cells)
        found.append(
            Run(
                execution_id=execution_id,
                cell_ids=[state.cell_id for state in cells],
                state=CellStateName.FAILED if wrong else CellStateName.FINISHED,
                cell_states=cells,
                collections={row.cell_id: row.id for row in of_run},
                user_id=authors.get(execution_id),
                created_at=_when(of_run[0].created_at),
                started_at=_when(of_run[0].created_at),
                ended_at=_when(of_run[-1].updated_at),
            )
        )
    return found[::-1]


def _authors(connection: Connection, file_id: UUID, delta_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    rows = connection.execute(
        select(deltas.c.id, deltas.c.body).where(
            deltas.c.file_id == file_id, deltas.c.id.in_(delta_ids)
        )
    )
    found = {row.id: json.loads(row.body).get("created_by_id") for row in rows}
    return {delta_id: UUID(author) for delta_id, author in found.items() if author}


def _failed(connection: Connection, collection_ids: Sequence[UUID]) -> set[UUID]:
    """Return which collections hold an error."""
    rows = connection.execute(
        select(outputs.c.collection_id)
        .where(outputs.c.collection_id.in_(collection_ids))
        .where(outputs.c.body.contains('"output_type": "error"'))
    )
    return {row.collection_id for row in rows}


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
