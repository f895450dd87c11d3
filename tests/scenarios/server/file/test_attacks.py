"""What may happen to a file and its directory at the worst moment; edits survive all of it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ....helpers.rtu import call, current_notebook, follow, get, open_notebook
from ....helpers.server import RunningServer, start_server
from ....helpers.unprivileged import drop_rights
from ..test_disk import eventually, load, sources
from .dying_server import MEDDLE

pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    found = start_server(
        tmp_path, preexec_fn=drop_rights, module="tests.scenarios.server.file.dying_server"
    )
    try:
        yield found
    finally:
        found.stop()
        assert "Traceback" not in found.log.read_text()


async def condition(server: RunningServer, file_id: str) -> str:
    return str((await get(server, f"/v1/files/{file_id}/save"))["state"])


async def is_in(server: RunningServer, file_id: str, state: str) -> bool:
    return await condition(server, file_id) == state


async def test_changed_between_our_look_and_our_write(
    server: RunningServer, write_notebook: Any
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        for n in range(5):
            await eventually(lambda n=n: len(sources(load(path))) == 1 + 2 * n)
            theirs = load(path)
            theirs["cells"].append({**theirs["cells"][0], "id": f"t{n}", "source": f"t = {n}"})
            temporary = server.root / "making"
            temporary.write_text(json.dumps(theirs))
            temporary.rename(server.root / MEDDLE)
            await client.add(f"o{n}", f"o = {n}")
            await eventually(lambda: not (server.root / MEDDLE).exists())
        wanted = {"x = 1", *(f"{who} = {n}" for who in "to" for n in range(5))}
        await eventually(lambda: set(sources(load(path))) == wanted, 60)
        assert set(sources(await current_notebook(server, file_id))) == wanted


@pytest.mark.parametrize("edited", [False, True], ids=["saved", "edited"])
async def test_the_directory_is_removed_and_made_again(
    server: RunningServer, write_notebook: Any, edited: bool
) -> None:
    """Whoever removes it removes what was saved, and no edit that was not."""
    path = write_notebook(server.root / "week" / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "week/n.ipynb")
    async with follow(server, file_id) as client:
        if edited:
            await client.add("new", "n = 1")
        shutil.rmtree(path.parent)
        if edited:
            await eventually(lambda: sources(load(path)) == ["n = 1", "x = 1"], 60)
            return
        path.parent.mkdir()
        await eventually(lambda: is_in(server, file_id, "missing"), 60)
        assert not path.exists()
        await client.add("new", "n = 1")
        await eventually(lambda: sources(load(path)) == ["n = 1", "x = 1"], 60)


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["takes no files", "closed"])
async def test_a_directory_that_may_not_be_written(
    server: RunningServer, write_notebook: Any, mode: int
) -> None:
    path = write_notebook(server.root / "week" / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "week/n.ipynb")
    async with follow(server, file_id) as client:
        path.parent.chmod(mode)
        await client.add("new", "n = 1")
        if mode:  # the file itself may be
            await eventually(lambda: sources(load(path)) == ["n = 1", "x = 1"], 60)
        else:
            await eventually(lambda: is_in(server, file_id, "failing"), 60)
            response = await call(server, "POST", f"/v1/files/{file_id}/save")
            assert response.status_code == 507
            assert "nothing is lost" in response.json()["message"]
        path.parent.chmod(0o755)
        await eventually(lambda: sources(load(path)) == ["n = 1", "x = 1"], 60)
        await eventually(lambda: is_in(server, file_id, "clean"))
    assert not list((server.root / ".rtu_magics" / "writes").glob("*"))


async def test_told_to_end_while_the_file_cannot_be_written(
    server: RunningServer, write_notebook: Any
) -> None:
    path = write_notebook(server.root / "week" / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "week/n.ipynb")
    async with follow(server, file_id) as client:
        path.parent.chmod(0)
        await client.add("new", "n = 1")
        await eventually(lambda: is_in(server, file_id, "failing"), 60)
    assert server.stop() == 1
    assert "week/n.ipynb" in server.log.read_text()
    path.parent.chmod(0o755)
    assert sources(load(path)) == ["x = 1"]
    again = start_server(server.root)
    try:
        assert await open_notebook(again, "week/n.ipynb") == file_id
        await eventually(lambda: sources(load(path)) == ["n = 1", "x = 1"], 60)
    finally:
        assert again.stop() == 0


@pytest.mark.parametrize("linked", [False, True], ids=["alone", "by a symbolic link"])
async def test_the_mode_changes_while_it_is_open(
    server: RunningServer, write_notebook: Any, linked: bool
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    real = path
    if linked:
        real = path.rename(server.root / "real.ipynb")
        path.symlink_to(real)
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        for n, mode in enumerate((0o600, 0o664, 0o444, 0o640)):
            real.chmod(mode)
            await client.add(f"c-{n}", f"n = {n}")
            if mode == 0o444:
                await eventually(lambda: is_in(server, file_id, "read-only"))
                continue
            await eventually(lambda n=n: f"n = {n}" in sources(load(path)), 60)
            assert stat.S_IMODE(real.stat().st_mode) == mode
    assert len(sources(load(path))) == 5
    assert path.is_symlink() == linked


@pytest.mark.parametrize("kind", ["pipe", "directory"])
async def test_something_else_lies_in_its_place(
    server: RunningServer, write_notebook: Any, kind: str
) -> None:
    """A pipe would keep whoever reads it for ever."""
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    other = write_notebook(server.root / "other.ipynb", "z = 1")
    make = os.mkfifo if kind == "pipe" else os.mkdir
    make(server.root / "never.ipynb")
    response = await call(server, "POST", "/v1/files/open", {"path": "never.ipynb"})
    assert response.status_code == 422
    assert kind in response.json()["message"]
    file_id = await open_notebook(server, "n.ipynb")
    other_id = await open_notebook(server, "other.ipynb")
    async with follow(server, file_id) as client, follow(server, other_id) as another:
        path.unlink()
        make(path)
        await client.add("new", "n = 1")
        await another.add("goes-on", "g = 1")
        await eventually(lambda: "g = 1" in sources(load(other)), 60)
        await eventually(lambda: is_in(server, file_id, "foreign"), 60)
        response = await call(server, "POST", f"/v1/files/{file_id}/save")
        assert f"cannot be put aside: Is a {kind}" in response.json()["message"]
        (path.unlink if kind == "pipe" else path.rmdir)()
        await eventually(lambda: sources(load(path)) == ["n = 1", "x = 1"], 60)
        other.rename(server.root / "moved.ipynb")  # found, whatever else lies there
        await another.add("after", "a = 1")
        await eventually(lambda: "a = 1" in sources(load(server.root / "moved.ipynb")), 60)
