"""The methods that edit a notebook."""

import asyncio

import pytest

from rtu_magics.document import make_patch
from rtu_magics.errors import CellNotFound, DeltaRejected
from rtu_magics.models import CellMetadataReplace, CellMetadataUpdate, CodeCell, MarkdownCell


async def test_add_at_the_end_by_default(world):
    client = await world.ready()
    cell = await client.add_cell("new")
    assert client.cell_ids == ["a", "b", cell.id]
    assert cell.source == "new"
    assert cell is client.builder.cell(cell.id)


async def test_add_to_an_empty_notebook(make_world):
    world = make_world(CodeCell(id="a"))
    world.server.seed.cells.clear()
    world.server.builder = type(world.server.builder)(world.server.seed)
    client = await world.ready()
    cell = await client.add_cell("first")
    assert client.cell_ids == [cell.id]


@pytest.mark.parametrize(
    ("where", "order"),
    [
        ({"before_id": "a"}, ["new", "a", "b"]),
        ({"before_id": "b"}, ["a", "new", "b"]),
        ({"after_id": "a"}, ["a", "new", "b"]),
        ({"after_id": "b"}, ["a", "b", "new"]),
    ],
)
async def test_add_before_or_after_another(world, where, order):
    client = await world.ready()
    await client.add_cell(cell=MarkdownCell(id="new", source="# x"), **where)
    assert client.cell_ids == order
    assert world.server.builder.cell_ids == order
    assert world.server.chain[-1].properties.before_id is None  # other clients drop it


async def test_add_takes_a_copy(world):
    client = await world.ready()
    mine = CodeCell(id="mine", metadata={"tags": ["x"]})
    cell = await client.add_cell(cell=mine)
    mine.metadata["tags"].append("later")
    assert cell is not mine
    assert client.builder.cell("mine").metadata == {"tags": ["x"]}


async def test_what_cannot_be_added(world):
    client = await world.ready()
    with pytest.raises(ValueError, match="not both"):
        await client.add_cell("x", before_id="a", after_id="a")
    with pytest.raises(CellNotFound):
        await client.add_cell("x", after_id="nope")
    with pytest.raises(CellNotFound):
        await client.add_cell("x", before_id="nope")
    with pytest.raises(DeltaRejected, match="already in the notebook"):
        await client.add_cell(cell=CodeCell(id="a"))


async def test_delete(world):
    client = await world.ready()
    delta = await client.delete_cell("a")
    assert delta.properties.id == "a"
    assert client.cell_ids == ["b"]
    with pytest.raises(CellNotFound):
        await client.delete_cell("a")


async def test_patch_and_replace(world):
    client = await world.ready()
    cell = await client.update_cell_content("a", make_patch("1 + 1", "1 + 2"))
    assert cell.source == "1 + 2"
    cell = await client.replace_cell_content("a", "x 🐢")
    assert cell.source == "x 🐢"
    assert world.server.builder.cell("a").source == "x 🐢"
    with pytest.raises(CellNotFound):
        await client.update_cell_content("nope", "")
    with pytest.raises(CellNotFound):
        await client.replace_cell_content("nope", "")


async def test_a_patch_that_does_not_apply_is_rejected(world):
    client = await world.ready()
    patch = make_patch("something else entirely " * 5, "something else altogether " * 5)
    with pytest.raises(DeltaRejected, match="hunk"):
        await client.update_cell_content("a", patch)
    assert client.builder.cell("a").source == "1 + 1"
    await client.replace_cell_content("a", "still works")


async def test_change_to_markdown_and_back(world):
    client = await world.ready()
    cell = await client.change_cell_type("a", "markdown")
    assert isinstance(cell, MarkdownCell)
    assert cell.source == "1 + 1"
    cell = await client.change_cell_type("a", "code", code_language="r")
    assert isinstance(cell, CodeCell)
    assert cell.metadata["noteable"]["cell_type"] == "r"


async def test_change_to_sql_keeps_the_output_collection(world):
    client = await world.ready()
    from rtu_magics.models import CellOutputCollectionReplace

    await world.server.edit(
        CellOutputCollectionReplace(
            file_id=client.file_id,
            resource_id="a",
            properties={"output_collection_id": client.file_id},
        )
    )
    cell = await client.change_cell_type("a", "sql", db_connection="@db")
    assert cell.is_sql_cell
    noteable = cell.metadata["noteable"]
    assert noteable["db_connection"] == "@db"
    assert noteable["assign_results_to"].startswith("df_")
    assert len(noteable["assign_results_to"]) == 7
    assert noteable["output_collection_id"] == str(client.file_id)
    assert "metadata" not in cell.metadata  # the original's misplaced path
    paths = [d.properties.path for d in world.server.chain if isinstance(d, CellMetadataUpdate)]
    assert paths == [["noteable", "db_connection"], ["noteable", "assign_results_to"]]
    cell = await client.change_cell_type("a", "sql", assign_results_to="mine")
    assert cell.metadata["noteable"]["assign_results_to"] == "mine"


async def test_what_no_type_can_be(world):
    client = await world.ready()
    with pytest.raises(ValueError, match="use code, markdown or sql"):
        await client.change_cell_type("a", "poem")
    with pytest.raises(CellNotFound):
        await client.change_cell_type("nope", "code")
    assert not [d for d in world.server.chain if isinstance(d, CellMetadataReplace)]


@pytest.mark.parametrize(
    ("cell_id", "where", "order"),
    [
        ("b", {}, ["b", "a", "c"]),
        ("a", {"after_id": "b"}, ["b", "a", "c"]),
        ("a", {"before_id": "c"}, ["b", "a", "c"]),
        ("c", {"before_id": "a"}, ["c", "a", "b"]),
        ("a", {"after_id": "c"}, ["b", "c", "a"]),
    ],
)
async def test_move(make_world, cell_id, where, order):
    world = make_world(CodeCell(id="a"), CodeCell(id="b"), CodeCell(id="c"))
    client = await world.ready()
    await client.move_cell(cell_id, **where)
    assert client.cell_ids == order
    assert world.server.builder.cell_ids == order


async def test_what_cannot_be_moved(world):
    client = await world.ready()
    with pytest.raises(ValueError, match="not both"):
        await client.move_cell("a", "b", "b")
    with pytest.raises(ValueError, match="itself"):
        await client.move_cell("a", "a")
    with pytest.raises(CellNotFound):
        await client.move_cell("nope")
    with pytest.raises(CellNotFound):
        await client.move_cell("a", after_id="nope")
    with pytest.raises(CellNotFound):
        await client.move_cell("a", before_id="nope")


async def test_two_clients_see_each_others_edits(world, until):
    one, other = await world.ready(), await world.ready()
    await asyncio.gather(*(one.add_cell(f"one {i}") for i in range(10)))
    await asyncio.gather(*(other.add_cell(f"other {i}", after_id="a") for i in range(10)))
    await until(lambda: len(one.cell_ids) == len(other.cell_ids) == 22)
    assert one.cell_ids == other.cell_ids == world.server.builder.cell_ids
