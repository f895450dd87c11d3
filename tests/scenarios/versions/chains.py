"""A chain over a database of its own, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import (
    NIL_UUID,
    CellContentsReplace,
    CellOutputCollectionReplace,
    CodeCell,
    Notebook,
)
from rtu_magics.server.notebook.chain import Chain
from rtu_magics.server.notebook.still import Kept, Label
from rtu_magics.server.notebook.submission import digest_of
from rtu_magics.server.store import Database, runs
from rtu_magics.server.store import deltas as delta_queries
from rtu_magics.server.store import files as file_queries

AUTHOR = UUID(int=1)


@contextmanager
def a_chain(directory: Path, cells: int = 3) -> Iterator[Chain]:
    database = Database(directory / ".rtu_magics" / "rtu.db")
    notebook = Notebook(cells=[CodeCell(id=f"c{n}", source="") for n in range(cells)])
    with database.transaction() as connection:
        row = file_queries.create_file(
            connection, database.project_id, "a.ipynb", "notebook", ready=True
        )
        delta_queries.insert_version(
            connection,
            row.id,
            epoch=0,
            seq=0,
            last_delta_id=NIL_UUID,
            body=NotebookBuilder(notebook).dumps(),
            reason="upload",
        )
    yield Chain(database, row.id)
    database.close()


def save_version(chain: Chain, *, name: str | None = None, reason: str = "save") -> Any:
    """Save a version at once."""
    with chain.still() as still:
        return chain.keep_version(Kept(still, Label(name, reason), b"".join(still.pieces())))


def grow(chain: Chain, count: int, *, length: int = 20, batch: int = 100) -> list[UUID]:
    """Append edits as the writer does; returns their ids."""
    ids = []
    for start in range(0, count, batch):
        staged = []
        for n in range(start, min(start + batch, count)):
            delta = CellContentsReplace(
                file_id=chain.file_id,
                resource_id=f"c{n % 3}",
                properties={"source": f"{n} " + "x" * length},
            )
            staged.append(chain.stage(delta, AUTHOR, digest_of(delta)))
            ids.append(delta.id)
        chain.commit(staged)
        if chain.needs_version:
            save_version(chain, reason="automatic")
    return ids


def run_cell(chain: Chain, cell_id: str, text: str, at: float) -> UUID:
    """Give a cell a collection with one output."""
    collection_id = uuid4()
    delta = CellOutputCollectionReplace(
        file_id=chain.file_id,
        resource_id=cell_id,
        properties={"output_collection_id": collection_id},
    )

    def store(connection):
        runs.insert_collection(
            connection,
            collection_id,
            chain.file_id,
            cell_id=cell_id,
            execution_id=None,
            created_at=at,
        )
        output_id = uuid4()
        body = '{"output_type": "stream", "name": "stdout", "text": ""}'
        runs.put_outputs(connection, collection_id, [(output_id, 0, at, body)])
        runs.put_chunks(connection, [(output_id, 0, text)])

    chain.commit([chain.stage(delta, AUTHOR)], store)
    return collection_id
