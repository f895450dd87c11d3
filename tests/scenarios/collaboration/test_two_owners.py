"""JupyterLab with live collaboration beside this server on one file: nobody's work is destroyed.

How it is where ours cannot stand on the live document, or is not to; see `test_bridge`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ...helpers.rtu import call, current_notebook, follow, get, open_notebook
from ...helpers.server import running_server
from ..server.test_disk import eventually, load, sources
from .conftest import Lab, Page

# The first of them may have to make the environment.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]

StartLab = Callable[..., Lab]
OpenPage = Callable[[Lab, str], Page]
APART = "--RTUMagicsServer.live_documents=False"


async def refused(server: Any, path: str) -> str:
    response = await call(server, "POST", "/v1/files/open", {"path": path})
    return response.json()["message"] if response.status_code == 409 else ""


async def condition(server: Any, file_id: str) -> str:
    return (await get(server, f"/v1/files/{file_id}/save"))["state"]


async def test_a_notebook_that_is_open_in_the_page_is_refused(
    start_lab: StartLab,
    open_page: OpenPage,
    place: Path,
    write_notebook: Any,
) -> None:
    write_notebook(place / "n.ipynb", "x = 1")
    write_notebook(place / "sub" / "other.ipynb", "y = 1")
    lab = start_lab(APART, rtu=True)
    page = await asyncio.to_thread(open_page, lab, "n.ipynb")
    why = await refused(lab, "n.ipynb")
    assert "open in this server's JupyterLab with live collaboration" in why
    assert "close it there" in why
    assert "\n" not in why
    assert await open_notebook(lab, "sub/other.ipynb")  # nobody has that one open
    await asyncio.to_thread(page.leave)

    async def free() -> bool:
        return not await refused(lab, "n.ipynb")

    await eventually(free, 60)


async def test_a_page_that_opens_later_destroys_nothing(
    start_lab: StartLab,
    open_page: OpenPage,
    place: Path,
    write_notebook: Any,
) -> None:
    path = write_notebook(place / "n.ipynb", "x = 1", "y = 2")
    lab = start_lab(APART, rtu=True)
    file_id = await open_notebook(lab, "n.ipynb")
    async with follow(lab, file_id) as client:
        await client.change("cell_contents", "replace", {"source": "x = 10"}, "c1")
        await eventually(lambda: sources(load(path))[0] == "x = 10")
        page = await asyncio.to_thread(open_page, lab, "n.ipynb")
        told = await client.wait_for("file_state_event", lambda m: m["data"]["state"] == "held")
        assert "edits are kept in the database" in told["data"]["reason"]
        typed = ""
        for n in range(26):  # both at once, in different cells
            typed += chr(97 + n)
            await asyncio.to_thread(page.ask, f"type 1 {chr(97 + n)}")
            await client.change("cell_contents", "replace", {"source": f"x = {n}"}, "c1")
            await asyncio.sleep(0.1)
        response = await call(lab, "POST", f"/v1/files/{file_id}/save")
        assert response.status_code == 409
        assert "live collaboration" in response.json()["message"]
        await client.add("ours", "z = 3", after_id="c2")
        await eventually(lambda: sources(load(path))[1] == f"y = 2{typed}", 60)
        shown = await asyncio.to_thread(page.ask, "sources")
        assert shown == ["x = 10", f"y = 2{typed}"]

        async def arrived() -> bool:
            held = sources(await current_notebook(lab, file_id))
            return held == ["x = 25", f"y = 2{typed}", "z = 3"]

        await eventually(arrived, 20)  # what the page saved is here, and ours is still there
        await asyncio.to_thread(page.leave)
        await eventually(lambda: sources(load(path)) == ["x = 25", f"y = 2{typed}", "z = 3"], 60)
        assert await condition(lab, file_id) in ("clean", "dirty")
    versions = await get(lab, f"/files/{file_id}/versions")
    assert any("live collaboration" in (version["name"] or "") for version in versions)


async def test_a_server_beside_such_a_jupyterlab(
    start_lab: StartLab,
    open_page: OpenPage,
    place: Path,
    write_notebook: Any,
) -> None:
    path = write_notebook(place / "n.ipynb", "x = 1", "y = 2")
    with running_server(place) as server:
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            lab = start_lab(rtu=False)
            await client.wait_for("file_state_event", lambda m: m["data"]["state"] == "held", 60)
            page = await asyncio.to_thread(open_page, lab, "n.ipynb")
            await client.change("cell_contents", "replace", {"source": "x = 'ours'"}, "c1")
            await asyncio.to_thread(page.ask, "type 1 77")
            await eventually(lambda: sources(load(path)) == ["x = 1", "y = 277"], 60)
        why = await refused(server, "n.ipynb")
        assert f"JupyterLab at {lab.url.replace('127.0.0.1', 'localhost')}" in why
        assert "/lab/tree/n.ipynb" in why
        await asyncio.to_thread(page.leave)
        await asyncio.to_thread(lab.stop)
        await eventually(lambda: sources(load(path)) == ["x = 'ours'", "y = 277"], 60)
        assert await open_notebook(server, "n.ipynb") == file_id


async def test_a_jupyterlab_without_collaboration_holds_nothing(
    place: Path,
    write_notebook: Any,
) -> None:
    """Another server of ours in its place: it is in Jupyter's registry and serves the directory."""
    import subprocess
    import sys

    from ...helpers.server import free_port

    write_notebook(place / "n.ipynb", "x = 1")
    port = free_port()
    arguments = [f"--ServerApp.root_dir={place}", f"--ServerApp.port={port}"]
    arguments += ["--ServerApp.open_browser=False", "--ServerApp.allow_root=True"]
    arguments += ["--ServerApp.jpserver_extensions={'rtu_magics.server': False}"]
    other = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", *arguments], stderr=subprocess.DEVNULL
    )
    try:
        with running_server(place) as server:
            await asyncio.sleep(5)
            assert not await refused(server, "n.ipynb")
    finally:
        other.terminate()
        other.wait(20)
