"""Which cells an execute delta runs."""

from uuid import UUID, uuid4

import pytest

from rtu_magics.document import NotebookBuilder, targets_of
from rtu_magics.errors import CellNotFound
from rtu_magics.models import (
    CellExecute,
    CellExecuteAfter,
    CellExecuteAll,
    CellExecuteBefore,
    CellExecuteDelta,
    CodeCell,
    MarkdownCell,
    NBCellsMove,
    Notebook,
    RawCell,
)

FILE = UUID(int=1)
SQL = {"noteable": {"cell_type": "sql"}}
CELLS = [
    CodeCell(id="a", source="1"),
    MarkdownCell(id="text", source="not run"),
    CodeCell(id="blank", source=" \n\t"),
    CodeCell(id="b", source="2"),
    CodeCell(id="sql", source="select 1", metadata=SQL),
    RawCell(id="raw", source="neither"),
    CodeCell(id="c", source="3"),
]


def ids(delta, cells=CELLS):
    return [cell.id for cell in targets_of(delta, NotebookBuilder(Notebook(cells=cells)))]


@pytest.mark.parametrize(
    ("cls", "cell_id", "expected"),
    [
        (CellExecute, "a", ["a"]),
        (CellExecute, "sql", ["sql"]),
        (CellExecute, "text", []),
        (CellExecute, "raw", []),
        (CellExecute, "blank", []),
        (CellExecuteBefore, "a", ["a"]),
        (CellExecuteBefore, "text", ["a"]),
        (CellExecuteBefore, "b", ["a", "b"]),
        (CellExecuteBefore, "c", ["a", "b", "sql", "c"]),
        (CellExecuteAfter, "a", ["a", "b", "sql", "c"]),
        (CellExecuteAfter, "blank", ["b", "sql", "c"]),
        (CellExecuteAfter, "c", ["c"]),
        (CellExecuteAll, None, ["a", "b", "sql", "c"]),
    ],
)
def test_the_cells_it_runs(cls, cell_id, expected):
    named = {} if cell_id is None else {"resource_id": cell_id}
    assert ids(cls(file_id=FILE, **named)) == expected


def test_an_empty_notebook_has_none():
    assert ids(CellExecuteAll(file_id=FILE), cells=[]) == []


@pytest.mark.parametrize("cls", [CellExecute, CellExecuteBefore, CellExecuteAfter])
def test_an_unknown_cell(cls):
    with pytest.raises(CellNotFound, match="gone"):
        ids(cls(file_id=FILE, resource_id="gone"))


def test_it_is_the_notebook_of_that_moment():
    builder = NotebookBuilder(Notebook(cells=CELLS))
    before: CellExecuteDelta = CellExecuteBefore(file_id=FILE, resource_id="a")
    assert [cell.id for cell in targets_of(before, builder)] == ["a"]
    moved = NBCellsMove(file_id=FILE, id=uuid4(), properties={"id": "a", "after_id": "b"})
    builder.apply_delta(moved)
    assert [cell.id for cell in targets_of(before, builder)] == ["b", "a"]
