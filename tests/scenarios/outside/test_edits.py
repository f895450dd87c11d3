"""Another program changes the file while people edit: both changes are kept and shown."""

from __future__ import annotations

import asyncio
import copy
from typing import Any
from uuid import uuid4

import nbformat
import pytest

from .conftest import Scene

pytestmark = pytest.mark.server


def markdown(source: str) -> Any:
    return nbformat.v4.new_markdown_cell(source, id=uuid4().hex[:8])


async def stream(scene: Scene, number: int = 20, pause: float = 0.08) -> None:
    """Edits of both clients in turn: cells are added and changed."""
    for n in range(number):
        client = scene.clients[n % 2]
        if n % 4 == 3:
            await client.replace_cell_content("a", f"a = {n}")
        else:
            await client.add_cell(f"edit {n}", after_id="a")
        await asyncio.sleep(pause)


EDITS = {f"edit {n}" for n in range(20) if n % 4 != 3}


@pytest.mark.parametrize("how", ["in place", "rename"])
async def test_a_cell_appended_during_twenty_edits(scene: Scene, how: str) -> None:
    editing = asyncio.create_task(stream(scene))
    await asyncio.sleep(0.7)
    scene.edit(lambda nb: nb.cells.append(markdown("theirs, once")), how)
    await asyncio.sleep(0.5)
    scene.edit(lambda nb: nb.cells.append(markdown("theirs, twice")), how)
    await editing
    expected = EDITS | {"theirs, once", "theirs, twice", "a = 19"}
    shown = await scene.agree(lambda sources: expected <= set(sources))
    assert len(shown) == len(EDITS) + 2 + 3
    nbformat.validate(nbformat.read(scene.path, as_version=4))


async def test_what_was_read_before_our_write_and_written_after_it(scene: Scene) -> None:
    old = nbformat.read(scene.path, as_version=4)
    await scene.clients[0].add_cell("ours", after_id="c")
    await scene.agree(lambda sources: sources[-1] == "ours")
    old.cells.append(markdown("theirs"))
    nbformat.write(old, scene.path)  # it never saw the cell that we wrote meanwhile
    await scene.agree(lambda sources: set(sources[-2:]) == {"ours", "theirs"})


async def test_a_writer_that_takes_its_time(scene: Scene) -> None:
    notebook = nbformat.read(scene.path, as_version=4)
    notebook.cells.append(markdown("slowly"))
    text = nbformat.writes(notebook)
    editing = asyncio.create_task(stream(scene, 12, 0.15))
    with scene.path.open("w") as file:  # truncated now, whole in two seconds
        for at in range(0, len(text), len(text) // 8 + 1):
            file.write(text[at : at + len(text) // 8 + 1])
            file.flush()
            await asyncio.sleep(0.2)
    await editing
    expected = {"slowly", "edit 0", "edit 10", "a = 11"}
    await scene.agree(lambda sources: expected <= set(sources) and len(sources) == 13)
    assert "no notebook" not in "".join(scene.lines())


async def test_the_whole_file_put_back_to_an_earlier_state(scene: Scene) -> None:
    committed = scene.path.read_bytes()
    await scene.clients[0].add_cell("later", after_id="c")
    await scene.clients[1].replace_cell_content("a", "a = 100")
    await scene.agree(lambda sources: "later" in sources and "a = 100" in sources)
    scene.path.write_bytes(committed)  # git checkout lesson.ipynb
    before = [cell.source for cell in nbformat.reads(committed.decode(), as_version=4).cells]
    await scene.agree(lambda sources: sources == before)
    line = await scene.line("was changed by another program")
    assert line.endswith(f"{scene.path.name} was changed by another program: 2 changes")


async def test_another_notebook_in_its_place(scene: Scene) -> None:
    other = nbformat.v4.new_notebook(cells=[markdown("wholly"), markdown("different")])
    nbformat.write(other, scene.path)
    await scene.agree(lambda sources: sources == ["wholly", "different"])
    await scene.line("was changed by another program: ")
    assert await scene.clients[1].add_cell("goes on")


@pytest.mark.parametrize("ids", ["none", "new ones"])
async def test_a_program_that_does_not_keep_ids(scene: Scene, ids: str) -> None:
    """As jupytext writes a notebook from its paired script."""
    before = scene.ids()
    added = await scene.clients[0].add_cell("unsaved", after_id="a")

    def rewrite(notebook: Any) -> None:
        changed = next(cell for cell in notebook.cells if cell.source.startswith("b = "))
        changed.source = "b = 200\n" + changed.source.partition("\n")[2]
        notebook.cells.append(markdown("from the script"))
        for cell in notebook.cells:
            if ids == "none":
                del cell["id"]
            else:
                cell["id"] = uuid4().hex[:8]
        notebook.nbformat_minor = 4 if ids == "none" else 5

    scene.edit(rewrite)
    shown = await scene.agree(lambda sources: "from the script" in sources and len(sources) == 5)
    assert shown[1] == "unsaved"
    assert shown[2].startswith("b = 200")
    assert scene.ids()[:4] == [before[0], added.id, before[1], before[2]]
    await scene.line("was changed by another program: 2 changes")
    scene.edit(rewrite)  # once more, with still other ids
    await scene.agree(lambda sources: sources.count("from the script") == 2)
    assert scene.ids()[:4] == [before[0], added.id, before[1], before[2]]


async def test_both_change_the_same_line(scene: Scene) -> None:
    await scene.clients[0].replace_cell_content("a", "ours, wholly")
    scene.edit(lambda nb: nb.cells[0].update(source="THEIRS, altogether different"))
    await scene.agree(lambda sources: sources[0] == "ours, wholly")
    line = await scene.line("kept the file as a version")
    assert line.endswith("cell a was changed both in the file and here")
    kept = await scene.versions()
    found = kept["The file as another program changed it"]["cells"][0]["source"]
    assert found == "THEIRS, altogether different"


async def test_metadata_that_is_removed(scene: Scene) -> None:
    def tag(notebook: Any) -> None:
        notebook.cells[0].metadata = {"tags": ["x"], "collapsed": True}

    scene.edit(tag)
    await scene.line("was changed by another program: 2 changes")
    assert all(c.builder.cell("a").metadata["tags"] == ["x"] for c in scene.clients)

    def strip(notebook: Any) -> None:
        del notebook.cells[0].metadata["collapsed"], notebook.metadata["title"]

    scene.edit(strip)
    for client in scene.clients:
        for _ in range(600):
            if client.is_live and "collapsed" not in client.builder.cell("a").metadata:
                break
            await asyncio.sleep(0.05)
        assert client.builder.cell("a").metadata == {"tags": ["x"]}
        assert "title" not in client.builder.nb.metadata
    await scene.clients[0].add_cell("goes on", after_id="c")
    await scene.agree(lambda sources: sources[-1] == "goes on")
    held = nbformat.read(scene.path, as_version=4)
    assert held.cells[0].metadata == {"tags": ["x"]}
    assert "title" not in held.metadata
    kept = (await scene.versions())["Before another program removed metadata"]
    assert kept["metadata"]["title"] == "T"


async def test_outputs_that_are_stripped(scene: Scene) -> None:
    output = nbformat.v4.new_output("stream", name="stdout", text="out")

    def fill(notebook: Any) -> None:
        notebook.cells[0].outputs = [copy.deepcopy(output)]
        notebook.cells[0].execution_count = 3

    scene.edit(fill)
    await scene.line("was changed by another program: 1 changes")

    def strip(notebook: Any) -> None:
        notebook.cells[0].outputs = []
        notebook.cells[0].execution_count = None

    scene.edit(strip)
    await asyncio.sleep(2.5)
    await scene.clients[0].add_cell("goes on", after_id="c")
    await scene.agree(lambda sources: sources[-1] == "goes on")
    held = nbformat.read(scene.path, as_version=4)
    assert held.cells[0].outputs == []
    assert held.cells[0].execution_count is None
