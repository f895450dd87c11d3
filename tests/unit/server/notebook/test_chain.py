"""Whether cells still have the positions by which somebody has counted them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.document import NotebookBuilder
from rtu_magics.server.notebook.chain import Chain
from rtu_magics.server.store import Database
from rtu_magics.server.store import deltas as queries
from rtu_magics.server.store import files as file_queries


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    database = Database(tmp_path / "rtu.db")
    builder = NotebookBuilder(m.Notebook(cells=[m.CodeCell(id=one) for one in "ab"]))
    with database.transaction() as connection:
        space = file_queries.create_space(connection, "s", None)
        project = file_queries.create_project(connection, space.id, "p", None, "p")
        file = file_queries.create_file(connection, project.id, "p/a.ipynb", "notebook", ready=True)
        queries.insert_version(
            connection,
            file.id,
            epoch=0,
            seq=0,
            last_delta_id=m.NIL_UUID,
            body=builder.dumps(),
            reason="upload",
            deleted_cell_ids=set(),
            collection_ids=set(),
        )
    yield Chain(database, file.id)
    database.close()


def change(chain: Chain, cls: type[Any], resource_id: str | None = None, **properties: Any) -> UUID:
    named = {} if resource_id is None else {"resource_id": resource_id}
    delta = cls(file_id=chain.file_id, properties=properties or None, **named)
    chain.commit([chain.stage(delta, uuid4())])
    return chain.head


def edit(chain: Chain) -> UUID:
    return change(chain, m.CellContentsReplace, "a", source="x")


ORDERS = {
    "add": (m.NBCellsAdd, {"id": "c", "cell": m.CodeCell(id="c")}),
    "delete": (m.NBCellsDelete, {"id": "b"}),
    "move": (m.NBCellsMove, {"id": "b", "after_id": None}),
}


@pytest.mark.parametrize("how", ORDERS)
def test_what_moves_cells_ends_what_was_counted_before(chain: Chain, how: str) -> None:
    before = [edit(chain), edit(chain)]
    assert [chain.why_moved(one) for one in [None, *before]] == [""] * 3
    cls, properties = ORDERS[how]
    after = [change(chain, cls, **properties), edit(chain)]
    assert all("count again" in chain.why_moved(one) for one in before)
    assert [chain.why_moved(one) for one in [None, *after]] == [""] * 3


def test_what_is_not_known_any_more_counts_as_moved(chain: Chain) -> None:
    first, last = edit(chain), edit(chain)
    chain.rebuild()
    assert (bool(chain.why_moved(first)), chain.why_moved(last)) == (True, "")
    chain.begin_epoch(NotebookBuilder(m.Notebook()), reason="restore", before="before")
    assert chain.why_moved(last)
