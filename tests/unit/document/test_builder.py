"""The notebook after each kind of delta, told one by one."""

import json
import logging
from typing import Any
from uuid import UUID, uuid4

import nbformat
import pytest

from rtu_magics.document import NotebookBuilder, make_patch
from rtu_magics.document.notebook_file import file_content
from rtu_magics.errors import CellNotFound, PatchFailed, SquashError
from rtu_magics.models import (
    CellContentsUpdate,
    CodeCell,
    DisplayDataOutput,
    FileDeltaAdapter,
    FileDeltaBase,
    MarkdownCell,
    Notebook,
    RawCell,
    make_sql_cell,
    parse_notebook,
)

FILE_ID = uuid4()


def lesson() -> NotebookBuilder:
    return NotebookBuilder(
        Notebook(
            cells=[
                MarkdownCell(id="title", source="# Lesson"),
                CodeCell(id="load", source="x = 1\n", metadata={"tags": ["setup"]}),
                CodeCell(id="plot", source="plot(x)"),
            ]
        )
    )


def delta(kind: str, resource_id: str | None = None, **properties: Any) -> FileDeltaBase:
    delta_type, _, action = kind.partition(".")
    content = {"file_id": FILE_ID, "delta_type": delta_type, "delta_action": action}
    if resource_id is not None:
        content["resource_id"] = resource_id
    if properties:
        content["properties"] = properties
    return FileDeltaAdapter.validate_python(content)


def assert_refused(builder: NotebookBuilder, refused: FileDeltaBase, why: str) -> None:
    """Assert that a delta is refused for this reason and leaves no trace."""
    before = builder.dumps(), builder.last_applied_delta_id, set(builder.deleted_cell_ids)
    with pytest.raises(SquashError, match=why) as caught:
        builder.apply_delta(refused)
    assert "\n" not in str(caught.value)
    assert (builder.dumps(), builder.last_applied_delta_id, builder.deleted_cell_ids) == before


def new_cell(cell_id: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": cell_id, "source": "new"}


# Adding


def test_a_cell_is_added_after_another() -> None:
    builder = lesson()
    added = delta("nb_cells.add", id="new", cell=new_cell("new"), after_id="load")
    builder.apply_delta(added)
    assert builder.cell_ids == ["title", "load", "new", "plot"]
    assert builder.last_applied_delta_id == added.id


def test_without_a_neighbour_a_cell_is_added_on_top() -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.add", id="new", cell=new_cell("new")))
    assert builder.cell_ids == ["new", "title", "load", "plot"]


@pytest.mark.parametrize(("before", "at"), [("title", 0), ("plot", 2)])
def test_a_cell_is_added_before_another(before: str, at: int) -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.add", id="new", cell=new_cell("new"), before_id=before))
    assert builder.index_of("new") == at


def test_the_id_of_the_delta_wins_over_the_cells_own() -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.add", id="new", cell=new_cell("other")))
    assert builder.cell_ids[0] == "new"
    assert builder.nb.cells[0].id == "new"


def test_a_cell_is_added_to_an_empty_notebook() -> None:
    builder = NotebookBuilder(Notebook())
    builder.apply_delta(delta("nb_cells.add", id="new", cell=new_cell("new")))
    assert builder.cell_ids == ["new"]


@pytest.mark.parametrize("cell_id", ["", "with space", "ö", "x" * 65, "a\n"])
def test_an_id_that_nbformat_forbids_is_refused(cell_id: str) -> None:
    assert_refused(
        lesson(), delta("nb_cells.add", id=cell_id, cell=new_cell("x")), "cannot be a cell's id"
    )


def test_ids_are_used_once() -> None:
    builder = lesson()
    again = delta("nb_cells.add", id="load", cell=new_cell("load"))
    assert_refused(builder, again, "already in the notebook")
    builder.apply_delta(delta("nb_cells.delete", id="load"))
    assert_refused(builder, again, "its id is spent")


@pytest.mark.parametrize("neighbour", ["after_id", "before_id"])
def test_an_unknown_neighbour_is_refused(neighbour: str) -> None:
    add = delta("nb_cells.add", id="new", cell=new_cell("new"), **{neighbour: "nowhere"})
    assert_refused(lesson(), add, "'nowhere' is not in the notebook")


# Deleting and moving


def test_a_deleted_cell_is_gone_and_remembered() -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.delete", id="load"))
    assert builder.cell_ids == ["title", "plot"]
    assert builder.deleted_cell_ids == {"load"}
    with pytest.raises(CellNotFound, match="'load' was deleted"):
        builder.get_cell("load")
    assert_refused(builder, delta("nb_cells.delete", id="load"), "was deleted")


@pytest.mark.parametrize(
    ("cell_id", "after_id", "order"),
    [
        ("plot", None, ["plot", "title", "load"]),
        ("plot", "title", ["title", "plot", "load"]),
        ("title", "plot", ["load", "plot", "title"]),
        ("load", "title", ["title", "load", "plot"]),
        ("title", None, ["title", "load", "plot"]),
    ],
)
def test_a_cell_moves(cell_id: str, after_id: str | None, order: list[str]) -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.move", id=cell_id, after_id=after_id))
    assert builder.cell_ids == order


def test_a_move_that_would_lose_the_cell_is_refused() -> None:
    assert_refused(lesson(), delta("nb_cells.move", id="load", after_id="load"), "after itself")
    assert_refused(lesson(), delta("nb_cells.move", id="load", after_id="x"), "'x' is not in")
    assert_refused(lesson(), delta("nb_cells.move", id="x", after_id="load"), "'x' is not in")


# Contents


def test_contents_are_patched_and_replaced() -> None:
    builder = lesson()
    builder.apply_delta(
        delta("cell_contents.update", "load", patch=make_patch("x = 1\n", "x = 2\n"))
    )
    assert builder.cell("load").source == "x = 2\n"
    builder.apply_delta(delta("cell_contents.replace", "load", source="y"))
    assert builder.cell("load").source == "y"


def test_a_patch_that_does_not_fit_is_refused_with_its_hunk() -> None:
    builder = lesson()
    patch = make_patch("something else altogether", "something new altogether")
    with pytest.raises(PatchFailed) as caught:
        builder.apply_delta(delta("cell_contents.update", "load", patch=patch))
    assert caught.value.hunk == 1
    assert builder.last_applied_delta_id is None


def test_contents_of_a_cell_that_has_gone_are_refused() -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.delete", id="load"))
    assert_refused(builder, delta("cell_contents.replace", "load", source="y"), "was deleted")
    assert_refused(builder, delta("cell_contents.update", "load", patch=""), "was deleted")


# Metadata


def test_metadata_are_set_along_a_path_that_is_made_where_missing() -> None:
    builder = lesson()
    builder.apply_delta(delta("cell_metadata.update", "load", path=["a", "b"], value={"c": 1}))
    builder.apply_delta(delta("cell_metadata.update", "load", path=["a", "d"], value=None))
    assert builder.cell("load").metadata == {
        "tags": ["setup"],
        "a": {"b": {"c": 1}, "d": None},
    }
    builder.apply_delta(delta("nb_metadata.update", path=["kernelspec", "name"], value="ir"))
    assert builder.nb.metadata == {"kernelspec": {"name": "ir"}}


def test_the_path_that_older_clients_write_is_taken_as_it_is() -> None:
    builder = lesson()
    builder.apply_delta(
        delta("cell_metadata.update", "load", path=["metadata", "noteable", "x"], value=1)
    )
    assert builder.cell("load").metadata["metadata"] == {"noteable": {"x": 1}}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ([], "one key or more"),
        ([1], "all of them strings"),
        (["tags", "x"], "through 'tags', which is no object"),
        (["new", "newer", None], "all of them strings"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: list[Any], why: str) -> None:
    assert_refused(lesson(), delta("cell_metadata.update", "load", path=path, value=1), why)


def test_metadata_never_get_too_deep_to_be_read_again() -> None:
    builder = lesson()
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"a": deep}
    builder.apply_delta(delta("nb_metadata.update", path=["ok"], value=deep))
    assert_refused(builder, delta("nb_metadata.update", path=["a"] * 60, value=deep), "levels deep")
    assert_refused(builder, delta("nb_metadata.update", path=["a"] * 200, value={}), "levels deep")


def test_an_unexpected_prior_value_is_only_noted(caplog: pytest.LogCaptureFixture) -> None:
    builder = lesson()
    update = delta("cell_metadata.update", "load", path=["tags"], value=[], prior_value=["secret"])
    with caplog.at_level(logging.INFO, "rtu_magics"):
        builder.apply_delta(update)
    assert builder.cell("load").metadata["tags"] == []
    assert "not what the delta's author saw" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "late",
    [
        delta("cell_metadata.update", "load", path=["a"], value=1),
        delta("cell_metadata.replace", "load", type="raw"),
        delta("cell_output_collection.replace", "load", output_collection_id=uuid4()),
    ],
)
def test_what_comes_late_for_a_deleted_cell_is_ignored_but_kept_out_of_new_chains(
    late: FileDeltaBase, caplog: pytest.LogCaptureFixture
) -> None:
    builder = lesson()
    assert_refused(NotebookBuilder(Notebook()), late, "'load' is not in the notebook")
    builder.apply_delta(delta("nb_cells.delete", id="load"))
    before = builder.dumps()
    with pytest.raises(SquashError, match="'load' was deleted"):
        builder.apply_delta(late, strict=True)
    with caplog.at_level(logging.INFO, "rtu_magics"):
        builder.apply_delta(late)
    assert "ignored" in caplog.text
    assert builder.dumps() == before
    assert builder.last_applied_delta_id == late.id


# Types, outputs, execution


def test_a_changed_type_makes_a_new_cell_of_that_type() -> None:
    builder = lesson()
    builder.apply_delta(delta("cell_metadata.replace", "load", type="markdown"))
    changed = builder.cell("load")
    assert isinstance(changed, MarkdownCell)
    assert (changed.source, changed.metadata) == ("x = 1\n", {"tags": ["setup"]})
    assert "outputs" not in json.loads(builder.dumps())["cells"][1]
    builder.apply_delta(delta("cell_metadata.replace", "load", type="code"))
    assert builder.cell("load") == CodeCell(
        id="load", source="x = 1\n", metadata={"tags": ["setup"]}
    )


def test_pictures_stay_when_markdown_becomes_raw() -> None:
    picture = {"a.png": {"image/png": "iVBORw0KGgo="}}
    builder = NotebookBuilder(Notebook(cells=[MarkdownCell(id="a", attachments=picture)]))
    builder.apply_delta(delta("cell_metadata.replace", "a", type="raw"))
    assert builder.cell("a") == RawCell(id="a", attachments=picture)
    builder.apply_delta(delta("cell_metadata.replace", "a", type="code"))
    assert isinstance(builder.cell("a"), CodeCell)
    assert builder.cell("a").attachments is None
    builder.apply_delta(delta("cell_metadata.replace", "a", type="markdown"))
    assert builder.cell("a") == MarkdownCell(id="a", attachments=picture)


def test_outputs_and_count_come_back_when_a_cell_is_code_again() -> None:
    outputs = [DisplayDataOutput(data={"image/png": "iVBORw0KGgo="}, metadata={"a": 1})]
    cell = CodeCell(
        id="a", source="plot()", outputs=outputs, execution_count=7, attachments=None, deepnote="x"
    )
    builder = NotebookBuilder(Notebook(cells=[cell]))
    for cell_type in ("markdown", "raw"):
        builder.apply_delta(delta("cell_metadata.replace", "a", type=cell_type))
        assert "outputs" not in file_content(builder.nb)["cells"][0]
    again = NotebookBuilder(parse_notebook(builder.dumps()))  # as a version keeps it
    again.apply_delta(delta("cell_metadata.replace", "a", type="code"))
    assert again.cell("a") == cell


def test_the_same_type_again_leaves_outputs_alone() -> None:
    cell = CodeCell(id="a", execution_count=3)
    builder = NotebookBuilder(Notebook(cells=[cell]))
    builder.apply_delta(delta("cell_metadata.replace", "a", type="code", language="python"))
    assert builder.cell("a").metadata == {"noteable": {"cell_type": "python"}}
    assert json.loads(builder.dumps())["cells"][0]["execution_count"] == 3


def test_sql_is_code_with_a_language() -> None:
    builder = lesson()
    builder.apply_delta(delta("cell_metadata.replace", "load", type="code", language="sql"))
    changed = builder.cell("load")
    assert isinstance(changed, CodeCell)
    assert changed.is_sql_cell
    assert_refused(builder, delta("cell_metadata.replace", "load", type="sql"), "no cell type")
    sql = make_sql_cell("q", "select 1")
    builder.apply_delta(delta("nb_cells.add", id="q", cell=sql.model_dump()))
    assert builder.cell("q") == sql


def test_each_run_gives_a_new_output_collection() -> None:
    builder = lesson()
    for collection in (uuid4(), uuid4()):
        builder.apply_delta(
            delta("cell_output_collection.replace", "plot", output_collection_id=collection)
        )
        cell = builder.cell("plot")
        assert isinstance(cell, CodeCell)
        assert cell.output_collection_id == str(collection)


def test_metadata_that_another_program_put_in_our_place_are_not_overwritten() -> None:
    builder = NotebookBuilder(Notebook(cells=[CodeCell(id="a", metadata={"noteable": 3})]))
    replace = delta("cell_output_collection.replace", "a", output_collection_id=uuid4())
    assert_refused(builder, replace, "'noteable' of cell 'a' is no object")


def test_executions_change_nothing_but_the_head() -> None:
    builder = lesson()
    before = builder.dumps()
    for action in ("execute", "execute_before", "execute_after"):
        run = delta(f"cell_execute.{action}", "load")
        builder.apply_delta(run)
        assert builder.last_applied_delta_id == run.id
        assert_refused(builder, delta(f"cell_execute.{action}", "x"), "'x' is not in the notebook")
    builder.apply_delta(delta("cell_execute.execute_all"))
    assert builder.dumps() == before


# The builder itself


def test_only_the_thirteen_kinds_are_deltas() -> None:
    assert_refused(
        lesson(), FileDeltaBase(file_id=FILE_ID, delta_type="x", delta_action="y"), "thirteen"
    )


def test_a_subclass_of_a_delta_is_that_delta() -> None:
    class Traced(CellContentsUpdate):
        trace: str = ""

    builder = lesson()
    patch = make_patch("plot(x)", "plot(y)")
    builder.apply_delta(Traced(file_id=FILE_ID, resource_id="plot", properties={"patch": patch}))
    assert builder.cell("plot").source == "plot(y)"


def test_it_wants_a_notebook() -> None:
    with pytest.raises(TypeError, match="from_nbformat"):
        NotebookBuilder({"cells": []})  # type: ignore[arg-type]


def test_it_reads_what_nbformat_reads() -> None:
    node = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1 + 1", id="a"), nbformat.v4.new_markdown_cell("# t")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    builder = NotebookBuilder.from_nbformat(node)
    assert builder.cell("a").source == "1 + 1"
    assert type(builder.nb.metadata["kernelspec"]) is dict
    assert json.loads(builder.dumps()) == node


def test_cells_that_share_an_id_are_all_kept(caplog: pytest.LogCaptureFixture) -> None:
    twins = Notebook(cells=[CodeCell(id="a", source="1"), CodeCell(id="a", source="2")])
    builder = NotebookBuilder(twins)
    assert "share the id a" in caplog.text
    assert [cell.source for cell in builder.cells] == ["1", "2"]
    builder.apply_delta(delta("cell_contents.replace", "a", source="first"))
    assert builder.get_cell("a") == (0, CodeCell(id="a", source="first"))
    builder.apply_delta(delta("nb_cells.delete", id="a"))
    assert builder.get_cell("a") == (0, CodeCell(id="a", source="2"))
    builder.apply_delta(delta("nb_cells.delete", id="a"))
    assert builder.cell_ids == []
    assert builder.deleted_cell_ids == {"a"}


def test_it_says_what_it_holds() -> None:
    builder = lesson()
    assert len(builder) == 3
    assert "load" in builder
    assert "x" not in builder
    assert builder.index_of("plot") == 2
    with pytest.raises(CellNotFound, match="'x' is not in the notebook; list the cells"):
        builder.index_of("x")


def test_a_list_of_cells_that_somebody_holds_stays_as_it_was() -> None:
    builder = lesson()
    held = builder.nb.cells
    builder.apply_delta(delta("nb_cells.delete", id="load"))
    assert [cell.id for cell in held] == ["title", "load", "plot"]


def test_a_copy_goes_its_own_way() -> None:
    builder = lesson()
    builder.apply_delta(delta("nb_cells.delete", id="load"))
    copy = builder.copy()
    assert copy.last_applied_delta_id == builder.last_applied_delta_id
    assert copy.deleted_cell_ids == {"load"}
    copy.apply_delta(delta("cell_contents.replace", "plot", source="mine"))
    copy.apply_delta(delta("cell_metadata.update", "plot", path=["a"], value=1))
    copy.deleted_cell_ids.add("x")
    assert builder.cell("plot") == CodeCell(id="plot", source="plot(x)")
    assert builder.deleted_cell_ids == {"load"}


def test_values_from_python_go_in_as_they_would_over_the_wire() -> None:
    builder = lesson()
    value = {"id": UUID(int=1), "pair": (1, 2)}
    builder.apply_delta(delta("nb_metadata.update", path=["a"], value=value))
    assert builder.nb.metadata["a"] == {"id": str(UUID(int=1)), "pair": [1, 2]}
    assert_refused(
        builder, delta("nb_metadata.update", path=["a"], value=object()), "cannot be stored"
    )
