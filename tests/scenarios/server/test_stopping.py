"""A server ends when it is told to, whatever it is at, and nothing freezes it by being many."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from uuid import uuid4

import psutil
import pytest

from ...helpers.rtu import follow, get, open_notebook, post
from ...helpers.server import child_pids

pytestmark = pytest.mark.server

STUCK = """
import sys
from pathlib import Path
from rtu_magics.server.process import launch
from rtu_magics.server.process.own_app import OwnServerApp
instance = OwnServerApp.instance
def more(**given):
    given["jpserver_extensions"]["tests.scenarios.server.stuck_extension"] = True
    return instance(**given)
OwnServerApp.instance = more
sys.exit(launch.main(sys.argv[1:]))
"""


def test_a_server_whose_loop_is_held_for_ever_ends_on_sigterm(tmp_path):
    mark = tmp_path / "stuck"
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, "--root-dir", str(tmp_path)],
        env={**os.environ, "RTU_TEST_STUCK": str(mark), "RTU_END_WITHIN": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert mark.exists(), "the loop was never held"
        process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert "still busy: ending now" in said
    assert "in hold" in said  # where it was


async def queue_many(client, count: int) -> list[str]:
    deltas = [client.delta("cell_execute", "execute", None, "c1") for _ in range(count)]
    for delta in deltas:
        await client.submit(delta)
    return [delta["id"] for delta in deltas]


async def test_many_unfinished_runs_freeze_nothing(server, write_notebook):
    write_notebook(server.root / "many.ipynb", "1")
    file_id = await open_notebook(server, "many.ipynb")
    async with follow(server, file_id) as me, follow(server, file_id) as other:
        run_ids = await queue_many(me, 450)
        await me.wait_for("new_delta_event", lambda m: m["data"]["id"] == run_ids[-1], timeout=60)
        await other.change("cell_contents", "replace", {"source": "2"}, "c1")
        listed = await get(server, f"/v1/files/{file_id}/runs")
        assert {run["execution_id"] for run in listed} >= set(run_ids), "an unfinished one is gone"
        # All of them end, and each is told.
        await other.change("nb_cells", "delete", {"id": "c1"})
        again = await get(server, f"/v1/files/{file_id}/runs")
        assert {run["state"] for run in again} == {"finished_with_error"}
        assert len(again) <= 200
    assert server.stop() == 0


async def test_many_unfinished_scratch_runs_freeze_nothing(server, write_notebook):
    write_notebook(server.root / "many.ipynb", "1")
    file_id = await open_notebook(server, "many.ipynb")
    async with follow(server, file_id) as me:
        for _ in range(230):
            reply = await me.request(
                me.files, "scratch_request", {"execution_id": str(uuid4()), "source": "1"}
            )
            assert reply["data"]["success"], reply
        await me.change("cell_contents", "replace", {"source": "2"}, "c1")
    assert server.stop() == 0


@pytest.mark.kernel
async def test_many_runs_wait_for_one_and_all_end(server, write_notebook):
    write_notebook(server.root / "many.ipynb", "import time; time.sleep(1)", "2")
    file_id = await open_notebook(server, "many.ipynb")
    async with follow(server, file_id) as me:
        await post(server, "/v1/sessions", {"file_id": file_id})
        first = await me.execute("c1")
        deltas = [me.delta("cell_execute", "execute", None, "c2") for _ in range(250)]
        for delta in deltas:
            await me.submit(delta)
        last = deltas[-1]["id"]
        await me.wait_for(
            "bulk_cell_state_update_event",
            lambda m: any(
                s.get("execution_id") == last and s["state"].startswith("finished")
                for s in m["data"]["cell_states"]
            ),
            timeout=120,
        )
        listed = await get(server, f"/v1/files/{file_id}/runs")
        assert {run["state"] for run in listed} == {"finished_with_no_error"}
        assert listed[0]["execution_id"] == last
        assert first not in {run["execution_id"] for run in listed[:200]}
    children = child_pids(server.pid)
    assert server.stop() == 0
    await asyncio.sleep(0.2)
    assert not [pid for pid in children if psutil.pid_exists(pid)]
