"""What was acknowledged is there after the server died without warning, exactly once."""

from __future__ import annotations

import asyncio
import json
import random
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from ...helpers.rtu import NotebookClient, current_notebook, follow, get, open_notebook, post
from ...helpers.server import RunningServer, start_server

pytestmark = pytest.mark.server


class Editor:
    """Adds cells as fast as they are acknowledged and remembers which were."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.count = 0
        self.submitted: dict[str, dict] = {}
        self.acknowledged: set[str] = set()

    async def run(self, server: RunningServer, file_id: str) -> None:
        try:
            async with follow(server, file_id) as client:
                await self._resend(client)
                sending = asyncio.create_task(self._send(client))
                try:
                    await self._listen(client)
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
        except (ConnectionClosed, OSError, asyncio.TimeoutError, httpx.TransportError):
            pass

    async def _resend(self, client: NotebookClient) -> None:
        for cell_id, delta in self.submitted.items():
            if cell_id not in self.acknowledged:
                await client.submit(delta)

    async def _send(self, client: NotebookClient) -> None:
        while True:
            self.count += 1
            cell_id = f"{self.prefix}{self.count}"
            cell = {"cell_type": "code", "source": cell_id, "metadata": {}}
            delta = client.delta("nb_cells", "add", {"id": cell_id, "cell": cell})
            self.submitted[cell_id] = delta
            await client.submit(delta)
            await asyncio.sleep(0.001)

    async def _listen(self, client: NotebookClient) -> None:
        while True:
            message = await client.next(60)
            if message["event"] == "new_delta_event":
                properties = message["data"]["properties"]
                if properties and properties["id"] in self.submitted:
                    self.acknowledged.add(properties["id"])
            assert message["event"] != "delta_rejected", message


@pytest.mark.timeout(180)
async def test_kill_under_a_stream_of_edits(tmp_path, write_notebook):
    write_notebook(tmp_path / "n.ipynb", "1")
    server = start_server(tmp_path)
    editors = [Editor("a"), Editor("b")]
    try:
        file_id = await open_notebook(server, "n.ipynb")
        for _ in range(4):
            runs = [asyncio.create_task(editor.run(server, file_id)) for editor in editors]
            await asyncio.sleep(random.uniform(0.2, 0.6))
            server.kill()
            await asyncio.gather(*runs)
            server = start_server(tmp_path)
        held = await current_notebook(server, file_id)
        ids = [cell["id"] for cell in held["cells"]]
        acknowledged = set().union(*(editor.acknowledged for editor in editors))
        assert len(acknowledged) > 100
        assert not acknowledged - set(ids), "lost"
        assert len(ids) == len(set(ids)), "doubled"
    finally:
        server.stop()


async def test_states_and_outputs_after_a_restart(tmp_path, write_notebook):
    write_notebook(tmp_path / "n.ipynb", "print('kept')", "import time; time.sleep(60)", "3")
    server = start_server(tmp_path)
    try:
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            await post(server, "/v1/sessions", {"file_id": file_id})
            await client.submit(client.delta("cell_execute", "execute_all"))
            await client.finished("c1")
            output = next(m for m in client.log if m["event"] == "append_output_event")
            await client.wait_for(
                "new_delta_event",
                lambda m: m["data"]["resource_id"] == "c2",
            )
        server.kill()
        server = start_server(tmp_path)
        async with follow(server, file_id) as client:
            bulk = await client.wait_for("bulk_cell_state_update_event")
            states = {s["cell_id"]: s for s in bulk["data"]["cell_states"]}
            assert states["c1"]["state"] == "finished_with_no_error"
            assert states["c2"]["state"] == states["c3"]["state"] == "finished_with_error"
            assert "restarted" in states["c2"]["cause"]
            collection_id = output["data"]["parent_collection_id"]
            collection = await get(server, f"/outputs/collection/{collection_id}")
            assert collection["outputs"][0]["content"]["raw"] == "kept\n"
            assert collection["outputs"][0]["id"] == output["data"]["id"]
            server.stop()
        on_disk = json.loads((tmp_path / "n.ipynb").read_text())
        assert on_disk["cells"][0]["outputs"][0]["text"] == ["kept\n"]
    finally:
        server.stop()


async def test_a_retry_after_the_restart(tmp_path, write_notebook):
    write_notebook(tmp_path / "n.ipynb", "1")
    server = start_server(tmp_path)
    try:
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            delta = client.delta(
                "cell_contents", "update", {"patch": "@@ -1 +1,2 @@\n 1\n+2\n"}, "c1"
            )
            await client.submit(delta)
            first = await client.wait_for("new_delta_event")
        server.kill()
        server = start_server(tmp_path)
        async with follow(server, file_id) as client:
            await client.submit(delta)
            again = await client.wait_for("new_delta_event")
            assert again["data"] == first["data"]
        assert (await current_notebook(server, file_id))["cells"][0]["source"] == "12"
    finally:
        server.stop()


async def test_a_commit_that_fails_rejects_the_batch_and_the_room_goes_on(tmp_path, write_notebook):
    import sqlite3

    write_notebook(tmp_path / "n.ipynb", "1")
    server = start_server(tmp_path)
    try:
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            await client.add("before")
            blocker = sqlite3.connect(tmp_path / ".rtu_magics" / "rtu.db", isolation_level=None)
            blocker.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON rtu_deltas "
                "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
            cell = {"cell_type": "code", "source": "", "metadata": {}}
            cause = await client.rejected("nb_cells", "add", {"id": "lost", "cell": cell})
            assert "could not store" in cause
            blocker.execute("DROP TRIGGER refuse")
            blocker.close()
            event = await client.add("after", after_id="before")
            assert event["data"]["properties"]["id"] == "after"
            held = await current_notebook(server, file_id)
            assert [c["id"] for c in held["cells"]] == ["before", "after", "c1"]
    finally:
        server.stop()


async def test_ids_stay_the_same(tmp_path, write_notebook):
    write_notebook(tmp_path / "n.ipynb", "1")
    server = start_server(tmp_path)
    file_id = await open_notebook(server, "n.ipynb")
    user = await get(server, "/users/me")
    assert server.stop() == 0
    again = start_server(tmp_path)
    try:
        assert (again.space_id, again.project_id) == (server.space_id, server.project_id)
        assert await open_notebook(again, "n.ipynb") == file_id
        assert (await get(again, "/users/me"))["id"] == user["id"]
        assert str(uuid4()) != file_id
    finally:
        again.stop()
