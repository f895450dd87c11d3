"""A page and our clients change one notebook: both end with the same, and lose nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .page import Page, Pair, content, shown  # isort: skip  (skips without pycrdt)
from pycrdt import Array, Map, Text

from rtu_magics.document import ABSENT, NotebookBuilder
from rtu_magics.models import CodeCell, MarkdownCell, Notebook
from rtu_magics.server.bridge.cells import notebook_from_live
from rtu_magics.server.bridge.to_live import everything, follow


def pair(*sources: str, **metadata: Any) -> Pair:
    cells = [CodeCell(id=f"c{n}", source=source) for n, source in enumerate(sources, 1)]
    return Pair(NotebookBuilder(Notebook(cells=cells, metadata=metadata)))


def kinds(deltas: list[Any]) -> list[str]:
    return [f"{delta.delta_type} {delta.delta_action}" for delta in deltas]


@pytest.fixture
def both() -> Pair:
    return pair("x = 1", "y = 2", "z = 3")


class TestThePage:
    def test_types(self, both: Pair) -> None:
        page = Page(both.doc)
        page.type(1, 5, "0")
        [delta] = both.take()
        assert kinds([delta]) == ["cell_contents update"]
        assert delta.resource_id == "c2"
        assert both.builder.cell("c2").source == "y = 20"

    @pytest.mark.parametrize("text", ["😀", "e\u0301", "👨‍👩‍👧", "ß", "\r\n", "日本"])
    def test_types_beside_what_is_more_than_one_byte(self, both: Pair, text: str) -> None:
        page = Page(both.doc)
        page.type(0, 1, text)
        both.rtu("cell_contents", "replace", {"source": f"{text}x{text} = 1"}, "c1")
        page.sync()
        page.type(0, len(f"{text}x"), text)
        both.take()
        assert both.builder.cell("c1").source == f"{text}x{text}{text} = 1"
        both.check()

    def test_adds_deletes_and_moves(self, both: Pair) -> None:
        page = Page(both.doc)
        page.add(1, "new", "n = 0")
        assert kinds(both.take()) == ["nb_cells add"]
        page.move(0, 2)
        assert kinds(both.take()) == ["nb_cells move"]
        page.delete(0)
        assert kinds(both.take()) == ["nb_cells delete"]
        assert both.builder.cell_ids == ["c2", "c1", "c3"]
        both.check()

    def test_changes_a_type_and_back(self, both: Pair) -> None:
        page = Page(both.doc)
        page.retype(0, "markdown")
        assert kinds(both.take()) == ["cell_metadata replace"]
        assert both.builder.cell("c1").cell_type == "markdown"
        both.check()
        page.again("undo")
        both.take()
        assert both.builder.cell("c1").cell_type == "code"
        both.check()

    def test_sets_and_removes_metadata(self, both: Pair) -> None:
        page = Page(both.doc)
        page.set(0, "jupyter", {"source_hidden": True})
        page.set(0, "tags", ["a"])
        assert kinds(both.take()) == ["cell_metadata update"] * 2
        page.set(0, "jupyter", {"source_hidden": True, "outputs_hidden": False})
        [delta] = both.take()
        assert delta.properties.path == ["jupyter", "outputs_hidden"]
        page.drop(0, "tags")
        assert both.take() == []
        assert both.builder.cell("c1").metadata == {
            "jupyter": {"source_hidden": True, "outputs_hidden": False}
        }
        both.check()

    def test_marks_and_blank_entries_are_no_changes(self, both: Pair) -> None:
        page = Page(both.doc)
        page.set(0, "trusted", True)
        blank = Map({"kernelspec": {"name": "", "display_name": ""}, "language_info": {"name": ""}})
        page.do(lambda: page.doc.get("meta", type=Map).__setitem__("metadata", blank))
        assert both.take() == []
        both.rtu("nb_metadata", "update", {"path": ["title"], "value": "T"})
        assert both.live.metadata()["kernelspec"] == {"name": "", "display_name": ""}
        page.sync()
        assert page.cells[0]["metadata"]["trusted"] is True

    def test_numbers_that_come_as_floats_are_no_changes(self) -> None:
        both = pair("x", deep={"n": [1, 2.5, True]})
        page = Page(both.doc)
        meta = page.doc.get("meta", type=Map)
        page.do(lambda: meta["metadata"].__setitem__("deep", {"n": [1.0, 2.5, True]}))
        assert both.take() == []
        page.do(lambda: meta["metadata"].__setitem__("deep", {"n": [1.0, 2.5, 1]}))
        assert kinds(both.take()) == ["nb_metadata update"]

    def test_pastes_an_image(self) -> None:
        both = Pair(NotebookBuilder(Notebook(cells=[MarkdownCell(id="m", source="![](a.png)")])))
        page = Page(both.doc)
        image = {"a.png": {"image/png": "iVBORw0KGgo="}}
        page.attach(0, image)
        assert both.take() == []
        assert both.builder.cell("m").attachments == image
        both.check()
        page.attach(0, {})
        both.take()
        assert both.builder.cell("m").attachments is None

    def test_undoes_only_its_own(self, both: Pair) -> None:
        page = Page(both.doc)
        page.type(0, 5, "0")
        both.rtu("cell_contents", "replace", {"source": "x = 10  # ours"}, "c1")
        both.rtu("nb_cells", "add", {"id": "ours", "cell": {"cell_type": "code"}, "after_id": "c1"})
        page.sync()
        page.again("undo")
        both.take()
        assert both.builder.cell("c1").source == "x = 1  # ours"
        assert both.builder.cell_ids == ["c1", "ours", "c2", "c3"]
        both.check()

    def test_pastes_a_cell_with_outputs(self, both: Pair) -> None:
        page = Page(both.doc)
        output = Map({"output_type": "stream", "name": "stdout", "text": Text("hi\n")})
        cell = Map(
            {
                "id": "p",
                "cell_type": "code",
                "source": Text("print('hi')"),
                "metadata": Map(),
                "outputs": Array([output]),
                "execution_count": 3.0,
            }
        )
        page.do(lambda: page.cells.append(cell))
        both.take()
        added = both.builder.cell("p")
        assert isinstance(added, CodeCell)
        assert (added.execution_count, added.outputs[0].text) == (3, "hi\n")


class TestIds:
    def test_a_deleted_cell_that_comes_back_gets_another_id(self, both: Pair) -> None:
        page = Page(both.doc)
        page.delete(1)
        both.take()
        page.again("undo")
        both.take()
        back = both.builder.cell_ids[1]
        assert back not in ("c1", "c2", "c3")
        assert both.builder.cell(back).source == "y = 2"
        both.check()
        page.sync()
        page.type(1, 0, "# ")
        both.take()
        assert both.builder.cell(back).source == "# y = 2"

    def test_redo_after_that_deletes_it(self, both: Pair) -> None:
        page = Page(both.doc)
        page.delete(1)
        both.take()
        page.again("undo")
        both.take()
        page.sync()
        page.again("redo")
        both.take()
        assert both.builder.cell_ids == ["c1", "c3"]
        both.check()

    def test_both_move_one_cell(self, both: Pair) -> None:
        page = Page(both.doc)
        page.online = False
        page.move(0, 2)
        both.rtu("nb_cells", "move", {"id": "c1", "after_id": "c2"})
        page.online = True
        page.sync()
        both.take()
        assert sorted(both.builder.cell_ids) == ["c1", "c2", "c3"]
        both.check()

    def test_both_move_one_cell_and_we_edit_it(self, both: Pair) -> None:
        page = Page(both.doc)
        page.online = False
        page.move(2, 0)
        both.rtu("nb_cells", "move", {"id": "c3", "after_id": "c1"})
        both.rtu("cell_contents", "replace", {"source": "z = 33"}, "c3")
        page.online = True
        page.sync()
        both.take()
        assert sorted(cell.source for cell in both.builder.cells) == ["x = 1", "y = 2", "z = 33"]
        both.check()

    def test_both_move_one_cell_and_one_of_them_edits_it(self, both: Pair) -> None:
        page = Page(both.doc)
        page.online = False
        page.move(0, 2)
        page.type(2, 5, "00")
        both.rtu("nb_cells", "move", {"id": "c1", "after_id": "c2"})
        page.online = True
        page.sync()
        both.take()
        sources = sorted(cell.source for cell in both.builder.cells)
        assert sources == ["x = 100", "y = 2", "z = 3"]
        both.check()

    def test_what_we_wrote_while_a_page_moved_the_cell_stays(self, both: Pair) -> None:
        """The page puts a copy of what it had in the cell's place."""
        page = Page(both.doc)
        page.online = False
        page.move(2, 0)
        page.set(0, "page", 1)
        both.rtu("cell_contents", "replace", {"source": "z = 33"}, "c3")
        both.rtu("cell_metadata", "update", {"path": ["ours"], "value": 2}, "c3")
        page.online = True
        page.sync()
        both.take()
        cell = both.builder.cell("c3")
        assert both.builder.cell_ids == ["c3", "c1", "c2"]
        assert (cell.source, cell.metadata) == ("z = 33", {"page": 1, "ours": 2})
        both.check()

    def test_what_both_wrote_then_is_merged(self, both: Pair) -> None:
        page = Page(both.doc)
        page.online = False
        page.type(1, 0, "# page\n")
        page.move(1, 2)
        both.rtu("cell_contents", "replace", {"source": "y = 2  # ours"}, "c2")
        page.retype(0, "markdown")
        both.rtu("cell_contents", "replace", {"source": "x = 1  # ours"}, "c1")
        page.online = True
        page.sync()
        both.take()
        assert both.builder.cell("c2").source == "# page\ny = 2  # ours"
        assert both.builder.cell("c1").source == "x = 1  # ours"
        assert both.builder.cell("c1").cell_type == "markdown"
        both.check()

    @pytest.mark.parametrize("cell_id", [None, "", "has spaces", "c1", 5.0, "x" * 65])
    def test_ids_that_no_cell_can_have(self, both: Pair, cell_id: Any) -> None:
        page = Page(both.doc)
        cell = {"cell_type": "code", "source": Text("odd"), "metadata": Map(), "outputs": Array()}
        if cell_id is not None:
            cell["id"] = cell_id
        page.do(lambda: page.cells.append(Map(cell)))
        both.take()
        assert [c.source for c in both.builder.cells] == ["x = 1", "y = 2", "z = 3", "odd"]
        both.check()
        page.sync()
        assert content(page) == shown(both.builder.nb)


class TestOurs:
    def test_an_edit_leaves_the_rest_of_the_text_alone(self, both: Pair) -> None:
        page = Page(both.doc)
        page.online = False
        page.type(0, 0, "# page\n")
        both.rtu("cell_contents", "replace", {"source": "x = 1  # ours"}, "c1")
        page.online = True
        page.sync()
        both.take()
        assert both.builder.cell("c1").source == "# page\nx = 1  # ours"
        both.check()
        assert page.sources[0] == "# page\nx = 1  # ours"

    def test_every_kind_of_change_reaches_the_page(self, both: Pair) -> None:
        page = Page(both.doc)
        both.rtu("nb_cells", "add", {"id": "n", "cell": {"cell_type": "markdown"}})
        both.rtu("nb_cells", "move", {"id": "c3", "after_id": "n"})
        both.rtu("nb_cells", "delete", {"id": "c2"})
        both.rtu("cell_metadata", "replace", {"type": "raw"}, "c1")
        both.rtu("cell_metadata", "update", {"path": ["a", "b"], "value": [1]}, "c3")
        both.rtu("cell_contents", "update", {"patch": "@@ -1,5 +1,5 @@\n z = \n-3\n+4\n"}, "c3")
        both.rtu("nb_metadata", "update", {"path": ["k"], "value": {"n": None}})
        both.check()
        page.sync()
        assert content(page) == shown(both.builder.nb)
        assert both.take() == []

    def test_what_is_equal_is_not_written(self, both: Pair) -> None:
        before = both.doc.get_state()
        both.rtu("cell_contents", "replace", {"source": "x = 1"}, "c1")
        both.rtu("cell_metadata", "replace", {"type": "code"}, "c1")
        assert both.doc.get_state() == before

    def test_our_bookkeeping_stays_ours(self, both: Pair) -> None:
        collection = "11111111-1111-4111-8111-111111111111"
        both.rtu("cell_output_collection", "replace", {"output_collection_id": collection}, "c1")
        both.rtu("cell_metadata", "update", {"path": ["k"], "value": 1}, "c1")
        raw = both.live.raw(0)
        assert raw["metadata"] == {"k": 1}
        page = Page(both.doc)
        page.set(0, "k", 2)
        both.take()
        assert both.builder.cell("c1").output_collection_id == collection

    def test_what_no_delta_takes_away(self, both: Pair) -> None:
        """As when a version is restored: all of it is compared."""
        for path in (["a"], ["b"]):
            both.rtu("cell_metadata", "update", {"path": path, "value": 1}, "c1")
            both.rtu("nb_metadata", "update", {"path": path, "value": 1})
        del both.builder.cell("c1").metadata["a"], both.builder.nb.metadata["a"]
        both.builder.set_unnamed_part("c2", "tool", {"v": 1})
        follow(both.live, everything(both.builder), both.builder)
        assert both.live.raw(0)["metadata"] == {"b": 1}
        assert both.live.metadata() == {"b": 1}
        assert both.live.raw(1)["tool"] == {"v": 1}
        both.builder.set_unnamed_part("c2", "tool", ABSENT)
        follow(both.live, everything(both.builder), both.builder)
        assert "tool" not in both.live.raw(1)
        both.check()

    def test_a_transaction_of_somebody_else_is_not_written_into(self, both: Pair) -> None:
        with both.doc.transaction():
            assert both.live.busy
            with pytest.raises(RuntimeError, match="being replaced"):
                both.live.insert(0, {"id": "a", "cell_type": "code", "source": ""})

    def test_odd_parts_of_a_file_stay_as_they_are(self) -> None:
        raw = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {},
            "cells": [
                {"id": "a", "cell_type": "code", "source": "x", "metadata": {}, "tool": {"v": 1}},
                {"id": "b", "cell_type": "heading", "source": "H", "metadata": {}},
            ],
        }
        both = Pair(NotebookBuilder(notebook_from_live(raw)))
        page = Page(both.doc)
        assert page.cells[0]["tool"] == {"v": 1}
        assert page.cells[1]["cell_type"] == "heading"
        page.type(1, 1, "!")
        both.take()
        both.check()
        assert page.cells[1]["cell_type"] == "heading"
