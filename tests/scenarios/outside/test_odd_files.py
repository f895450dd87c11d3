"""What nobody here understands in a notebook's file goes through the server as it is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import nbformat
import pytest

from rtu_magics.client import APIClient

from ...helpers.server import RunningServer
from ...unit.document.test_notebook_file import NOTEBOOKS, ONLY_OURS, as_jupyter, book, code, nested
from .conftest import Scene

pytestmark = pytest.mark.server

PICTURE = {"pasted.png": {"image/png": "iVBORw0KGgo="}}


async def opened(server: RunningServer, api: APIClient, content: str) -> Scene:
    path = server.root / f"odd{uuid4().hex[:8]}.ipynb"
    path.write_text(content)
    scene = Scene(server, path, api)
    await scene.connect(1)
    return scene


async def edited_and_saved(scene: Scene) -> dict[str, Any]:
    """Add a cell at the end and save; returns the file without that cell."""
    [client] = scene.clients
    ids = scene.ids()
    await client.add_cell("ours", **({"after_id": ids[-1]} if ids else {}))
    await scene.api.save_file(scene.file_id)
    written: dict[str, Any] = json.loads(scene.path.read_text())
    assert "".join(written["cells"].pop()["source"]) == "ours"
    return written


async def until(check: Callable[[], Any]) -> Any:
    for _ in range(900):
        try:
            found = check()
        except (OSError, ValueError):  # being written
            found = None
        if found:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(check())


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if name != "line ends"])
async def test_only_what_was_edited_differs(shared_server: RunningServer, name: str) -> None:
    text = json.dumps(NOTEBOOKS[name])
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        scene = await opened(shared_server, api, text)
        written = await edited_and_saved(scene)
        await scene.clients[0].shutdown()
    assert json.dumps(written) == json.dumps(json.loads(as_jupyter(text)))


@pytest.mark.parametrize("name", ONLY_OURS)
async def test_what_jupyter_cannot_write_stays_too(shared_server: RunningServer, name: str) -> None:
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        scene = await opened(shared_server, api, json.dumps(ONLY_OURS[name]))
        written = await edited_and_saved(scene)
        await scene.clients[0].shutdown()
    for was, now in zip(ONLY_OURS[name]["cells"], written["cells"], strict=True):
        assert was.keys() == now.keys()
        assert {**now, "source": 0, "outputs": 0} == {**was, "source": 0, "outputs": 0}


async def test_a_restored_version_has_it_again(shared_server: RunningServer) -> None:
    odd = book(code(deepnote=1, metadata={"deep": nested(200)}, attachments=PICTURE), orbit=[])
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        scene = await opened(shared_server, api, json.dumps(odd))
        await scene.clients[0].delete_cell("a")
        await scene.api.save_file(scene.file_id)
        assert json.loads(scene.path.read_text())["cells"] == []
        first = (await api.get_file_versions(scene.file_id))[-1]
        await api.restore_version(scene.file_id, first.id)
        await scene.api.save_file(scene.file_id)
        assert scene.path.read_bytes() == as_jupyter(json.dumps(odd))
        await scene.clients[0].shutdown()


async def test_an_upload_keeps_it(shared_server: RunningServer) -> None:
    text = json.dumps(NOTEBOOKS["unknown keys"] | {"metadata": {"nan": float("nan")}})
    path = f"up{uuid4().hex[:8]}.ipynb"
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        scene = await opened(shared_server, api, json.dumps(book()))
        project = (await api.get_file(scene.file_id)).project_id
        await api._upload(project, path, text.encode(), "notebook")
        await scene.clients[0].shutdown()
    assert (shared_server.root / path).read_bytes() == as_jupyter(text)


async def test_a_picture_pasted_into_a_cell_by_another_program(scene: Scene) -> None:
    def paste(notebook: Any) -> None:
        notebook.cells[0] = nbformat.v4.new_markdown_cell("![](attachment:pasted.png)", id="a")
        notebook.cells[0].attachments = PICTURE
        notebook.cells[1].deepnote_to_be_reexecuted = True
        notebook.orbit = "x"

    await scene.clients[0].add_cell("ours, not yet on disk", after_id="c")
    scene.edit(paste)
    for client in scene.clients:
        await until(lambda c=client: c.is_live and c.builder.cell("a").attachments == PICTURE)
    await scene.clients[1].add_cell("goes on", after_id="c")
    await scene.agree(lambda sources: "goes on" in sources and len(sources) == 5)
    written = json.loads(scene.path.read_text())
    assert written["cells"][0]["attachments"] == PICTURE
    assert written["cells"][1]["deepnote_to_be_reexecuted"] is True
    assert written["orbit"] == "x"
    assert any("another program changed attachments" in name for name in await scene.versions())
    scene.edit(lambda nb: nb.cells[0].attachments.update({"b.png": PICTURE["pasted.png"]}))
    scene.edit(lambda nb: nb.cells[1].pop("deepnote_to_be_reexecuted"))
    for client in scene.clients:
        await until(lambda c=client: c.is_live and len(c.builder.cell("a").attachments or ()) == 2)
    await scene.clients[0].replace_cell_content("c", "edited")
    await scene.agree(lambda sources: "edited" in sources)
    written = json.loads(scene.path.read_text())
    assert set(written["cells"][0]["attachments"]) == {"pasted.png", "b.png"}
    assert "deepnote_to_be_reexecuted" not in written["cells"][1]


async def test_odd_outputs_of_another_program(scene: Scene) -> None:
    odd = [
        {"output_type": "error", "ename": "E", "evalue": 3, "traceback": "one string"},
        {"output_type": "display_data", "data": {"application/json": nested(150)}, "metadata": {}},
        {"output_type": "pyout", "text": ["x"]},
        {"output_type": "stream", "name": "stdout", "text": ["a\n"], "vendor": 1},
    ]
    content = json.loads(scene.path.read_text())
    content["cells"][1] |= {"outputs": odd, "execution_count": 9}
    temporary = scene.path.with_suffix(".saving")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, scene.path)
    await until(lambda: scene.clients[0].builder.cell("b").output_collection_id)
    await scene.clients[0].add_cell("goes on", after_id="c")
    await scene.agree(lambda sources: "goes on" in sources)
    written = json.loads(scene.path.read_text())["cells"][1]
    odd[2]["text"] = "x"
    assert (written["outputs"], written["execution_count"]) == (odd, 9)


async def test_a_new_cell_too_large_for_one_change(scene: Scene) -> None:
    big = "A" * 2_000_000

    def add(notebook: Any) -> None:
        picture = nbformat.v4.new_markdown_cell("![](attachment:pasted.png)", id="pic")
        picture.attachments = {"pasted.png": {"image/png": big}}
        plot = nbformat.v4.new_code_cell("plot()", id="plot", execution_count=2)
        plot.outputs = [nbformat.v4.new_output("display_data", {"image/png": big})]
        notebook.cells += [picture, plot]

    scene.edit(add)
    await until(lambda: all(c.is_live and "plot" in c.cell_ids for c in scene.clients))
    await until(lambda: all(c.is_live and c.builder.cell("pic").attachments for c in scene.clients))
    await scene.clients[0].add_cell("goes on", after_id="c")
    await scene.agree(lambda sources: "goes on" in sources and len(sources) == 6)
    pic, plot = json.loads(scene.path.read_text())["cells"][-2:]
    assert pic["attachments"]["pasted.png"]["image/png"] == big
    assert plot["outputs"][0]["data"]["image/png"] == big
    assert plot["execution_count"] == 2
