"""What a run of all cells sends to each who follows: a client of ours and a foreign one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack

from ...helpers.rtu import NotebookClient, follow, get, post, raw_client
from ...helpers.server import RunningServer
from ..harness import Bench, Row
from ..live import our_server
from ..workloads import notebook

SIZES = (100, 1_000)


def rows(bench: Bench) -> Iterator[Row]:
    for cells in SIZES:
        with our_server() as server:
            foreign, ours = asyncio.run(_bytes(server, cells))
        yield Row(f"run-all of {cells:,} cells, to each", "foreign client", foreign, ours, unit="B")


async def _bytes(server: RunningServer, cells: int) -> tuple[int, int]:
    content = notebook(cells)
    for number, cell in enumerate(content["cells"]):
        cell["source"] = f"x = {number}"
    (server.root / "all.ipynb").write_text(json.dumps(content))
    file = await post(server, "/v1/files/open", {"path": "all.ipynb"})
    await post(server, "/v1/sessions", {"file_id": file["id"]})
    while True:
        status = await get(server, f"/v1/files/{file['id']}/session")
        if status and status["kernel"]["execution_state"] == "idle":
            break
        await asyncio.sleep(0.1)
    async with AsyncExitStack() as stack:
        both = []
        for whether in (False, True):
            raw = await stack.enter_async_context(raw_client(server))
            client = NotebookClient(raw.websocket)
            client.file_id = file["id"]
            who = {"token": server.token, "rtu_client_type": "b", "partial_states": whether}
            await client.request("system", "authenticate_request", who)
            await client.subscribe(from_version_id=file["current_version_id"])
            both.append(asyncio.create_task(_received(client, f"c{cells - 1}")))
        asker = await stack.enter_async_context(follow(server, file["id"]))
        await asker.submit(asker.delta("cell_execute", "execute_all"))
        foreign, ours = await asyncio.gather(*both)
    return foreign, ours


async def _received(client: NotebookClient, last: str) -> int:
    """Return how many bytes come until a cell has run."""
    count = 0
    async for raw in client.websocket:
        count += len(raw)
        message = json.loads(raw)
        if message["event"] == "bulk_cell_state_update_event" and any(
            state["cell_id"] == last and state["state"].startswith("finished_")
            for state in message["data"]["cell_states"]
        ):
            return count
    raise ConnectionError("the server hung up")
