"""A server that is killed in the midst of a write: the next one takes it for nobody's edit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from ....helpers.rtu import call, current_notebook, follow, get, open_notebook
from ....helpers.server import start_server
from ..test_disk import change, eventually, load, sources
from .dying_server import DIE

pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]

WORDS = "The quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize(
    ("how", "linked"),
    [
        ("before", False),
        ("after", False),
        ("after", True),
        *((bytes_written, True) for bytes_written in ("0", "1", "60", "300")),
    ],
)
async def test_killed_while_somebody_types(
    tmp_path: Path, write_notebook: Any, how: str, linked: bool
) -> None:
    """Were the last write taken for an edit, it would be merged with itself: words come twice."""
    path = write_notebook(tmp_path / "n.ipynb", "", *(f"v{n} = {n}" for n in range(5)))
    if linked:
        os.link(path, tmp_path / "other name")
    server = start_server(tmp_path, module="tests.scenarios.server.file.dying_server")
    typed = 0
    with contextlib.suppress(ConnectionClosed):
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            await client.change("cell_contents", "replace", {"source": WORDS[:3]}, "c1")
            await eventually(lambda: WORDS[:3] in sources(load(path))[0])
            (tmp_path / DIE).write_text(how)
            for typed in range(4, len(WORDS)):
                await client.change("cell_contents", "replace", {"source": WORDS[:typed]}, "c1")
                await asyncio.sleep(0.1)
    await asyncio.to_thread(server.process.wait, 20)
    server.kill()
    (tmp_path / DIE).unlink()
    assert typed > 10
    again = start_server(tmp_path)
    try:
        assert await open_notebook(again, "n.ipynb") == file_id
        found = sources(await current_notebook(again, file_id))
        # The last one may have been stored and not yet been acknowledged.
        assert found[0] in (WORDS[: typed - 1], WORDS[:typed])
        assert found[1:] == [f"v{n} = {n}" for n in range(5)]
        await eventually(lambda: sources(load(path)) == found)
        versions = await get(again, f"/files/{file_id}/versions")
        assert not [one for one in versions if "another program" in (one["name"] or "")]
        shown = await get(again, f"/v1/files/{file_id}/save")
        assert shown["state"] in ("clean", "dirty")
        if linked:
            assert path.samefile(tmp_path / "other name")
        assert not list((tmp_path / ".rtu_magics" / "writes").glob("*"))
    finally:
        assert again.stop() == 0


async def test_somebody_edits_the_file_after_such_an_end(
    tmp_path: Path, write_notebook: Any
) -> None:
    """Their edit is one, and the words that were typed here come once all the same."""
    path = write_notebook(tmp_path / "n.ipynb", "", "y = 2")
    server = start_server(tmp_path, module="tests.scenarios.server.file.dying_server")
    file_id = await open_notebook(server, "n.ipynb")
    with contextlib.suppress(ConnectionClosed):
        async with follow(server, file_id) as client:
            (tmp_path / DIE).write_text("after")
            await client.change("cell_contents", "replace", {"source": WORDS[:20]}, "c1")
            await eventually(lambda: sources(load(path))[0] == WORDS[:20])
            await client.change("cell_contents", "replace", {"source": WORDS}, "c1")
            await client.wait_for("never", timeout=20)
    await asyncio.to_thread(server.process.wait, 20)
    server.kill()
    (tmp_path / DIE).unlink()
    change(path, lambda nb: nb["cells"][1].update(source="y = 3"))
    again = start_server(tmp_path)
    try:
        assert await open_notebook(again, "n.ipynb") == file_id
        await eventually(lambda: sources(load(path)) == [WORDS, "y = 3"])
        assert sources(await current_notebook(again, file_id)) == [WORDS, "y = 3"]
        assert (await call(again, "POST", f"/v1/files/{file_id}/save")).status_code == 200
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            again.stop()
