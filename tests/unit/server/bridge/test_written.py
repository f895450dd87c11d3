"""What is written into a live document, step by step, without one: a list of cells stands for it.

No more than what differs is written, and what was written is not heard back as a change.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import CodeCell, FileDeltaAdapter, FileDeltaBase, MarkdownCell, Notebook
from rtu_magics.server.bridge.cells import cell_for_live
from rtu_magics.server.bridge.from_live import changes_in, mend_ids
from rtu_magics.server.bridge.past import Past
from rtu_magics.server.bridge.to_live import everything, follow, touched_by
from rtu_magics.server.bridge.touched import Touched

FILE_ID = UUID(int=7)


class PlainCells:
    """What a live document holds, in lists and dicts; notes what is written."""

    def __init__(self, notebook: Notebook) -> None:
        self.cells = [copy.deepcopy(cell_for_live(cell)) for cell in notebook.cells]
        self.meta = copy.deepcopy(notebook.metadata)
        self.written: list[tuple[Any, ...]] = []

    @property
    def ids(self) -> list[Any]:
        return [cell["id"] for cell in self.cells]

    def index_of(self, cell_id: str) -> int:
        return self.ids.index(cell_id)

    def raw(self, index: int, *, outputs: bool = True) -> dict[str, Any]:
        left_out = () if outputs else ("outputs", "execution_count", "execution_state")
        cell = copy.deepcopy(self.cells[index])
        return {key: value for key, value in cell.items() if key not in left_out}

    def metadata(self) -> dict[str, Any]:
        return copy.deepcopy(self.meta)

    @contextmanager
    def change(self) -> Iterator[None]:
        yield

    def insert(self, index: int, raw: Mapping[str, Any]) -> None:
        self.written.append(("insert", index, raw["id"]))
        self.cells.insert(index, dict(raw))

    def delete(self, index: int) -> None:
        self.written.append(("delete", index))
        del self.cells[index]

    def rename(self, index: int, cell_id: str) -> None:
        self.written.append(("rename", index))
        self.cells[index]["id"] = cell_id

    def set_source(self, index: int, source: str) -> None:
        self.written.append(("set_source", index, source))
        self.cells[index]["source"] = source

    def set_metadata(self, index: int | None, key: str, value: Any) -> None:
        self.written.append(("set_metadata", index, key, value))
        self._metadata(index)[key] = value

    def drop_metadata(self, index: int | None, key: str) -> None:
        self.written.append(("drop_metadata", index, key))
        self._metadata(index).pop(key, None)

    def set_part(self, index: int, key: str, value: Any) -> None:
        self.written.append(("set_part", index, key, value))
        self.cells[index][key] = value

    def drop_part(self, index: int, key: str) -> None:
        self.written.append(("drop_part", index, key))
        self.cells[index].pop(key, None)

    def _metadata(self, index: int | None) -> dict[str, Any]:
        found: dict[str, Any] = self.meta if index is None else self.cells[index]["metadata"]
        return found


def a_notebook() -> NotebookBuilder:
    cells = [
        CodeCell(id="a", source="x = 1", metadata={"tags": ["t"]}),
        CodeCell(id="b", source="y = 2"),
        MarkdownCell(id="c", source="# z"),
    ]
    return NotebookBuilder(Notebook(cells=cells, metadata={"k": 1}))


def a_delta(kind: str, action: str, properties: Any, cell_id: str = "") -> FileDeltaBase:
    named = {"resource_id": cell_id} if cell_id else {}
    delta = {"delta_type": kind, "delta_action": action, "properties": properties, **named}
    found: FileDeltaBase = FileDeltaAdapter.validate_python({"file_id": FILE_ID, **delta})
    return found


def compared(live: PlainCells, builder: NotebookBuilder, touched: Touched) -> list[str]:
    """Return the kinds of what a page did, as far as the notebook lacks it."""
    if touched.order:
        touched.cells.update(mend_ids(live, builder, Past()))
    found = changes_in(FILE_ID, live, touched, builder, Past())
    return [f"{one.delta_type} {one.delta_action}" for one in found.deltas]


NEW = CodeCell(id="new", source="n").model_dump()


@pytest.mark.parametrize(
    ("delta", "written"),
    [
        (a_delta("cell_contents", "replace", {"source": "x"}, "a"), [("set_source", 0, "x")]),
        (a_delta("cell_contents", "replace", {"source": "x = 1"}, "a"), []),
        (
            a_delta("cell_metadata", "update", {"path": ["u"], "value": 2}, "b"),
            [("set_metadata", 1, "u", 2)],
        ),
        (a_delta("cell_metadata", "update", {"path": ["tags"], "value": ["t"]}, "a"), []),
        (a_delta("nb_metadata", "update", {"path": ["k"], "value": 1.0}), []),
        (
            a_delta("nb_metadata", "update", {"path": ["k"], "value": 2}),
            [("set_metadata", None, "k", 2)],
        ),
        (
            a_delta("nb_cells", "add", {"id": "new", "cell": NEW, "after_id": "a"}),
            [("insert", 1, "new")],
        ),
        (a_delta("nb_cells", "delete", {"id": "b"}), [("delete", 1)]),
        (
            a_delta("nb_cells", "move", {"id": "a", "after_id": "c"}),
            [("delete", 0), ("insert", 2, "a")],
        ),
        (
            a_delta("cell_metadata", "replace", {"type": "raw"}, "c"),
            [("delete", 2), ("insert", 2, "c")],
        ),
    ],
    ids=lambda value: f"{value.delta_type}.{value.delta_action}" if hasattr(value, "id") else "",
)
def test_a_change_of_ours_is_written_and_no_more(
    delta: FileDeltaBase, written: list[tuple[Any, ...]]
) -> None:
    builder = a_notebook()
    live = PlainCells(builder.nb)
    builder.apply_delta(delta, strict=True)
    follow(live, touched_by([delta]), builder)
    assert live.written == written
    assert compared(live, builder, everything(builder)) == []


def test_what_is_the_same_is_neither_written_nor_taken() -> None:
    builder = a_notebook()
    live = PlainCells(builder.nb)
    live.cells[0]["metadata"]["trusted"] = True  # a mark of the page's
    live.cells[2]["attachments"] = {}
    live.meta |= {"k": 1.0, "kernelspec": {"name": "", "display_name": ""}}
    assert compared(live, builder, everything(builder)) == []
    follow(live, everything(builder), builder)
    assert live.written == []


def retyped(live: PlainCells) -> None:
    live.cells[1] = {"id": "b", "cell_type": "markdown", "source": "y = 2", "metadata": {}}


@pytest.mark.parametrize(
    ("act", "touched", "kinds"),
    [
        (
            lambda live: live.cells[1].update(source="y = 3"),
            Touched(cells={"b"}),
            ["cell_contents update"],
        ),
        (lambda live: live.cells[1].update(source="y = 3"), Touched(cells={"a"}), []),
        (
            lambda live: live.cells[1]["metadata"].update(u=1),
            Touched(cells={"b"}),
            ["cell_metadata update"],
        ),
        (retyped, Touched(cells={"b"}, replaced={"b"}, order=True), ["cell_metadata replace"]),
        (lambda live: live.cells.pop(0), Touched(order=True), ["nb_cells delete"]),
        (
            lambda live: live.cells.append(live.cells.pop(0)),
            Touched(order=True),
            ["nb_cells move"],
        ),
        (lambda live: live.meta.update(k=2), Touched(metadata=True), ["nb_metadata update"]),
        (lambda live: live.meta.update(k=2), Touched(order=True), []),
    ],
)
def test_a_change_of_a_page_is_found_where_it_was_touched(
    act: Callable[[PlainCells], Any], touched: Touched, kinds: list[str]
) -> None:
    builder = a_notebook()
    live = PlainCells(builder.nb)
    act(live)
    assert compared(live, builder, touched) == kinds
    assert live.written == []


def test_a_copy_beside_its_cell_goes_and_another_cell_gets_an_id() -> None:
    builder = a_notebook()
    live = PlainCells(builder.nb)
    live.cells.append(live.raw(0))  # both sides moved it
    live.cells.append({**live.raw(1), "source": "something else"})
    assert mend_ids(live, builder, Past())[0] == "a"
    assert live.written == [("delete", 3), ("set_source", 0, "x = 1"), ("rename", 3)]
    assert live.ids[:3] == ["a", "b", "c"]
    assert len(set(live.ids)) == 4
