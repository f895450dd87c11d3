"""The system clock jumps: nothing that matters hangs on it."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import httpx
import pytest

from rtu_magics.client import APIClient, RTUClient

from ...helpers.server import RunningServer, start_server
from .jumping_clock import CLOCK_ENV

pytestmark = pytest.mark.server

DAY = 86400


def set_clock(path: Path, wrong_by: float) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(str(wrong_by))
    os.replace(temporary, path)


def start(root: Path) -> RunningServer:
    return start_server(root, "--lease", module="tests.scenarios.outside.jumping_clock")


def take_lease(server: RunningServer) -> None:
    body = {"pid": os.getpid(), "name": "test"}
    url = f"{server.api_url}/v1/leases"
    httpx.post(url, json=body, headers=server.headers, trust_env=False).raise_for_status()


def after(client: RTUClient) -> str | None:
    return client.cell_ids[-1] if client.cell_ids else None


async def agree(clients: list[RTUClient], expected: list[str]) -> None:
    """Wait until every client shows this."""
    for client in clients:
        for _ in range(1500):
            if [cell.source for cell in client.builder.cells] == expected:
                break
            await asyncio.sleep(0.02)
        assert [cell.source for cell in client.builder.cells] == expected


def times_of(root: Path) -> list[str]:
    """When the deltas of the chain were made, in chain order."""
    connection = sqlite3.connect(root / ".rtu_magics" / "rtu.db")
    try:
        rows = connection.execute("SELECT body FROM rtu_deltas ORDER BY epoch, seq").fetchall()
    finally:
        connection.close()
    return [json.loads(body)["created_at"] for (body,) in rows]


async def test_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = tmp_path / "clock"
    monkeypatch.setenv(CLOCK_ENV, str(clock))
    root = tmp_path / "root"
    root.mkdir()
    server = start(root)
    take_lease(server)
    async with APIClient(server.token, server.api_url) as api:
        file = await api.open_file("n.ipynb", create=True)
        clients = [await api.connect_realtime(file) for _ in range(2)]
        expected: list[str] = []
        for at, jump in enumerate([0, -DAY, 2 * DAY, -400 * DAY, 0]):
            set_clock(clock, jump)
            for n in range(4):
                cell = await clients[n % 2].add_cell(f"{at}.{n}", after_id=after(clients[n % 2]))
                expected.append(cell.source)
                await agree(clients, expected)
            await asyncio.sleep(0.8)  # in all longer than a server without a lease stays
        joiner = await api.connect_realtime(file)
        assert [cell.source for cell in joiner.builder.cells] == expected
        made = times_of(root)
        assert len(made) == len(expected)
        assert made != sorted(made), "the clock did not jump"
        for client in (*clients, joiner):
            await client.shutdown()
    server.kill()

    set_clock(clock, -3 * DAY)
    again = start(root)
    try:
        take_lease(again)
        async with APIClient(again.token, again.api_url) as api:
            client = await api.connect_realtime(await api.open_file("n.ipynb"))
            assert [cell.source for cell in client.builder.cells] == expected
            await client.add_cell("goes on", after_id=after(client))
            await api.save_file(client.file_id)
            await client.shutdown()
        cells = json.loads((root / "n.ipynb").read_text())["cells"]
        assert ["".join(cell["source"]) for cell in cells] == [*expected, "goes on"]
        set_clock(clock, 30 * DAY)
        await asyncio.sleep(3)
        assert again.process.poll() is None  # the lease is held, whatever the clock says
    finally:
        again.stop()
