"""Runs on the wire: listed, kept apart, each brought to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from ...helpers.rtu import call, follow, get, open_notebook
from ...helpers.server import start_server
from .test_questions import attach, launch, texts

pytestmark = [pytest.mark.server, pytest.mark.kernel]

SLOW = "import time\nprint('begun', flush=True)\ntime.sleep({})\nprint('done')"


async def scratch(client, source, **more):
    """Run code without a cell; returns its execution id."""
    execution_id = str(uuid4())
    await attach(client, execution_id)
    reply = await client.request(
        client.files, "scratch_request", {"execution_id": execution_id, "source": source, **more}
    )
    assert reply["event"] == "scratch_reply", reply
    assert reply["data"]["success"], reply
    return execution_id


async def scratch_over(client, execution_id):
    message = await client.wait_for(
        "run_state_event",
        lambda m: (
            m["data"]["execution_id"] == execution_id and m["data"]["state"].startswith("finished")
        ),
    )
    return message["data"]


async def test_scratch_is_its_starters_alone(shared_server, write_notebook):
    write_notebook(shared_server.root / "scratch.ipynb", "1")
    file_id = await open_notebook(shared_server, "scratch.ipynb")
    async with follow(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        await launch(shared_server, me)
        run_id = await scratch(me, "print('mine')\n6 * 7")
        state = await scratch_over(me, run_id)
        assert (state["cell_id"], state["state"]) == ("", "finished_with_no_error")
        outputs = [m["data"] for m in me.log if m["event"] == "append_output_event"]
        assert {o["execution_id"] for o in outputs} == {run_id}
        assert {o.get("cell_id") for o in outputs} == {None}
        assert texts({"outputs": outputs}) == "mine\n"
        (run,) = await get(shared_server, f"/v1/files/{file_id}/runs")
        assert (run["scratch"], run["cell_ids"], run["state"]) == (
            True,
            [""],
            "finished_with_no_error",
        )
        stored = await get(shared_server, f"/outputs/collection/{run['collections']['']}")
        assert [o["type"] for o in stored["outputs"]] == ["stream", "execute_result"]
        # The other connection saw that the kernel was at work, and nothing else.
        await other.request("system", "ping_request")
        seen = {m["event"] for m in other.log}
        assert not seen & {"append_output_event", "run_state_event", "new_delta_event"}


async def test_an_expression_is_evaluated_and_its_value_not_shown(shared_server, write_notebook):
    write_notebook(shared_server.root / "expression.ipynb", "1")
    file_id = await open_notebook(shared_server, "expression.ipynb")
    async with follow(shared_server, file_id) as me:
        await launch(shared_server, me)
        run_id = await scratch(me, "print('seen') or 6 * 7", expression=True)
        state = await scratch_over(me, run_id)
        assert state["state"] == "finished_with_no_error"
        outputs = [m["data"] for m in me.log if m["event"] == "append_output_event"]
        assert [o["type"] for o in outputs] == ["stream"]
        assert texts({"outputs": outputs}) == "seen\n"
        failing = await scratch(me, "{}['there is no such key']", expression=True)
        state = await scratch_over(me, failing)
        assert state["state"] == "finished_with_error"
        assert state["cause"] == "KeyError: 'there is no such key'"


async def test_scratch_waits_for_its_turn_and_asks(shared_server, write_notebook):
    write_notebook(shared_server.root / "turn.ipynb", SLOW.format(0.5))
    file_id = await open_notebook(shared_server, "turn.ipynb")
    async with follow(shared_server, file_id) as me:
        await launch(shared_server, me)
        await me.execute("c1")
        run_id = await scratch(me, "print(input('? '))")
        asked = (await me.wait_for("input_request_event"))["data"]
        assert (asked["cell_id"], asked["execution_id"]) == ("", run_id)
        assert [
            s["state"]
            for m in me.log
            if m["event"] == "bulk_cell_state_update_event"
            for s in m["data"]["cell_states"]
        ][-1] == "finished_with_no_error"
        await me.send(
            me.files, "input_reply_request", {"request_id": asked["request_id"], "value": "x"}
        )
        assert (await scratch_over(me, run_id))["state"] == "finished_with_no_error"


async def test_scratch_requests_that_are_none(shared_server, write_notebook):
    write_notebook(shared_server.root / "none.ipynb", "1")
    file_id = await open_notebook(shared_server, "none.ipynb")
    async with follow(shared_server, file_id) as me:
        await launch(shared_server, me)
        empty = {"execution_id": str(uuid4()), "source": " \n"}
        reply = await me.request(me.files, "scratch_request", empty)
        assert reply["data"] == {"success": False, "message": "there is no code to run"}
        run_id = await scratch(me, "n = globals().get('n', 0) + 1\nprint(n)")
        await scratch_over(me, run_id)
        again = {"execution_id": run_id, "source": "n = globals().get('n', 0) + 1"}
        reply = await me.request(me.files, "scratch_request", again)
        assert reply["data"] == {"success": True}  # asked for again, after a lost connection
        await me.nothing_more()
        cell_run = await me.execute("c1")
        await me.finished("c1")
        taken = {"execution_id": cell_run, "source": "1"}
        reply = await me.request(me.files, "scratch_request", taken)
        assert reply["data"] == {"success": False, "message": "another run has this id"}


@pytest.mark.parametrize("how", ["restart", "deletion"])
async def test_each_of_several_requests_for_a_cell_ends(shared_server, write_notebook, how):
    path = f"several-{how}.ipynb"
    write_notebook(shared_server.root / path, SLOW.format(20), "1")
    file_id = await open_notebook(shared_server, path)
    async with follow(shared_server, file_id) as me:
        session = await launch(shared_server, me)
        run_ids = [await me.execute("c1") for _ in range(3)]
        await me.wait_for("append_output_event")
        if how == "restart":
            await call(shared_server, "POST", f"/v1/sessions/{session['id']}/restart")
        else:
            await me.submit(me.delta("nb_cells", "delete", {"id": "c1"}, "c1"))
        left = set(run_ids)
        while left:
            message = await me.wait_for("bulk_cell_state_update_event")
            for state in message["data"]["cell_states"]:
                if state["state"] == "finished_with_error":
                    assert state["cause"]
                    left.discard(state["execution_id"])
        runs = {r["execution_id"]: r for r in await get(shared_server, f"/v1/files/{file_id}/runs")}
        assert {runs[run_id]["state"] for run_id in run_ids} == {"finished_with_error"}
        if how == "restart":  # the last request for a cell is what it shows
            assert message["data"]["cell_states"][0]["execution_id"] == run_ids[-1]
        await call(shared_server, "DELETE", f"/sessions/{session['id']}")


async def test_runs_after_a_restart_of_the_server(tmp_path, write_notebook):
    write_notebook(tmp_path / "kept.ipynb", "print('one')", "1 / 0", SLOW.format(60))
    server = start_server(tmp_path)
    try:
        file_id = await open_notebook(server, "kept.ipynb")
        async with follow(server, file_id) as me:
            await launch(server, me)
            ids = []
            for cell_id in ("c1", "c2"):
                ids.append(await me.execute(cell_id))
                await me.finished(cell_id)
            ids.append(await me.execute("c3"))
            await me.wait_for("append_output_event", lambda m: m["data"]["execution_id"] == ids[-1])
            await asyncio.sleep(0.5)  # outputs are stored four times a second
        server.kill()
        server = start_server(tmp_path, token=server.token)
        runs = await get(server, f"/v1/files/{file_id}/runs")
        assert [r["execution_id"] for r in runs] == ids[::-1]
        assert [r["state"] for r in runs] == [
            "finished_with_error",
            "finished_with_error",
            "finished_with_no_error",
        ]
        assert "the server restarted" in runs[0]["cell_states"][0]["cause"]
        assert all(r["user_id"] for r in runs)
        for run, text in zip(runs, ("begun\n", "", "one\n"), strict=True):
            (collection_id,) = run["collections"].values()
            stored = await get(server, f"/outputs/collection/{collection_id}")
            assert texts(stored) == text
        async with follow(server, file_id) as me:
            attached = await attach(me, ids[0], look=True)
            assert attached["run"]["state"] == "finished_with_no_error"
    finally:
        server.stop()


def shows(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: any(s["state"] == name for s in message["data"]["cell_states"])


async def test_clearing(shared_server, write_notebook):
    write_notebook(shared_server.root / "clear.ipynb", "print('x')", "2", "3")
    file_id = await open_notebook(shared_server, "clear.ipynb")
    path = f"/v1/files/{file_id}/clear-outputs"
    async with follow(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        await launch(shared_server, me)
        run_id = await me.execute("c1")
        await me.finished("c1")
        cleared = await call(shared_server, "POST", path, {"cell_ids": ["c1", "c2"]})
        assert cleared.json() == {"cell_ids": ["c1"]}
        delta = await other.wait_for(
            "new_delta_event",
            lambda m: (
                m["data"]["delta_type"] == "cell_output_collection"
                and m["data"]["created_by_id"] is not None
            ),
        )
        update = await other.wait_for("update_output_collection_event")
        assert update["data"]["outputs"] == []
        assert update["data"]["cell_id"] == "c1"
        assert delta["data"]["resource_id"] == "c1"
        # As in JupyterLab, it counts as not run: no number, no word on how it ended.
        states = await other.wait_for("bulk_cell_state_update_event", shows("not_run"))
        assert states["data"]["cell_states"] == [{"cell_id": "c1", "state": "not_run"}]
        # Who still looks at the run keeps what it gave.
        runs = await get(shared_server, f"/v1/files/{file_id}/runs")
        (collection_id,) = next(r for r in runs if r["execution_id"] == run_id)[
            "collections"
        ].values()
        stored = await get(shared_server, f"/outputs/collection/{collection_id}")
        assert texts(stored) == "x\n"
        assert (await call(shared_server, "POST", path, {})).json() == {"cell_ids": []}
        missing = await call(shared_server, "POST", path, {"cell_ids": ["nosuch"]})
        assert (missing.status_code, missing.json()["message"]) == (404, "there is no cell nosuch")


async def test_two_people_run_what_may_fail_at_once(shared_server, write_notebook):
    write_notebook(shared_server.root / "may.ipynb", "raise ValueError('no')", "print('on')")
    file_id = await open_notebook(shared_server, "may.ipynb")
    async with follow(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        await me.change(
            "cell_metadata", "update", {"path": ["tags"], "value": ["raises-exception"]}, "c1"
        )
        await launch(shared_server, me)
        for _ in range(5):
            deltas = [client.delta("cell_execute", "execute_all") for client in (me, other)]
            await asyncio.gather(me.submit(deltas[0]), other.submit(deltas[1]))
            for client in (me, other):
                left = {(delta["id"], cell) for delta in deltas for cell in ("c1", "c2")}
                while left:
                    message = await client.wait_for("bulk_cell_state_update_event")
                    for state in message["data"]["cell_states"]:
                        if not state["state"].startswith("finished_"):
                            continue
                        left.discard((state.get("execution_id"), state["cell_id"]))
                        expected = "expected_error" if state["cell_id"] == "c1" else None
                        assert state.get("reason") == expected, state
            runs = await get(shared_server, f"/v1/files/{file_id}/runs")
            for delta in deltas:
                (run,) = (run for run in runs if run["execution_id"] == delta["id"])
                collection = await get(
                    shared_server, f"/outputs/collection/{run['collections']['c2']}"
                )
                assert texts(collection) == "on\n"
