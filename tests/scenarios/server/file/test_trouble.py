"""A file that cannot be read or written for a while: told truthfully, tried again, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ....helpers.rtu import call, follow, get, open_notebook
from ....helpers.server import RunningServer, start_server
from ....helpers.unprivileged import drop_all_rights, drop_rights
from ..test_disk import change, eventually, load, sources

pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server to which permissions apply, also when the tests run as the superuser."""
    found = start_server(tmp_path, preexec_fn=drop_rights)
    try:
        yield found
    finally:
        with contextlib.suppress(OSError):
            tmp_path.chmod(0o755)
        found.stop()


async def save(server: RunningServer, file_id: str) -> tuple[int, str]:
    response = await call(server, "POST", f"/v1/files/{file_id}/save")
    return response.status_code, response.json().get("message", "")


async def state(server: RunningServer, file_id: str) -> dict[str, Any]:
    return await get(server, f"/v1/files/{file_id}/save")


def said(server: RunningServer, text: str) -> list[str]:
    lines = server.log.read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line], lines
    return [line for line in lines if text in line]


@pytest.mark.parametrize("how", ["mode 000", "too many open files"])
async def test_a_read_error_suspends_nothing(
    server: RunningServer, write_notebook: Any, how: str
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        await client.add("before", "b = 1")
        await eventually(lambda: "b = 1" in sources(load(path)))
        old = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        if how == "mode 000":
            path.chmod(0)
        else:
            used = len(os.listdir(f"/proc/{server.pid}/fd"))
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used - 5, old[1]))
        for n in range(5):
            await client.add(f"n{n}", f"n = {n}")
            await asyncio.sleep(0.4)
        client.at = 0  # it may have come between the answers
        told = await client.wait_for(
            "file_state_event", lambda m: m["data"]["state"] in ("failing", "read-only")
        )
        assert "n.ipynb" in told["data"]["reason"]
        assert "\n" not in told["data"]["reason"]
        await asyncio.sleep(2)
        if how == "mode 000":
            path.chmod(0o644)
        else:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, old)
        await client.wait_for(
            "file_state_event", lambda m: m["data"]["state"] in ("clean", "dirty")
        )
        wanted = {"x = 1", "b = 1", *(f"n = {n}" for n in range(5))}
        await eventually(lambda: set(sources(load(path))) == wanted, 60)
        assert not [m for m in client.log if m["event"] == "inconsistent_state_event"]
        assert (await state(server, file_id))["state"] in ("clean", "dirty")
    said(server, "")


async def test_a_file_that_is_written_slowly(server: RunningServer, write_notebook: Any) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        whole = json.loads(path.read_text())
        whole["cells"].append({**whole["cells"][0], "id": "theirs", "source": "t = 1"})
        text = json.dumps(whole)
        with path.open("w") as file:  # as over a slow line: half of it, and then nothing for long
            file.write(text[: len(text) // 2])
            file.flush()
            await client.add("ours", "o = 1")
            await asyncio.sleep(4)
            assert path.read_text() == text[: len(text) // 2]  # nobody writes into it
            status, message = await save(server, file_id)
            assert status == 507
            assert "cannot be read" in message
            file.write(text[len(text) // 2 :])
        await eventually(lambda: set(sources(load(path))) == {"x = 1", "t = 1", "o = 1"}, 60)
        assert not [m for m in client.log if m["event"] == "inconsistent_state_event"]


async def test_read_only_files_are_refused_and_edits_kept(
    server: RunningServer, write_notebook: Any
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    path.chmod(0o444)
    before = path.read_bytes()
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        assert (await state(server, file_id))["state"] == "read-only"
        await client.add("kept", "k = 1")
        status, message = await save(server, file_id)
        assert status == 403
        assert "read-only (mode 0444" in message
        await asyncio.sleep(1.5)
        assert path.read_bytes() == before
        assert (await state(server, file_id))["unsaved"]
    status = server.stop()
    assert status == 1  # what people did is not in the file
    assert said(server, "read-only")
    assert "start the server again" in server.log.read_text()
    again = start_server(server.root, preexec_fn=drop_rights)
    try:
        file_id = await open_notebook(again, "n.ipynb")
        assert (await state(again, file_id))["unsaved"]
        path.chmod(0o644)
        await eventually(lambda: "k = 1" in sources(load(path)))
    finally:
        assert again.stop() == 0


async def test_a_directory_that_takes_no_new_files(
    server: RunningServer, write_notebook: Any
) -> None:
    directory = server.root / "d"
    path = write_notebook(directory / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "d/n.ipynb")
    async with follow(server, file_id) as client:
        directory.chmod(0o555)
        try:
            await client.add("new", "n = 1")
            assert await save(server, file_id) == (200, "")
            assert "n = 1" in sources(load(path))
        finally:
            directory.chmod(0o755)


@pytest.mark.parametrize("what", ["hard link", "symbolic link", "mode", "group", "attribute"])
async def test_what_belongs_to_the_file_stays(
    server: RunningServer, write_notebook: Any, what: str
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    other = server.root / "elsewhere" / "other.ipynb"
    other.parent.mkdir()
    groups = [g for g in (os.getgroups() if os.geteuid() else [12345]) if g != os.getegid()]
    if what == "hard link":
        os.link(path, other)
    elif what == "symbolic link":
        path.rename(other)
        path.symlink_to(other)
    elif what == "mode":
        path.chmod(0o2660)
    elif what == "group":
        if not groups:
            pytest.skip("this user is in one group alone")
        os.chown(path, -1, groups[0])
    else:
        try:
            os.setxattr(path, "user.rtu", b"kept")
        except OSError:
            pytest.skip("this file system has no attributes")
    file_id = await open_notebook(server, "n.ipynb")
    was = path.stat()
    async with follow(server, file_id) as client:
        for n in range(2):
            await client.add(f"new{n}", f"n = {n}")
            assert await save(server, file_id) == (200, "")
    now = path.stat()
    assert sources(load(path))[0] == "n = 1"
    assert (now.st_uid, now.st_gid, now.st_nlink) == (was.st_uid, was.st_gid, was.st_nlink)
    assert stat.S_IMODE(now.st_mode) == stat.S_IMODE(was.st_mode)
    if what == "hard link":
        assert other.read_bytes() == path.read_bytes()
    elif what == "symbolic link":
        assert path.is_symlink()
        assert other.read_bytes() == path.read_bytes()
    elif what == "attribute":
        assert os.getxattr(path, "user.rtu") == b"kept"


async def test_another_users_file_keeps_its_owner(write_notebook: Any, tmp_path: Path) -> None:
    """Where the system does not let it be given away, its bytes are changed in place."""
    if os.geteuid():
        pytest.skip("only the superuser can make another user's file")
    server = start_server(tmp_path, preexec_fn=drop_all_rights)
    try:
        path = write_notebook(tmp_path / "n.ipynb", "x = 1")
        os.chown(path, 12345, 12345)
        path.chmod(0o666)
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            await client.add("new", "n = 1")
            assert await save(server, file_id) == (200, "")
        assert "n = 1" in sources(load(path))
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
    finally:
        server.stop()


async def test_metadata_set_here_survives_another_programs_change(
    server: RunningServer, write_notebook: Any
) -> None:
    """What the file was known to hold must not change with the room."""
    path = write_notebook(server.root / "n.ipynb", "x = 1", "y = 1")
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        await client.change("cell_metadata", "update", {"path": ["a"], "value": 1}, "c1")
        await eventually(lambda: load(path)["cells"][0]["metadata"] == {"a": 1})
        await client.change("cell_metadata", "update", {"path": ["a"], "value": 2}, "c1")
        await client.change("nb_metadata", "update", {"path": ["b"], "value": 3})
        change(path, lambda nb: nb["cells"][1].update(source="y = 2"))
        await eventually(lambda: sources(load(path)) == ["x = 1", "y = 2"])
        await eventually(lambda: load(path)["cells"][0]["metadata"] == {"a": 2})
        assert load(path)["metadata"]["b"] == 3


async def test_killed_while_the_file_could_not_be_written(
    server: RunningServer, write_notebook: Any
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        path.chmod(0)
        await client.add("kept", "k = 1")
        await asyncio.sleep(1)
    os.kill(server.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(60)
    path.chmod(0o644)
    again = start_server(server.root)
    try:
        await open_notebook(again, "n.ipynb")
        await eventually(lambda: "k = 1" in sources(load(path)))
    finally:
        assert again.stop() == 0
