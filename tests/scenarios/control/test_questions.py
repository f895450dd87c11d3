"""``input()`` in remote cells, on the wire: who is asked, who sees that it waits, who is not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ...helpers.rtu import NotebookClient, call, follow, get, open_notebook
from ...helpers.server import RunningServer
from ..server.test_execution import launch

pytestmark = [pytest.mark.server, pytest.mark.kernel]

ASK = "print('before')\nname = input('Name? ')\nprint('hello', name)"


@contextlib.asynccontextmanager
async def started(server: RunningServer, file_id: str) -> AsyncIterator[NotebookClient]:
    async with follow(server, file_id) as client:
        await launch(server, client)
        yield client


async def run_asking(client: NotebookClient, cell_id: str = "c1", **more: Any) -> str:
    """Run a cell as our own client does it: attached before the request."""
    delta = client.delta("cell_execute", "execute", None, cell_id)
    await attach(client, delta["id"], **more)
    await client.submit(delta)
    return delta["id"]


async def attach(client: NotebookClient, execution_id: str, **more: Any) -> Any:
    reply = await client.request(
        client.files, "attach_request", {"execution_id": execution_id, **more}
    )
    assert reply["event"] == "attach_reply", reply
    return reply["data"]


async def answer(client: NotebookClient, request_id: str, value: str) -> Any:
    transaction_id = await client.send(
        client.files, "input_reply_request", {"request_id": request_id, "value": value}
    )
    reply = await client.wait_for(
        "input_reply_reply", lambda m: m["transaction_id"] == transaction_id
    )
    return reply["data"]


def waiting(message: dict[str, Any]) -> bool:
    return any(state.get("waiting_for_input") for state in message["data"]["cell_states"])


def texts(collection: Any) -> str:
    return "".join(o["content"]["raw"] for o in collection["outputs"] if o["type"] == "stream")


async def outputs_of(server: RunningServer, client: NotebookClient, run_id: str) -> Any:
    runs = await get(server, f"/v1/files/{client.file_id}/runs")
    run = next(run for run in runs if run["execution_id"] == run_id)
    (collection_id,) = run["collections"].values()
    return await get(server, f"/outputs/collection/{collection_id}")


async def test_asked_here_answered_there(shared_server, write_notebook):
    write_notebook(shared_server.root / "ask.ipynb", ASK)
    file_id = await open_notebook(shared_server, "ask.ipynb")
    async with started(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        run_id = await run_asking(me)
        asked = (await me.wait_for("input_request_event"))["data"]
        assert (asked["prompt"], asked["password"], asked["cell_id"]) == ("Name? ", False, "c1")
        assert asked["execution_id"] == run_id
        # What was printed before stands before the question.
        kinds = [m["event"] for m in me.log]
        assert "append_output_event" in kinds[: kinds.index("input_request_event")]
        await other.wait_for("bulk_cell_state_update_event", waiting)
        refused = await answer(other, asked["request_id"], "Eve")
        assert refused["success"] is False
        assert (await answer(me, asked["request_id"], "Ada"))["success"] is True
        assert (await me.finished("c1"))["state"] == "finished_with_no_error"
        assert (await other.finished("c1"))["state"] == "finished_with_no_error"
        assert "input_request_event" not in [m["event"] for m in other.log]
        last = [m for m in other.log if m["event"] == "bulk_cell_state_update_event"][-1]
        assert not waiting(last)
        assert texts(await outputs_of(shared_server, me, run_id)) == "before\nhello Ada\n"
        late = await answer(me, asked["request_id"], "again")
        assert late == {
            "success": False,
            "message": "the cell does not wait for this input any more",
        }


async def test_who_attaches_with_the_request_itself_is_asked(shared_server, write_notebook):
    write_notebook(shared_server.root / "with.ipynb", ASK)
    file_id = await open_notebook(shared_server, "with.ipynb")
    async with started(shared_server, file_id) as me:
        delta = me.delta("cell_execute", "execute", None, "c1")
        await me.submit(delta, attach="ask")
        asked = (await me.wait_for("input_request_event"))["data"]
        assert asked["execution_id"] == delta["id"]
        assert (await answer(me, asked["request_id"], "Ada"))["success"] is True
        assert (await me.finished("c1"))["state"] == "finished_with_no_error"
        asked_before = [m["event"] for m in me.log].count("input_request_event")
        background = me.delta("cell_execute", "execute", None, "c1")
        await me.submit(background, attach="keep")
        # Nobody may be there when it asks, so it fails at once.
        assert (await me.finished("c1"))["state"] == "finished_with_error"
        asked_now = [m["event"] for m in me.log].count("input_request_event")
        assert asked_now == asked_before == 1


async def test_passwords_and_several_questions(shared_server, write_notebook):
    write_notebook(
        shared_server.root / "secret.ipynb",
        "import getpass\na = getpass.getpass('Key: ')\nb = input()\nprint(len(a), b)",
    )
    file_id = await open_notebook(shared_server, "secret.ipynb")
    async with started(shared_server, file_id) as me:
        run_id = await run_asking(me)
        for value, password in (("geheim", True), ("ok", False)):
            asked = (await me.wait_for("input_request_event"))["data"]
            assert asked["password"] is password
            await answer(me, asked["request_id"], value)
        await me.finished("c1")
        assert texts(await outputs_of(shared_server, me, run_id)) == "6 ok\n"


@pytest.mark.parametrize("how", ["as other programs run cells", "in the background"])
async def test_nobody_to_ask_fails_at_once(shared_server, write_notebook, how):
    path = f"{how.split()[-1]}.ipynb"
    write_notebook(shared_server.root / path, ASK)
    file_id = await open_notebook(shared_server, path)
    async with started(shared_server, file_id) as me:
        if how == "in the background":
            run_id = await run_asking(me, keep=True)
        else:
            run_id = await me.execute("c1")
        state = await me.finished("c1")
        assert state["state"] == "finished_with_error"
        assert state["cause"].startswith("StdinNotImplementedError: ")
        outputs = (await outputs_of(shared_server, me, run_id))["outputs"]
        assert outputs[-1]["ename"] == "StdinNotImplementedError"


async def test_a_question_waits_for_whoever_attaches(shared_server, write_notebook):
    write_notebook(shared_server.root / "gone.ipynb", ASK)
    file_id = await open_notebook(shared_server, "gone.ipynb")
    async with follow(shared_server, file_id) as other:
        async with started(shared_server, file_id) as me:
            run_id = await run_asking(me)
            await me.wait_for("input_request_event")
        # The one who was asked is gone, and with that the question is nobody's.
        attached = await attach(other, run_id, look=True)
        assert attached["run"]["state"] == "executing"
        assert attached["run"]["cell_states"][0]["waiting_for_input"] is True
        asked = (await other.wait_for("input_request_event"))["data"]
        assert (await answer(other, asked["request_id"], "Bo"))["success"] is True
        assert (await other.finished("c1"))["state"] == "finished_with_no_error"
        assert texts(await outputs_of(shared_server, other, run_id)).endswith("hello Bo\n")


async def test_the_next_in_line_is_asked_when_the_first_goes(shared_server, write_notebook):
    write_notebook(shared_server.root / "line.ipynb", ASK)
    file_id = await open_notebook(shared_server, "line.ipynb")
    async with follow(shared_server, file_id) as second:
        async with started(shared_server, file_id) as first:
            run_id = await run_asking(first)
            await first.wait_for("input_request_event")
            await attach(second, run_id)
            await first.nothing_more(0.1)
        asked = (await second.wait_for("input_request_event"))["data"]
        await answer(second, asked["request_id"], "next")
        await second.finished("c1")


async def test_interrupt_ends_the_question(shared_server, write_notebook):
    write_notebook(shared_server.root / "stop.ipynb", ASK, "1 + 1")
    file_id = await open_notebook(shared_server, "stop.ipynb")
    async with started(shared_server, file_id) as me:
        await run_asking(me)
        asked = (await me.wait_for("input_request_event"))["data"]
        session = await get(shared_server, f"/v1/files/{file_id}/session")
        await call(shared_server, "POST", f"/v1/sessions/{session['session_id']}/interrupt")
        state = await me.finished("c1")
        assert state["state"] == "finished_with_error"
        assert state["cause"].startswith("KeyboardInterrupt")
        assert (await answer(me, asked["request_id"], "late"))["success"] is False
        await me.execute("c2")
        assert (await me.finished("c2"))["state"] == "finished_with_no_error"


async def test_interrupt_right_behind_the_beginning(shared_server, write_notebook):
    """A kernel that has been asked and has not begun yet would ignore it."""
    write_notebook(shared_server.root / "early.ipynb", "import time; time.sleep(60)")
    file_id = await open_notebook(shared_server, "early.ipynb")
    async with started(shared_server, file_id) as me:
        session = await get(shared_server, f"/v1/files/{file_id}/session")
        for _ in range(8):
            run_id = await me.execute("c1")

            def begins(message, run_id=run_id):
                states = message["data"]["cell_states"]
                return any(
                    s["execution_id"] == run_id and s["state"] == "executing" for s in states
                )

            await me.wait_for("bulk_cell_state_update_event", begins)
            await call(shared_server, "POST", f"/v1/sessions/{session['session_id']}/interrupt")
            state = await me.finished("c1", 20)
            assert state["execution_id"] == run_id
            assert state["cause"].startswith("KeyboardInterrupt")


async def test_end_of_file(shared_server, write_notebook):
    source = "try:\n    input()\nexcept EOFError:\n    print('end')"
    write_notebook(shared_server.root / "eof.ipynb", source)
    file_id = await open_notebook(shared_server, "eof.ipynb")
    async with started(shared_server, file_id) as me:
        run_id = await run_asking(me)
        asked = (await me.wait_for("input_request_event"))["data"]
        await answer(me, asked["request_id"], "\x04")
        await me.finished("c1")
        assert texts(await outputs_of(shared_server, me, run_id)) == "end\n"


async def test_unknown_questions_and_long_answers(shared_server, write_notebook):
    write_notebook(shared_server.root / "odd.ipynb", "1")
    file_id = await open_notebook(shared_server, "odd.ipynb")
    async with follow(shared_server, file_id) as me:
        assert (await answer(me, str(uuid4()), "x"))["success"] is False
        assert "1,000,000" in (await answer(me, str(uuid4()), "x" * 1_000_001))["message"]
        attached = await attach(me, str(uuid4()), look=True)
        assert attached == {"success": True, "run": None}


async def end_by(server: RunningServer, client: NotebookClient, how: str) -> None:
    session = (await get(server, f"/v1/files/{client.file_id}/session"))["session_id"]
    if how == "delete":
        await client.change("nb_cells", "delete", {"id": "c1"})
    elif how == "shutdown":
        assert (await call(server, "DELETE", f"/v1/sessions/{session}")).status_code < 300
    else:
        found = await call(server, "POST", f"/v1/sessions/{session}/{how}")
        assert found.status_code < 300


AGAIN = """while True:
    try: input()
    except EOFError: pass"""
ENDS = {
    "restart": ("restarted", "the kernel was restarted"),
    "shutdown": ("kernel_gone", "the kernel was shut down"),
    "delete": ("deleted", "the cell was deleted"),
    "interrupt": ("interrupted", "KeyboardInterrupt"),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize(
    "source", [ASK, "while True:\n    try: input()\n    except EOFError: pass"]
)
async def test_somebody_else_ends_a_question(shared_server, write_notebook, how, source):
    name = f"{uuid4().hex}.ipynb"
    write_notebook(shared_server.root / name, source, "print('next')")
    file_id = await open_notebook(shared_server, name)
    async with started(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        await run_asking(me)
        asked = (await me.wait_for("input_request_event"))["data"]
        await end_by(shared_server, other, how)
        reason, cause = ENDS[how]
        for client in (me, other):
            state = await client.finished("c1", 20)
            assert state["state"] == "finished_with_error"
            assert (state["reason"], state["cause"].startswith(cause)) == (reason, True), state
        assert (await answer(me, asked["request_id"], "late"))["success"] is False
        if how == "shutdown":
            await launch(shared_server, other)
        run_id = await other.execute("c2")
        assert (await other.finished("c2", 30))["state"] == "finished_with_no_error"
        assert texts(await outputs_of(shared_server, other, run_id)) == "next\n"


async def test_the_cell_behind_a_question_whose_cell_is_deleted(shared_server, write_notebook):
    name = f"{uuid4().hex}.ipynb"
    write_notebook(shared_server.root / name, ASK, "print('next')")
    file_id = await open_notebook(shared_server, name)
    async with started(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        await run_asking(me)
        await me.wait_for("input_request_event")
        await other.execute("c2")
        await end_by(shared_server, other, "delete")
        assert (await other.finished("c2", 30))["state"] == "finished_with_no_error"


async def test_a_question_that_a_deleted_cell_asks_only_now(
    shared_server, write_notebook, tmp_path
):
    gate, name = tmp_path / "gate", f"{uuid4().hex}.ipynb"
    source = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\ninput()"
    write_notebook(shared_server.root / name, source, "print('next')")
    file_id = await open_notebook(shared_server, name)
    async with started(shared_server, file_id) as me, follow(shared_server, file_id) as other:
        await run_asking(me)
        await other.execute("c2")
        await end_by(shared_server, other, "delete")
        gate.touch()
        assert (await other.finished("c2", 30))["state"] == "finished_with_no_error"
        assert "input_request_event" not in [m["event"] for m in me.log]
