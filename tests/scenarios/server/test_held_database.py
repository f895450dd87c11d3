"""Another program holds the database while people edit and run: nobody stands still, nothing is
lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from ...helpers.rtu import NotebookClient, call, current_notebook, follow, get, open_notebook, post
from ...helpers.server import start_server

pytestmark = pytest.mark.server


@contextmanager
def held(root: Path) -> Iterator[sqlite3.Connection]:
    """Hold a server's database as a backup, a viewer or a forgotten shell would."""
    other = sqlite3.connect(root / ".rtu_magics" / "rtu.db", isolation_level=None, timeout=60)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield other
    finally:
        other.close()


def new_cell(client, cell_id: str):
    cell = {"cell_type": "code", "source": cell_id, "metadata": {}}
    return client.delta("nb_cells", "add", {"id": cell_id, "cell": cell})


@pytest.fixture
def running(tmp_path, write_notebook):
    write_notebook(tmp_path / "mine.ipynb", "1")
    write_notebook(tmp_path / "theirs.ipynb", "2")
    server = start_server(tmp_path)
    try:
        yield server
    finally:
        server.stop()


async def test_others_are_answered_and_edits_stored_afterwards(running):
    mine = await open_notebook(running, "mine.ipynb")
    theirs = await open_notebook(running, "theirs.ipynb")
    async with follow(running, mine) as editor, follow(running, theirs) as other:
        await editor.add("before")
        guest = await post(running, f"/v1/files/{mine}/invites", {"role": "contributor"})
        sent: dict[str, str] = {}
        transactions: dict[str, str] = {}
        with held(running.root):
            ended = asyncio.get_running_loop().time() + 6
            for number in range(30):
                delta = new_cell(editor, f"held{number}")
                sent[delta["id"]] = f"held{number}"
                transactions[await editor.submit(delta)] = delta["id"]
                # As a client does that lost its connection meanwhile:
                transactions[await editor.submit(delta)] = delta["id"]
            # All of this is answered while the database is held, for it is held until then.
            for _ in range(20):
                assert (await other.request("system", "ping_request", {}))["event"]
            assert (await get(running, f"/v1/files/{theirs}"))["id"] == theirs
            assert (await call(running, "GET", f"/v1/files/{mine}/versions")).status_code == 200
            assert (await call(running, "GET", f"/v1/files/{mine}/log")).status_code == 200
            async with follow(running, mine):  # joining the same notebook, too
                pass
            async with connect(running.rtu_url, proxy=None) as websocket:
                reply = await NotebookClient(websocket).authenticate(guest["token"])
                assert reply["data"]["success"], reply
            saved = await call(running, "POST", f"/v1/files/{theirs}/invites", {"role": "viewer"})
            assert saved.status_code == 507, saved.text
            assert "locked" in saved.json()["message"]
            while asyncio.get_running_loop().time() < ended:
                assert (await other.request("system", "ping_request", {}))["event"]
                await asyncio.sleep(0.1)
        # Every change is told to be stored, or refused in words; on a slow machine some may be.
        told: dict[str, str] = {}
        while set(told) != set(transactions):
            message = await editor.next(60)
            if message["event"] == "new_delta_reply":
                told[message["transaction_id"]] = str(message["data"]["success"])
            elif message["event"] == "delta_rejected":
                assert "another program holds its database" in message["data"]["cause"]
        stored = {sent[transactions[one]] for one in told if told[one] == "True"}
        await editor.add("after")
        notebook = await current_notebook(running, mine)
        cells = Counter(cell["id"] for cell in notebook["cells"])
        assert cells == Counter(["before", "after", "c1", *stored])


async def test_an_edit_that_waits_too_long_is_refused_in_one_line(running):
    mine = await open_notebook(running, "mine.ipynb")
    async with follow(running, mine) as editor:
        with held(running.root):
            cell = {"cell_type": "code", "source": "", "metadata": {}}
            cause = await editor.rejected("nb_cells", "add", {"id": "refused", "cell": cell})
            assert "another program holds its database" in cause
            assert "\n" not in cause
        await editor.add("after")
        notebook = await current_notebook(running, mine)
        assert [cell["id"] for cell in notebook["cells"]].count("refused") == 0
        assert [cell["id"] for cell in notebook["cells"]].count("after") == 1


@pytest.mark.kernel
async def test_a_run_that_ends_meanwhile_is_stored_afterwards(running):
    mine = await open_notebook(running, "mine.ipynb")
    await post(running, "/v1/sessions", {"file_id": mine})
    code = "import time\nfor n in range(15):\n    print('line', n, flush=True)\n    time.sleep(0.1)"
    async with follow(running, mine) as editor:
        await editor.change("cell_contents", "replace", {"source": code}, "c1")
        await editor.submit(editor.delta("cell_execute", "execute", None, "c1"))
        shown = await editor.wait_for("append_output_event", timeout=120)
        collection = shown["data"]["parent_collection_id"]
        with held(running.root):
            await editor.wait_for(
                "bulk_cell_state_update_event",
                lambda m: any(s["state"].startswith("finished") for s in m["data"]["cell_states"]),
                120,
            )
    database = sqlite3.connect(running.root / ".rtu_magics" / "rtu.db", timeout=60)
    for _ in range(1200):
        stored = database.execute("SELECT * FROM rtu_cell_states").fetchall()
        if "finished" in str(stored):
            break
        await asyncio.sleep(0.1)
    database.close()
    running.kill()
    again = start_server(running.root)
    try:
        found = await get(again, f"/outputs/collection/{collection}")
        text = "".join(output["content"]["raw"] for output in found["outputs"])
        assert text == "".join(f"line {n}\n" for n in range(15))
    finally:
        again.stop()
