"""Running cells: the order of messages that the protocol demands, and what becomes of failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ...helpers.rtu import NotebookClient, follow, get, open_notebook, post
from ...helpers.server import RunningServer, child_pids

pytestmark = [pytest.mark.server, pytest.mark.kernel]


async def launch(
    server: RunningServer, client: NotebookClient, name: str | None = "python3"
) -> Any:
    session = await post(
        server,
        "/v1/sessions",
        {"file_id": client.file_id, "kernel_config": {"kernel_name": name}},
    )
    await client.wait_for(
        "kernel_status_update_event",
        lambda m: m["data"]["kernel"]["execution_state"] == "idle",
    )
    return session


def brief(message: dict[str, Any]) -> str:
    data = message["data"]
    match message["event"]:
        case "kernel_status_update_event":
            return f"status {data['kernel']['execution_state']}"
        case "bulk_cell_state_update_event":
            return "bulk " + " ".join(f"{s['cell_id']}:{s['state']}" for s in data["cell_states"])
        case "new_delta_event":
            return f"delta {data['delta_type']} {data['delta_action']}"
        case "append_output_event":
            return f"output {data['type']}{' more' if data.get('continues') else ''}"
    return message["event"]


async def until_idle(client: NotebookClient, times: int = 1) -> list[str]:
    found: list[str] = []
    while found.count("status idle") < times:
        found.append(brief(await client.next(30)))
    return found


async def test_order_of_one_execution(shared_server, write_notebook):
    write_notebook(shared_server.root / "order.ipynb", "print('hello ', end='')\nprint('world')\n4")
    file_id = await open_notebook(shared_server, "order.ipynb")
    async with follow(shared_server, file_id) as client:
        session = await launch(shared_server, client)
        assert session["kernel"]["execution_state"] in ("requested", "starting")
        execution_id = await client.execute("c1")
        found = await until_idle(client)
        outputs = [line for line in found if line.startswith("output")]
        assert [line for line in found if not line.startswith("output")] == [
            "new_delta_reply",
            "delta cell_execute execute",
            "bulk c1:queued",
            "status busy",
            "bulk c1:executing",
            "delta cell_output_collection replace",
            "bulk c1:finished_with_no_error",
            "status idle",
        ]
        assert outputs[0] == "output stream"
        assert outputs[-1] == "output execute_result"
        assert found.index(outputs[-1]) < found.index("bulk c1:finished_with_no_error")
        delta = next(
            m["data"] for m in client.log if brief(m) == "delta cell_output_collection replace"
        )
        collection_id = delta["properties"]["output_collection_id"]
        collection = await get(shared_server, f"/outputs/collection/{collection_id}")
        assert collection["cell_id"] == "c1"
        assert collection["file_id"] == file_id
        assert collection["execution_id"] == execution_id
        stream, result = collection["outputs"]
        assert stream["content"] == {
            "mimetype": "application/vnd.rtu.stdout",
            "raw": "hello world\n",
            "url": None,
        }
        assert result["type"] == "execute_result"
        assert result["content"]["raw"] == "4"
        assert result["data"] == {"text/plain": "4"}
        final = [m for m in client.log if m["event"] == "bulk_cell_state_update_event"][-1]
        assert final["data"]["cell_states"][0].pop("source_digest")
        assert final["data"]["cell_states"] == [
            {
                "cell_id": "c1",
                "state": "finished_with_no_error",
                "execution_id": execution_id,
                "execution_count": 1,
            }
        ]
        assert final["data"]["kernel_session_id"] == session["id"]


async def test_a_new_collection_every_run_even_without_output(shared_server, write_notebook):
    write_notebook(shared_server.root / "again.ipynb", "x = 1")
    file_id = await open_notebook(shared_server, "again.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        ids = []
        for _ in range(2):
            await client.execute("c1")
            delta = await client.wait_for(
                "new_delta_event",
                lambda m: m["data"]["delta_type"] == "cell_output_collection",
            )
            ids.append(delta["data"]["properties"]["output_collection_id"])
            await client.finished("c1")
        assert ids[0] != ids[1]
        for collection_id in ids:
            found = await get(shared_server, f"/outputs/collection/{collection_id}")
            assert found["outputs"] == []


async def test_run_all_stops_at_the_error_but_other_requests_go_on(shared_server, write_notebook):
    write_notebook(
        shared_server.root / "all.ipynb",
        "a = 1",
        "  \n",
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "text"},
        "1 / 0",
        "b = 2",
    )
    file_id = await open_notebook(shared_server, "all.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        await client.submit(client.delta("cell_execute", "execute_all"))
        other = await client.execute("c1")
        failed = await client.finished("c4")
        assert failed["state"] == "finished_with_error"
        assert failed["cause"] == "ZeroDivisionError: division by zero"
        bulk = client.log[client.at - 1]
        states = {s["cell_id"]: s for s in bulk["data"]["cell_states"]}
        assert states["c5"]["state"] == "finished_with_error"
        assert "earlier cell" in states["c5"]["cause"]
        assert set(states) == {"c1", "c4", "c5"}
        again = await client.wait_for(
            "bulk_cell_state_update_event",
            lambda m: any(
                s.get("execution_id") == other and s["state"] == "finished_with_no_error"
                for s in m["data"]["cell_states"]
            ),
        )
        assert again
        error = next(m for m in client.log if m["event"] == "append_output_event")["data"]
        assert error["type"] == "error"
        assert error["ename"] == "ZeroDivisionError"
        assert any("ZeroDivisionError" in line for line in error["traceback"])


@pytest.mark.parametrize(
    ("action", "expected"),
    [("execute_before", ["c1", "c2"]), ("execute_after", ["c2", "c3"])],
)
async def test_before_and_after_include_the_cell(shared_server, write_notebook, action, expected):
    write_notebook(shared_server.root / f"{action}.ipynb", "1", "2", "3")
    file_id = await open_notebook(shared_server, f"{action}.ipynb")
    async with follow(shared_server, file_id) as client:
        await client.submit(client.delta("cell_execute", action, None, "c2"))
        bulk = await client.wait_for("bulk_cell_state_update_event")
        assert [s["cell_id"] for s in bulk["data"]["cell_states"]] == expected
        assert {s["state"] for s in bulk["data"]["cell_states"]} == {"queued"}


async def test_without_a_kernel_cells_wait_until_one_starts(shared_server, write_notebook):
    write_notebook(shared_server.root / "wait.ipynb", "print(1)")
    file_id = await open_notebook(shared_server, "wait.ipynb")
    async with follow(shared_server, file_id) as client:
        await client.execute("c1")
        await client.wait_for("bulk_cell_state_update_event")
        await client.nothing_more()
        async with follow(shared_server, file_id) as late:
            bulk = await late.wait_for("bulk_cell_state_update_event")
            assert bulk["data"]["cell_states"][0]["state"] == "queued"
        await post(shared_server, "/v1/sessions", {"file_id": file_id})
        assert (await client.finished("c1"))["state"] == "finished_with_no_error"


async def test_source_is_that_of_the_acceptance(shared_server, write_notebook):
    write_notebook(shared_server.root / "snap.ipynb", "print('old')")
    file_id = await open_notebook(shared_server, "snap.ipynb")
    async with follow(shared_server, file_id) as client:
        await client.execute("c1")
        await client.change("cell_contents", "replace", {"source": "print('new')"}, "c1")
        await post(shared_server, "/v1/sessions", {"file_id": file_id})
        output = await client.wait_for("append_output_event")
        assert output["data"]["content"]["raw"] == "old\n"


async def test_sql_cells_finish_with_a_clear_error(shared_server, write_notebook):
    sql = {
        "cell_type": "code",
        "id": "sql",
        "metadata": {"noteable": {"cell_type": "sql"}},
        "source": "select 1",
        "outputs": [],
        "execution_count": None,
    }
    write_notebook(shared_server.root / "sql.ipynb", sql)
    file_id = await open_notebook(shared_server, "sql.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        await client.execute("sql")
        output = await client.wait_for("append_output_event")
        assert output["data"]["ename"] == "NoDataSource"
        assert (await client.finished("sql"))["state"] == "finished_with_error"


async def test_a_cell_deleted_while_it_waits_or_runs(shared_server, write_notebook):
    write_notebook(shared_server.root / "gone.ipynb", "import time; time.sleep(1)", "2", "3")
    file_id = await open_notebook(shared_server, "gone.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        await client.submit(client.delta("cell_execute", "execute_all"))
        await client.wait_for(
            "bulk_cell_state_update_event",
            lambda m: m["data"]["cell_states"][0]["state"] == "executing",
        )
        await client.change("nb_cells", "delete", {"id": "c2"})
        assert (await client.finished("c2"))["cause"] == "the cell was deleted"
        await client.change("nb_cells", "delete", {"id": "c1"})
        assert (await client.finished("c1"))["cause"] == "the cell was deleted"
        final = await client.finished("c3")
        assert final["state"] == "finished_with_no_error"
        bulk = client.log[client.at - 1]["data"]["cell_states"]
        assert [s["cell_id"] for s in bulk] == ["c3"]


async def test_interrupt(shared_server, write_notebook):
    write_notebook(shared_server.root / "int.ipynb", "import time\ntime.sleep(60)", "2")
    file_id = await open_notebook(shared_server, "int.ipynb")
    async with follow(shared_server, file_id) as client:
        session = await launch(shared_server, client)
        await client.execute("c1")
        await client.wait_for(
            "new_delta_event", lambda m: m["data"]["delta_type"] == "cell_output_collection"
        )
        await asyncio.sleep(0.3)
        await post_empty(shared_server, f"/v1/sessions/{session['id']}/interrupt")
        output = await client.wait_for("append_output_event")
        assert output["data"]["ename"] == "KeyboardInterrupt"
        assert (await client.finished("c1"))["state"] == "finished_with_error"
        await client.execute("c2")
        assert (await client.finished("c2"))["state"] == "finished_with_no_error"


async def post_empty(server: RunningServer, path: str, expected: int = 204) -> None:
    from ...helpers.rtu import call

    response = await call(server, "POST", path)
    assert response.status_code == expected, response.text


async def test_the_kernel_dies(shared_server, write_notebook):
    write_notebook(
        shared_server.root / "dies.ipynb", "import os, signal\nos.kill(os.getpid(), 9)", "2"
    )
    file_id = await open_notebook(shared_server, "dies.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        await client.submit(client.delta("cell_execute", "execute_all"))
        output = await client.wait_for("append_output_event")
        assert output["data"]["ename"] == "KernelDied"
        assert (await client.finished("c1"))["state"] == "finished_with_error"
        states = {
            s["cell_id"]: s["state"] for s in client.log[client.at - 1]["data"]["cell_states"]
        }
        assert states["c2"] == "finished_with_error"
        # Jupyter starts it again by itself, and it runs cells again.
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "idle",
        )
        await client.execute("c2")
        assert (await client.finished("c2"))["state"] == "finished_with_no_error"


async def test_restart_forgets_and_shutdown_ends(shared_server, write_notebook):
    write_notebook(shared_server.root / "restart.ipynb", "x = 1", "x")
    file_id = await open_notebook(shared_server, "restart.ipynb")
    async with follow(shared_server, file_id) as client:
        session = await launch(shared_server, client)
        await client.execute("c1")
        await client.finished("c1")
        await post_empty(shared_server, f"/v1/sessions/{session['id']}/restart", 202)
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "restarting",
        )
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "idle",
        )
        await client.execute("c2")
        assert "NameError" in (await client.finished("c2"))["cause"]
        before = set(child_pids(shared_server.pid))
        from ...helpers.rtu import call

        response = await call(shared_server, "DELETE", f"/sessions/{session['id']}")
        assert response.status_code == 204
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "shutdown",
        )
        assert await get(shared_server, f"/v1/files/{file_id}/session") is None
        assert len(set(child_pids(shared_server.pid))) < len(before)


async def test_two_launches_give_one_kernel(shared_server, write_notebook):
    write_notebook(shared_server.root / "two.ipynb", "1")
    file_id = await open_notebook(shared_server, "two.ipynb")
    body = {"file_id": file_id, "kernel_config": {"kernel_name": "python3"}}
    first, second = await asyncio.gather(
        post(shared_server, "/v1/sessions", body), post(shared_server, "/v1/sessions", body)
    )
    assert first["id"] == second["id"]


async def test_a_kernel_that_somebody_else_starts_is_noticed(shared_server, write_notebook):
    import httpx

    write_notebook(shared_server.root / "other.ipynb", "1")
    file_id = await open_notebook(shared_server, "other.ipynb")
    async with follow(shared_server, file_id) as client:
        async with httpx.AsyncClient(base_url=shared_server.url, trust_env=False) as http:
            headers = {"Authorization": f"token {shared_server.token}"}
            body = {
                "path": "other.ipynb",
                "name": "other.ipynb",
                "type": "notebook",
                "kernel": {"name": "python3"},
            }
            response = await http.post("/api/sessions", json=body, headers=headers, timeout=30)
            assert response.status_code == 201
            session = response.json()
            status = await client.wait_for(
                "kernel_status_update_event",
                lambda m: m["data"]["kernel"]["execution_state"] == "idle",
            )
            assert status["data"]["session_id"] == session["id"]
            await http.delete(f"/api/sessions/{session['id']}", headers=headers, timeout=30)
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "shutdown",
        )


async def test_a_hundred_thousand_prints(shared_server, write_notebook):
    write_notebook(shared_server.root / "many.ipynb", "for i in range(100_000): print(i)")
    file_id = await open_notebook(shared_server, "many.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        await client.execute("c1")
        await client.finished("c1", timeout=60)
        outputs = [m["data"] for m in client.log if m["event"] == "append_output_event"]
        assert len({o["id"] for o in outputs}) == 1
        assert [bool(o.get("continues")) for o in outputs] == [False] + [True] * (len(outputs) - 1)
        text = "".join(o["content"]["raw"] for o in outputs)
        assert text == "".join(f"{i}\n" for i in range(100_000))


async def test_displays_update_and_clear(shared_server, write_notebook):
    write_notebook(
        shared_server.root / "display.ipynb",
        "from IPython.display import display, clear_output\n"
        "h = display('one', display_id=True)\nh.update('two')",
        "print('a'); clear_output(); print('b')",
        "h.update('three')",
    )
    file_id = await open_notebook(shared_server, "display.ipynb")
    async with follow(shared_server, file_id) as client:
        await launch(shared_server, client)
        await client.submit(client.delta("cell_execute", "execute_all"))
        first = await client.wait_for("append_output_event")
        await client.finished("c3")
        update = [m for m in client.log if m["event"] == "update_outputs_by_display_id_event"][-1]
        assert update["data"]["output_ids"] == [first["data"]["id"]]
        assert update["data"]["data"] == {"text/plain": "'three'"}
        collection = await get(
            shared_server, f"/outputs/collection/{first['data']['parent_collection_id']}"
        )
        assert collection["outputs"][0]["content"]["raw"] == "'three'"
        ids = [
            m["data"]["properties"]["output_collection_id"]
            for m in client.log
            if brief(m) == "delta cell_output_collection replace"
        ]
        cleared = await get(shared_server, f"/outputs/collection/{ids[1]}")
        assert [o["content"]["raw"] for o in cleared["outputs"]] == ["b\n"]


async def test_unknown_kernel_name(shared_server, write_notebook):
    from ...helpers.rtu import call

    write_notebook(shared_server.root / "noname.ipynb", "1")
    file_id = await open_notebook(shared_server, "noname.ipynb")
    body = {"file_id": file_id, "kernel_config": {"kernel_name": "cobol"}}
    response = await call(shared_server, "POST", "/v1/sessions", body)
    assert response.status_code == 422
    assert response.json()["message"].startswith("no kernel named 'cobol'; installed: ")
    assert response.json()["reason"] == "kernel_unknown"
