"""The notebook's file: written when the room changes, read when somebody else changes it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import pytest

from ...helpers.rtu import call, current_notebook, follow, get, open_notebook, post
from ...helpers.server import start_server

pytestmark = pytest.mark.server


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def sources(notebook: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def change(path: Path, edit: Any) -> None:
    """Change a notebook as another program does: read, edit, write."""
    notebook = load(path)
    edit(notebook)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(notebook, indent=1))
    os.replace(temporary, path)


async def eventually(check: Any, seconds: float = 60.0) -> Any:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            found = check()
            if asyncio.iscoroutine(found):
                found = await found
            assert found
            return found
        except (AssertionError, ValueError, KeyError, IndexError, OSError):
            if loop.time() > end:
                raise
            await asyncio.sleep(0.05)


@pytest.fixture
def path(shared_server, write_notebook):
    name = f"d{uuid4().hex[:8]}.ipynb"
    return write_notebook(shared_server.root / name, "x = 1", "y = 2")


async def save(server, file_id):
    return await post(server, f"/v1/files/{file_id}/save")


async def test_an_untouched_notebook_is_never_written(shared_server, path):
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.execute("c1")  # queued; changes nothing in the notebook
        await client.wait_for("bulk_cell_state_update_event")
        await save(shared_server, file_id)
        await asyncio.sleep(1.2)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before


async def test_changes_reach_the_disk_by_themselves(shared_server, path):
    path.chmod(0o640)
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.add("new", "z = 3", after_id="c2")
        await eventually(lambda: sources(load(path)) == ["x = 1", "y = 2", "z = 3"])
    assert path.stat().st_mode & 0o777 == 0o640
    nbformat.validate(nbformat.read(path, as_version=4))
    assert not [p for p in path.parent.iterdir() if p.name.endswith(".tmp")]


@pytest.mark.kernel
@pytest.mark.parametrize("levels", [90, 120, 196, 255, 300, 600])
async def test_a_deep_output_costs_nothing_but_itself(shared_server, path, levels):
    file_id = await open_notebook(shared_server, path.name)
    source = (
        f"value = 1\nfor _ in range({levels}):\n    value = [value]\n"
        "from IPython.display import display\nprint('before')\n"
        "shown = {'application/json': value, 'text/plain': 'deep'}\n"
        "h = display({'text/plain': '-'}, raw=True, display_id=True)\n"
        "display(shown, metadata={'m': value}, raw=True)\n"
        "h.update(shown, raw=True)\nprint('after')"
    )
    async with follow(shared_server, file_id) as client:
        await client.change("cell_contents", "replace", {"source": source}, "c1")
        await post(shared_server, "/v1/sessions", {"file_id": file_id})
        await client.execute("c1")
        await client.finished("c1")
        await save(shared_server, file_id)
    outputs = load(path)["cells"][0]["outputs"]
    assert len(outputs) == 4, outputs
    first, updated, shown, last = outputs
    assert (first["text"], last["text"]) == (["before\n"], ["after\n"])
    for output in (shown, updated):
        text = "".join(output["data"]["text/plain"])
        assert text.startswith("deep")
        assert ("application/json" in output["data"]) == (levels < 100)
        assert ("nested more than 100 levels deep" in text) == (levels >= 100)
    nbformat.read(path, as_version=4)
    file = path.with_name(f"again{levels}.ipynb")
    file.write_bytes(path.read_bytes())
    assert await open_notebook(shared_server, file.name)  # it can be opened again


@pytest.mark.kernel
async def test_outputs_are_on_disk_without_our_bookkeeping(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.change("cell_contents", "replace", {"source": "print('hello')\n6 * 7"}, "c1")
        await post(shared_server, "/v1/sessions", {"file_id": file_id})
        await client.execute("c1")
        await client.finished("c1")
        saved = await save(shared_server, file_id)
        assert saved["path"] == path.name
    on_disk = load(path)
    cell = on_disk["cells"][0]
    assert cell["outputs"] == [
        {"name": "stdout", "output_type": "stream", "text": ["hello\n"]},
        {
            "data": {"text/plain": ["42"]},
            "execution_count": 1,
            "metadata": {},
            "output_type": "execute_result",
        },
    ]
    assert cell["execution_count"] == 1
    assert cell["metadata"] == {}
    nbformat.validate(nbformat.read(path, as_version=4))
    held = await current_notebook(shared_server, file_id)
    assert held["cells"][0]["outputs"] == []  # versions hold what the deltas yield
    assert held["cells"][0]["metadata"]["noteable"]["output_collection_id"]


async def test_a_cell_appended_by_another_program_during_edits(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    appended = {"cell_type": "markdown", "id": "theirs", "metadata": {}, "source": "# theirs"}
    async with follow(shared_server, file_id) as one, follow(shared_server, file_id) as two:
        for number in range(20):
            await one.add(f"n{number}", f"n = {number}", after_id="c2")
            if number == 10:
                change(path, lambda nb: nb["cells"].append(appended))
        for client in (one, two):
            client.at = 0
            await client.wait_for(
                "new_delta_event",
                lambda m: (m["data"]["properties"] or {}).get("id") == "theirs",
            )
        await eventually(
            lambda: (
                {"theirs", *(f"n{i}" for i in range(20))} <= {c["id"] for c in load(path)["cells"]}
            )
        )
    held = await current_notebook(shared_server, file_id)
    assert {c["id"] for c in held["cells"]} == {c["id"] for c in load(path)["cells"]}
    assert len(held["cells"]) == 23


async def test_all_kinds_of_outside_change(shared_server, write_notebook):
    name = f"k{uuid4().hex[:8]}.ipynb"
    path = write_notebook(shared_server.root / name, "a\n\n\n1", "b", "c", "d")
    file_id = await open_notebook(shared_server, name)
    async with follow(shared_server, file_id) as client:
        # The room changes the first line, the file the last one, of the same cell.
        await client.change("cell_contents", "replace", {"source": "A\n\n\n1"}, "c1")

        def edit(notebook: dict[str, Any]) -> None:
            cells = notebook["cells"]
            cells[0]["source"] = "a\n\n\n2"
            del cells[1]
            cells.insert(0, cells.pop())  # d to the top
            cells[2]["metadata"]["tags"] = ["x"]
            cells[2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "out"}]
            cells[2]["execution_count"] = 7
            notebook["metadata"]["title"] = "T"

        change(path, edit)
        await eventually(lambda: sources(load(path)) == ["d", "A\n\n\n2", "c"])
        held = await current_notebook(shared_server, file_id)
        assert sources(held) == ["d", "A\n\n\n2", "c"]
        assert held["cells"][2]["metadata"]["tags"] == ["x"]
        assert held["metadata"]["title"] == "T"
        collection_id = held["cells"][2]["metadata"]["noteable"]["output_collection_id"]
        collection = await get(shared_server, f"/outputs/collection/{collection_id}")
        assert collection["outputs"][0]["content"]["raw"] == "out"
        assert collection["execution_count"] == 7
    on_disk = load(path)
    assert on_disk["cells"][2]["outputs"][0]["text"] == ["out"]
    assert on_disk["cells"][2]["execution_count"] == 7


async def test_conflicting_edits_keep_both(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.change("cell_contents", "replace", {"source": "here entirely"}, "c1")
        change(path, lambda nb: nb["cells"][0].update(source="THEIRS, wholly different"))
        await eventually(lambda: sources(load(path))[0] == "here entirely")
        versions = await get(shared_server, f"/files/{file_id}/versions")
        kept = next(v for v in versions if v["name"] and "another program" in v["name"])
        response = await call(shared_server, "GET", kept["content_presigned_url"])
        assert sources(response.json())[0] == "THEIRS, wholly different"
        event = await client.add("still", "works")
        assert event


async def test_an_outside_change_that_is_noticed_without_our_writing(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        change(path, lambda nb: nb["cells"][0].update(source="x = 5"))
        event = await client.wait_for("new_delta_event")
        assert event["data"]["properties"] == {"source": "x = 5"}
        written = path.stat().st_mtime_ns
        await asyncio.sleep(1.5)
        assert path.stat().st_mtime_ns == written  # nothing to add, so nothing is written


async def test_a_file_that_is_no_notebook_any_more(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.add("mine", "precious", after_id="c2")
        path.write_text("<<<<<<< conflict")
        message = await client.wait_for("inconsistent_state_event")
        assert "no notebook any more" in message["data"]["message"]
        await asyncio.sleep(1.0)
        assert path.read_text() == "<<<<<<< conflict"
    async with follow(shared_server, file_id) as client:
        held = await current_notebook(shared_server, file_id)
        assert sources(held)[-1] == "precious"
        await save(shared_server, file_id)
        assert sources(load(path))[-1] == "precious"
        kept = list(path.parent.glob(f"{path.name}.*.bak"))
        assert kept[0].read_text() == "<<<<<<< conflict"


async def test_a_file_that_is_deleted(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        path.unlink()
        message = await client.wait_for("inconsistent_state_event")
        assert "deleted" in message["data"]["message"]
    await asyncio.sleep(1.2)
    assert not path.exists()
    async with follow(shared_server, file_id) as client:
        await client.add("more", "goes on")
        await eventually(lambda: "goes on" in sources(load(path)))


async def test_a_file_that_moves(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.add("unique", path.name)
        await save(shared_server, file_id)
        target = path.parent / "elsewhere" / f"moved-{path.name}"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)

        async def known() -> bool:
            file = await get(shared_server, f"/v1/files/{file_id}")
            return file["path"] == f"elsewhere/moved-{path.name}"

        await eventually(known)
        await client.add("after", "moved")
        await eventually(lambda: "moved" in sources(load(target)))
        assert not path.exists()
    assert await open_notebook(shared_server, f"elsewhere/moved-{path.name}") == file_id


async def test_a_notebook_without_ids_keeps_those_it_was_given(shared_server, path):
    def strip(notebook: dict[str, Any]) -> None:
        notebook["nbformat_minor"] = 4
        for cell in notebook["cells"]:
            cell.pop("id", None)

    change(path, strip)
    file_id = await open_notebook(shared_server, path.name)
    held = await current_notebook(shared_server, file_id)
    ids = [cell["id"] for cell in held["cells"]]
    async with follow(shared_server, file_id) as client:

        def edit(notebook: dict[str, Any]) -> None:
            strip(notebook)
            notebook["cells"][0]["source"] = "x = 100"
            notebook["cells"].append(
                {"cell_type": "code", "metadata": {}, "source": "new", "outputs": []}
            )

        change(path, edit)
        await client.wait_for("new_delta_event", lambda m: m["data"]["delta_action"] == "add")
    held = await current_notebook(shared_server, file_id)
    assert [cell["id"] for cell in held["cells"]][:2] == ids
    assert sources(held) == ["x = 100", "y = 2", "new"]


async def test_changes_while_no_server_ran(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "n.ipynb", "x = 1", "y = 2")
    server = start_server(tmp_path)
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        await client.add("unsaved", "u = 0", after_id="c2")
        server.kill()  # acknowledged, but not yet on disk
    assert len(load(path)["cells"]) == 2
    change(path, lambda nb: nb["cells"][0].update(source="x = 9"))
    server = start_server(tmp_path)
    try:
        async with follow(server, file_id):
            await eventually(lambda: sources(load(path)) == ["x = 9", "y = 2", "u = 0"])
        held = await current_notebook(server, file_id)
        assert sources(held) == ["x = 9", "y = 2", "u = 0"]
    finally:
        server.stop()


async def test_a_deleted_cell_that_comes_back_by_another_program(shared_server, path):
    file_id = await open_notebook(shared_server, path.name)
    old = path.read_bytes()
    async with follow(shared_server, file_id) as client:
        await client.change("nb_cells", "delete", {"id": "c2"})
        await save(shared_server, file_id)
        path.write_bytes(old)  # git checkout
        event = await client.wait_for(
            "new_delta_event", lambda m: m["data"]["delta_action"] == "add"
        )
        assert event["data"]["properties"]["id"] != "c2"
        assert event["data"]["properties"]["cell"]["source"] == "y = 2"
        await eventually(lambda: len(load(path)["cells"]) == 2)
        await asyncio.sleep(1.5)
        assert len((await current_notebook(shared_server, file_id))["cells"]) == 2


async def test_shutdown_writes_what_is_not_written(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "n.ipynb", "x = 1")
    server = start_server(tmp_path)
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        await client.add("late", "z = 3")
        assert await asyncio.to_thread(server.stop) == 0
    assert "z = 3" in sources(load(path))
