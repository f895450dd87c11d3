"""A page's save against the room: what comes back, and whose outputs stay."""

from __future__ import annotations

from uuid import UUID

import pytest

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import CodeCell, NBCellsDelete, Notebook, StreamOutput
from rtu_magics.server.file.format import DiskBase
from rtu_magics.server.file.merge import merge_file
from rtu_magics.server.http.page_saves import overrides

FILE = UUID(int=1)


def notebook(**sources: str) -> Notebook:
    return Notebook(cells=[CodeCell(id=name, source=text) for name, text in sources.items()])


def room_without(name: str, **sources: str) -> NotebookBuilder:
    room = NotebookBuilder(notebook(**sources))
    delta = NBCellsDelete.model_validate(
        {
            "file_id": FILE,
            "delta_type": "nb_cells",
            "delta_action": "delete",
            "properties": {"id": name},
        }
    )
    room.apply_delta(delta, strict=True)
    return room


def test_an_edited_cell_comes_back_under_a_new_id() -> None:
    base = DiskBase.of(notebook(a="1", b="2"))
    sent = notebook(a="1", b="2, edited")
    merge = merge_file(FILE, sent, base, room_without("b", a="1", b="2"), revive=True)
    assert not merge.lost
    assert merge.renamed == {"b": sent.cells[1].id}
    assert sent.cells[1].id != "b"
    assert len(merge.deltas) == 1


def test_one_that_was_not_edited_stays_away() -> None:
    base = DiskBase.of(notebook(a="1", b="2"))
    room = room_without("b", a="1", b="2")
    merge = merge_file(FILE, notebook(a="1", b="2"), base, room, revive=True)
    assert (len(merge), merge.lost, merge.renamed) == (0, [], {})


def test_another_programs_edit_of_it_is_kept_apart() -> None:
    base = DiskBase.of(notebook(a="1", b="2"))
    merge = merge_file(FILE, notebook(a="1", b="3"), base, room_without("b", a="1", b="2"))
    assert merge.lost == ["cell b was edited in the file and deleted here"]
    assert not merge.renamed


def ran(text: str, count: int | None) -> CodeCell:
    outputs = [StreamOutput(name="stdout", text=text)] if text else []
    return CodeCell(id="a", source="", outputs=outputs, execution_count=count)


@pytest.mark.parametrize(
    ("had", "sent", "here", "expected"),
    [
        pytest.param(ran("", None), ran("page", 1), ran("", None), True, id="nobody else ran it"),
        pytest.param(ran("o", 1), ran("", None), ran("o", 1), True, id="cleared"),
        pytest.param(ran("o", 1), ran("", None), ran("n", 2), False, id="cleared, and run here"),
        pytest.param(ran("o", 1), ran("page", 3), ran("n", 2), True, id="run later there"),
        pytest.param(ran("o", 1), ran("page", 2), ran("n", 3), False, id="run later here"),
        pytest.param(ran("o", 4), ran("o'", 4), ran("n", 5), False, id="only written otherwise"),
    ],
)
def test_the_later_run_has_its_outputs(
    had: CodeCell, sent: CodeCell, here: CodeCell, expected: bool
) -> None:
    base = DiskBase.of(Notebook(cells=[had]))
    assert overrides(base, Notebook(cells=[here]))(sent) is expected


def test_a_cell_that_is_new_brings_its_outputs() -> None:
    assert overrides(DiskBase.of(Notebook()), Notebook())(ran("page", 1))
