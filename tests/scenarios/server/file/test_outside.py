"""Who is told to have changed the file, what is kept before it takes something away, and bounds."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rtu_magics.client import APIClient
from rtu_magics.models import OTHER_PROGRAM, OTHER_PROGRAM_ID
from rtu_magics.session import connect

from ....helpers.rtu import call, current_notebook, follow, get, open_notebook
from ..test_disk import change, eventually, load, sources

pytestmark = pytest.mark.server


@pytest.fixture
def path(shared_server: Any, write_notebook: Any) -> Path:
    name = f"o{uuid4().hex[:8]}.ipynb"
    return write_notebook(shared_server.root / name, "x = 1", "y = 2")


async def content(server: Any, file_id: str, name: str) -> dict[str, Any]:
    versions = await get(server, f"/files/{file_id}/versions")
    found = next(v for v in versions if v["name"] == name)
    return (await call(server, "GET", found["content_presigned_url"])).json()


async def test_another_programs_changes_have_their_own_author(
    shared_server: Any, path: Path
) -> None:
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        change(path, lambda nb: nb["cells"][0].update(source="x = 5"))
        event = await client.wait_for("new_delta_event")
        assert event["data"]["created_by_id"] == str(OTHER_PROGRAM_ID)
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        log = await api.get_log(file_id, 10)
        assert log.deltas[-1]["author"]["name"] == OTHER_PROGRAM

    def look() -> None:
        target = f"{shared_server.url}tree/{path.name}"
        with connect(target, token=shared_server.token, say=lambda text: None) as session:
            assert session.history()[-1].author == OTHER_PROGRAM
            cell = session.cells()[1].id
            session.edit(cell, "y = 3")
            session.save()
            change(path, lambda nb: nb["cells"][1].update(source="y = 4"))
            end = time.monotonic() + 60
            while session.cell(cell).source != "y = 4" and time.monotonic() < end:
                time.sleep(0.1)
            with pytest.raises(Exception, match="another program"):
                session.undo()

    await asyncio.to_thread(look)


async def test_versions_have_both_sides_of_an_overwrite(shared_server: Any, path: Path) -> None:
    """As a page does that was opened earlier and saves what it still has."""
    stale = path.read_bytes()
    file_id = await open_notebook(shared_server, path.name)
    async with follow(shared_server, file_id) as client:
        await client.change("cell_contents", "replace", {"source": "x = 'ours'"}, "c1")
        await client.add("new", "n = 1", after_id="c2")
        await eventually(lambda: "n = 1" in sources(load(path)))
        await asyncio.sleep(
            11
        )  # longer than a save may take: nobody read it before ours by mistake
        old = json.loads(stale)
        old["cells"][1]["source"] = "y = 'theirs'"
        path.write_text(json.dumps(old))
        await eventually(lambda: _cells_are(shared_server, file_id, ["x = 1", "y = 'theirs'"]))
        before = await content(shared_server, file_id, f"Before another program saved {path.name}")
        assert sources(before) == ["x = 'ours'", "y = 2", "n = 1"]
        after = await content(shared_server, file_id, f"{path.name} as another program saved it")
        assert sources(after) == ["x = 1", "y = 'theirs'"]


async def _cells_are(server: Any, file_id: str, wanted: list[str]) -> bool:
    return sources(await current_notebook(server, file_id)) == wanted


@pytest.mark.parametrize("what", ["metadata keys", "outputs"])
async def test_much_on_disk_stops_nobody(
    shared_server: Any, path: Path, write_notebook: Any, what: str
) -> None:
    """Others' edits are answered while a large change is read, not only at its end."""
    file_id = await open_notebook(shared_server, path.name)
    other = write_notebook(shared_server.root / f"p{uuid4().hex[:8]}.ipynb", "z = 1")
    other_id = await open_notebook(shared_server, other.name)

    def edit(notebook: dict[str, Any]) -> None:
        if what == "metadata keys":
            notebook["metadata"].update({f"key {n}": n for n in range(300_000)})
        else:
            line = "x" * 99 + "\n"
            text = {"output_type": "stream", "name": "stdout", "text": line * 200_000}
            notebook["cells"][0].update(outputs=[text], execution_count=3)

    async with follow(shared_server, file_id), follow(shared_server, other_id) as client:
        change(path, edit)
        answered = 0
        for n in range(2000):
            await client.change("cell_contents", "replace", {"source": f"z = {n}"}, "c1")
            answered += 1
            await asyncio.sleep(0.02)
            if n % 50 == 49:
                held = await current_notebook(shared_server, file_id)
                cell = held["cells"][0]["metadata"]
                if len(held["metadata"]) > 1000 or "noteable" in cell:
                    break
        else:
            pytest.fail("the change never came")
        assert answered >= 50
    said = shared_server.log.read_text()
    assert "Traceback" not in said
