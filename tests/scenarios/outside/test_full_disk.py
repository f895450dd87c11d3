"""The disk fills up in the middle of a session, and has room again later."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from rtu_magics.client import APIClient, RTUClient
from rtu_magics.errors import DeltaRejected, RTUError

from ...helpers.needs import missing
from ...helpers.server import RunningServer, start_server

pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]

Fill = Callable[[RunningServer], Callable[[], None]]
"""Fills the disk of a server; returns what frees it again."""


def limit_files(server: RunningServer) -> Callable[[], None]:
    """No file of the server may grow, which is an error of the disk to it."""
    old = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, old[1]))
    return lambda: resource.prlimit(server.pid, resource.RLIMIT_FSIZE, old) and None


def fill_up(server: RunningServer) -> Callable[[], None]:
    """Take all the space that there is."""
    filler = server.root / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, 4096, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return filler.unlink


@pytest.fixture(params=["limit", "small disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Fill]]:
    """A directory and how to fill its disk."""
    if request.param == "limit":
        yield tmp_path, limit_files
        return
    root = tmp_path / "small"
    root.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(root)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        missing("the right to mount a small disk", "run as the superuser; a limit stands for it")
    try:
        yield root, fill_up
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


@contextlib.asynccontextmanager
async def two_clients(server: RunningServer) -> AsyncIterator[tuple[RTUClient, RTUClient]]:
    async with APIClient(server.token, server.api_url) as api:
        file = await api.open_file("n.ipynb", create=True)
        clients = (await api.connect_realtime(file), await api.connect_realtime(file))
        try:
            yield clients
        finally:
            for client in clients:
                await client.shutdown()


def sources(client: RTUClient) -> list[str]:
    return [cell.source for cell in client.builder.cells]


async def edit(client: RTUClient, source: str, done: set[str]) -> None:
    await client.add_cell(source)
    done.add(source)


async def test_full_for_a_while(place: tuple[Path, Fill]) -> None:
    root, fill = place
    server = start_server(root)
    path = root / "n.ipynb"
    done: set[str] = set()
    refused: list[str] = []
    try:
        async with two_clients(server) as clients:
            for n in range(10):
                await edit(clients[n % 2], f"before {n}", done)
            await asyncio.sleep(1.5)
            free = fill(server)
            for n in range(600):  # some go into the space that the database has already
                try:
                    await edit(clients[n % 2], f"full {n} " + "x" * 4000, done)
                except DeltaRejected as exc:
                    refused.append(str(exc))
                if len(refused) == 20:
                    break
            assert len(refused) == 20
            print(f"LINE disk full, edit: {refused[0]}")
            assert len(set(refused)) == 1
            assert "\n" not in refused[0]
            with contextlib.suppress(RTUError):
                await clients[0].add_cell("small")
                done.add("small")
            await asyncio.sleep(1.5)
            assert json.loads(path.read_text())  # whole, whatever happened
            assert all(client.is_live for client in clients)
            assert set(sources(clients[0])) == set(sources(clients[1])) == done
            free()
            for n in range(10):
                await edit(clients[n % 2], f"after {n}", done)
        server.kill()
    finally:
        lines = server.log.read_text().splitlines()
        server.stop()
    for line in lines:
        print(f"LOG {line}")
    assert not [line for line in lines if "Traceback" in line]
    again = start_server(root)
    try:
        async with two_clients(again) as (client, _):
            assert set(sources(client)) == done
            assert len(sources(client)) == len(done)
            for _ in range(600):
                if len(json.loads(path.read_text())["cells"]) == len(done):
                    break
                await asyncio.sleep(0.1)
            assert {"".join(c["source"]) for c in json.loads(path.read_text())["cells"]} == done
    finally:
        again.stop()


async def told(client: RTUClient, *, trouble: bool) -> str:
    """Wait until somebody is told that the file is in trouble, or is not; returns why."""
    for _ in range(600):
        state = client.file_state
        if state is not None and (state.state == "failing") is trouble:
            return state.reason
        await asyncio.sleep(0.1)
    raise AssertionError(f"nobody is told; the last word was {client.file_state}")


async def test_the_file_is_written_once_there_is_room(place: tuple[Path, Fill]) -> None:
    root, fill = place
    server = start_server(root)
    path = root / "n.ipynb"
    try:
        async with two_clients(server) as (client, _):
            await client.add_cell("first " + "x" * 60_000)
            await asyncio.sleep(1.5)
            for n in range(3):  # the database takes it from its own space or not at all
                await client.replace_cell_content(client.cell_ids[0], f"{n} " + "y" * 60_000)
            free = fill(server)
            reason = await told(client, trouble=True)
            print(f"LINE disk full, people: {reason}")
            assert "n.ipynb cannot be written" in reason
            json.loads(path.read_text())
            free()
            for _ in range(600):
                if "".join(json.loads(path.read_text())["cells"][0]["source"]).startswith("2 "):
                    break
                await asyncio.sleep(0.1)
            assert "".join(json.loads(path.read_text())["cells"][0]["source"]).startswith("2 ")
            await told(client, trouble=False)
        lines = [
            line for line in server.log.read_text().splitlines() if "cannot be written" in line
        ]
        print(f"LINE disk full, file: {lines}")
        # Once, however often it was tried; a log on the full disk itself may have no room for it.
        assert len(lines) == 1 or (fill is fill_up and not lines)
        assert not list(root.glob(".*.tmp"))
    finally:
        server.stop()


@pytest.mark.parametrize("place", ["small disk"], indirect=True)  # a limit needs a running server
def test_no_room_to_start(place: tuple[Path, Fill]) -> None:
    root, _ = place
    (root / ".rtu_magics").mkdir()
    with (root / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    ran = subprocess.run(
        [sys.executable, "-m", "rtu_magics.server", "--root-dir", str(root)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    print(f"LINE no room to start: {ran.stderr}")
    assert ran.stderr.splitlines() == [
        f"rtu_magics: no space is left for {root}/.rtu_magics/rtu.db; free some and start again"
    ]


async def test_another_program_changes_the_file_meanwhile(place: tuple[Path, Fill]) -> None:
    root, fill = place
    server = start_server(root)
    path = root / "n.ipynb"
    try:
        async with two_clients(server) as clients:
            await clients[0].add_cell("ours")
            await asyncio.sleep(1.5)
            notebook = nbformat.read(path, as_version=4)
            notebook.cells.append(nbformat.v4.new_markdown_cell("theirs " + "x" * 100_000))
            nbformat.write(notebook, path)
            free = fill(server)
            await asyncio.sleep(3)
            assert "theirs" in path.read_text()
            free()
            for _ in range(600):
                if all(len(sources(client)) == 2 for client in clients):
                    break
                await asyncio.sleep(0.1)
            for client in clients:
                assert [source[:6] for source in sources(client)] == ["ours", "theirs"]
            await clients[0].add_cell("after")
            for _ in range(600):
                if len(json.loads(path.read_text())["cells"]) == 3:
                    break
                await asyncio.sleep(0.1)
            assert len(json.loads(path.read_text())["cells"]) == 3
        lines = [line for line in server.log.read_text().splitlines() if "cannot" in line]
        print(f"LINE disk full, outside change: {lines}")
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()


async def test_a_store_that_cannot_even_be_read_for_a_while(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    done: set[str] = set()
    database = sqlite3.connect(tmp_path / ".rtu_magics" / "rtu.db", isolation_level=None)
    try:
        async with two_clients(server) as clients:
            await edit(clients[0], "before", done)
            database.execute("ALTER TABLE rtu_deltas RENAME TO away")
            for n in range(4):
                with pytest.raises(DeltaRejected, match="could not store the change"):
                    await clients[n % 2].add_cell(f"refused {n}")
            database.execute("ALTER TABLE away RENAME TO rtu_deltas")
            for n in range(4):
                await edit(clients[n % 2], f"after {n}", done)
            for _ in range(600):
                if all(set(sources(client)) == done for client in clients):
                    break
                await asyncio.sleep(0.05)
            assert set(sources(clients[0])) == set(sources(clients[1])) == done
        assert "Traceback" not in server.log.read_text()
    finally:
        database.close()
        server.stop()
