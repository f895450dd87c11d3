"""What a run of many cells sends to those who follow: each change, or whole lists now and then."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect

from rtu_magics.client import APIClient

from ...helpers.rtu import NotebookClient, get, open_notebook, post

pytestmark = [pytest.mark.server, pytest.mark.kernel]

BULK = "bulk_cell_state_update_event"


@asynccontextmanager
async def following(server, file_id: str, **more: Any):
    """Follow a notebook as a client that says more about itself."""
    async with connect(server.rtu_url, max_size=None, proxy=None) as websocket:
        client = NotebookClient(websocket)
        client.file_id = file_id
        data = {"token": server.token, "rtu_client_type": "test", **more}
        reply = await client.request("system", "authenticate_request", data)
        assert reply["data"]["success"], reply
        file = await get(server, f"/v1/files/{file_id}")
        reply = await client.subscribe(from_version_id=file["current_version_id"])
        assert reply["event"] == "subscribe_reply", reply
        yield client


def size(messages: list[Any]) -> int:
    return sum(len(json.dumps(message, separators=(",", ":"))) for message in messages)


async def run_all(server, write_notebook, cells: int, **more: Any) -> tuple[int, int, int, Any]:
    """Run a notebook; returns bytes in all and of states, how many messages, and the states."""
    name = f"all-{cells}-{len(more)}.ipynb"
    write_notebook(server.root / name, *["1"] * cells)
    file_id = await open_notebook(server, name)
    async with following(server, file_id, **more) as client:
        await post(server, "/v1/sessions", {"file_id": file_id})
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "idle",
            timeout=60,
        )
        before = len(client.log)
        delta = client.delta("cell_execute", "execute_all")
        await client.submit(delta)
        states: dict[str, str] = {}
        while len(states) < cells or set(states.values()) != {"finished_with_no_error"}:
            message = await client.wait_for(BULK, timeout=120)
            told = {s["cell_id"]: s["state"] for s in message["data"]["cell_states"]}
            states = {**states, **told} if message["data"].get("partial") else told
        log = client.log[before:]
        bulk = [m for m in log if m["event"] == BULK]
        await client.send("system", "ping_request")
        return size(log), size(bulk), len(bulk), bulk


async def test_who_takes_parts_gets_each_change_once(server, write_notebook):
    few, few_states, _, _ = await run_all(server, write_notebook, 20, partial_states=True)
    many, many_states, count, bulk = await run_all(server, write_notebook, 200, partial_states=True)
    assert many / few < 12
    assert many_states / few_states < 12
    told = [s for m in bulk for s in m["data"]["cell_states"]]
    assert len(told) == 600  # each of the three states of each cell, once
    assert count <= 202  # the end of one cell and the beginning of the next together
    assert all(m["data"]["partial"] for m in bulk)
    assert [len(m["data"]["cell_states"]) for m in bulk[:2]] == [200, 1]
    print(f"\n20 cells {few:,} bytes, 200 cells {many:,}, of which states {many_states:,}")


async def test_others_get_whole_lists_and_fewer_of_them(server, write_notebook):
    cells = 200
    _, states, count, bulk = await run_all(server, write_notebook, cells)
    assert all("partial" not in m["data"] for m in bulk)
    assert all(len(m["data"]["cell_states"]) == cells for m in bulk)
    one = size(bulk[-1:])
    assert states < one * 2 * cells / 3, "a list for every change"
    print(f"\n{count} lists, {states:,} bytes")


async def test_a_little_goes_out_at_once_in_the_order_of_the_protocol(server, write_notebook):
    _, _, _, bulk = await run_all(server, write_notebook, 3)
    names = [tuple(s["state"] for s in m["data"]["cell_states"]) for m in bulk]
    ok, queued, executing = "finished_with_no_error", "queued", "executing"
    assert names == [
        (queued, queued, queued),
        (executing, queued, queued),
        (ok, queued, queued),
        (ok, executing, queued),
        (ok, ok, queued),
        (ok, ok, executing),
        (ok, ok, ok),
    ]


async def test_a_waiting_list_tells_of_a_cell_that_has_gone(server, write_notebook):
    """Others wait for the end of a cell; a list that stands for several changes still says it."""
    write_notebook(server.root / "gone.ipynb", *["1"] * 400)
    file_id = await open_notebook(server, "gone.ipynb")
    async with following(server, file_id) as other, following(server, file_id) as me:
        for _ in range(12):  # more than goes out at once
            await me.submit(me.delta("cell_execute", "execute_all"))
        await me.change("nb_cells", "delete", {"id": "c7"})

        def ended(message: Any) -> bool:
            states = {s["cell_id"]: s for s in message["data"]["cell_states"]}
            return states.get("c7", {}).get("state") == "finished_with_error"

        await other.wait_for(BULK, ended, timeout=60)
        seen = []
        while not seen or "c7" in seen[-1]:  # once it has been said, it is left out
            await me.submit(me.delta("cell_execute", "execute", None, "c8"))
            message = await other.wait_for(BULK)
            seen.append({s["cell_id"] for s in message["data"]["cell_states"]})
            assert len(seen) < 200


async def test_our_client_has_the_whole_table_and_its_callbacks_too(server, write_notebook):
    from rtu_magics.models import BulkCellStateUpdateResponse

    write_notebook(server.root / "ours.ipynb", "1", "1/0", "3", "# 4")
    file_id = await open_notebook(server, "ours.ipynb")
    async with APIClient(server.token, server.api_url) as api:
        client = await api.connect_realtime(await api.get_file(file_id))
        seen: list[dict[str, str]] = []
        parts: list[int] = []

        def note(message: BulkCellStateUpdateResponse) -> None:
            seen.append({s.cell_id: s.state for s in message.data.cell_states})
            parts.append(len(message.data.changed or ()))

        client.register_rtu_event_callback(BulkCellStateUpdateResponse, note)
        try:
            await post(server, "/v1/sessions", {"file_id": file_id})
            await client.wait_for_kernel_idle(60)
            futures = await client.queue_execution(run_all=True)
            await asyncio.wait(futures, timeout=60)
            assert all(future.done() for future in futures)
            assert client.cell_states["c1"] == "finished_with_no_error"
            assert client.cell_states["c2"] == client.cell_states["c3"] == "finished_with_error"
            assert all(len(states) == len(client.cell_states) for states in seen)
            assert min(parts) == 1
        finally:
            await client.shutdown()
