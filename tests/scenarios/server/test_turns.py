"""Several people at one kernel: whose turn it is, who may end what, and how much is too much."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect

from ...helpers.rtu import NotebookClient, call, get, open_notebook, post
from ...helpers.server import running_server

pytestmark = [pytest.mark.server, pytest.mark.kernel]

BULK = "bulk_cell_state_update_event"
SLOW = "import time\nfor _ in range(600):\n    time.sleep(0.1)"


@asynccontextmanager
async def joined(server, file_id: str, token: str | None = None, **more: Any):
    """Follow a notebook as somebody."""
    async with connect(server.rtu_url, max_size=None, proxy=None) as websocket:
        client = NotebookClient(websocket)
        client.file_id = file_id
        data = {"token": token or server.token, "rtu_client_type": "t", "partial_states": True}
        reply = await client.request("system", "authenticate_request", {**data, **more})
        assert reply["data"]["success"], reply
        file = await get(server, f"/v1/files/{file_id}")
        reply = await client.subscribe(from_version_id=file["current_version_id"])
        assert reply["event"] == "subscribe_reply", reply
        yield client


async def until_state(client, execution_id: str, state: str, timeout: float = 60) -> Any:
    def mine(message: Any) -> list[Any]:
        return [
            s
            for s in message["data"]["cell_states"]
            if s.get("execution_id") == execution_id and s["state"].startswith(state)
        ]

    message = await client.wait_for(BULK, lambda m: bool(mine(m)), timeout)
    return mine(message)[0]


async def start(server, write_notebook, *sources: str) -> tuple[str, str]:
    name = f"{uuid4().hex[:8]}.ipynb"
    write_notebook(server.root / name, *sources)
    file_id = await open_notebook(server, name)
    session = await post(server, "/v1/sessions", {"file_id": file_id})
    return file_id, session["id"]


async def invited(server, file_id: str, role: str) -> str:
    return (await post(server, f"/v1/files/{file_id}/invites", {"role": role}))["token"]


async def interrupt(server, session_id: str, token: str, whose: str | None) -> Any:
    as_them = SimpleNamespace(api_url=server.api_url, headers={"Authorization": f"Bearer {token}"})
    body = None if whose is None else {"whose": whose}
    return await call(as_them, "POST", f"/v1/sessions/{session_id}/interrupt", body)


def begun_order(client) -> list[str]:
    return begun_in(client.log)


def begun_in(messages: list[Any]) -> list[str]:
    return [
        s["execution_id"]
        for m in messages
        if m["event"] == BULK
        for s in m["data"]["cell_states"]
        if s["state"] == "executing"
    ]


def begun_before(client, delta_id: str) -> int:
    """How many executions had begun when one was told, however long that took."""
    told = [m["event"] == "new_delta_event" and m["data"]["id"] == delta_id for m in client.log]
    return len(begun_in(client.log[: told.index(True)]))


@pytest.mark.parametrize("cell", ["c2", "c1"])
async def test_one_run_does_not_wait_behind_all_of_somebody_elses(
    shared_server, write_notebook, cell
):
    """Also when it is the very cell that the other one runs again and again."""
    file_id, _ = await start(shared_server, write_notebook, "import time; time.sleep(0.2)", "1+1")
    async with joined(shared_server, file_id, user_name="Ann") as ann:
        theirs = [await ann.execute("c1") for _ in range(60)]
        await until_state(ann, theirs[0], "executing")
        async with joined(shared_server, file_id, user_name="Bob") as bob:
            mine = await bob.execute(cell)
            await until_state(bob, mine, "finished")
            await ann.wait_for(BULK, lambda m: mine in str(m) and "finished" in str(m))
            begun = begun_order(ann)
            # The one that ran, and one that had its turn.
            assert begun.index(mine) <= begun_before(ann, mine) + 1, "it waited behind others"
            assert [e for e in begun if e != mine] == theirs[: len(begun) - 1]


async def test_code_without_a_cell_takes_its_turn_too(shared_server, write_notebook):
    file_id, _ = await start(shared_server, write_notebook, "import time; time.sleep(0.2)")
    async with joined(shared_server, file_id, user_name="Ann") as ann:
        theirs = [await ann.execute("c1") for _ in range(60)]
        await until_state(ann, theirs[0], "executing")
        async with joined(shared_server, file_id, user_name="Bob") as bob:
            run = {"execution_id": str(uuid4()), "source": "1+1"}
            assert (await bob.request(bob.files, "scratch_request", run))["data"]["success"]
            before = len(begun_order(bob))
            await bob.wait_for("run_state_event", lambda m: m["data"]["state"].startswith("fin"))
            assert len(begun_order(bob)) <= before + 2, "it waited behind others"


async def test_an_interrupt_ends_all_that_one_person_asked_for(shared_server, write_notebook):
    file_id, session = await start(shared_server, write_notebook, SLOW, "print('quick')")
    async with joined(shared_server, file_id, user_name="Ann") as ann:
        mine = [await ann.execute("c1") for _ in range(141)]
        await until_state(ann, mine[0], "executing")
        await asyncio.sleep(1)
        async with joined(shared_server, file_id, user_name="Bob") as bob:
            other = await bob.execute("c2")
            await bob.wait_for("new_delta_event", lambda m: m["data"]["id"] == other)
            ended = await call(
                SimpleNamespace(
                    api_url=shared_server.api_url,
                    headers={**shared_server.headers, "X-RTU-User-Name": "Ann"},
                ),
                "POST",
                f"/v1/sessions/{session}/interrupt",
                {"whose": "mine"},
            )
            assert ended.json()["withdrawn"] == 140
            assert ended.json()["interrupted"] is True
            state = await until_state(bob, other, "finished")
            assert state["state"] == "finished_with_no_error", "somebody else's was ended"
        runs = await get(shared_server, f"/v1/files/{file_id}/runs")
        left = {r["state"] for r in runs if r["execution_id"] in mine}
        assert left == {"finished_with_error"}


ROLES = {
    # role: (mine when nothing of mine waits, mine when something does, all, as Jupyter does it)
    "executor": (403, 200, 403, 403),
    "contributor": (200, 200, 403, 204),
    "owner": (200, 200, 200, 204),
}


@pytest.mark.parametrize("role", ROLES)
async def test_who_may_end_somebody_elses_cell(shared_server, write_notebook, role):
    nothing, something, everybody, plain = ROLES[role]
    file_id, session = await start(shared_server, write_notebook, SLOW, "2")
    token = await invited(shared_server, file_id, role)
    async with (
        joined(shared_server, file_id) as teacher,
        joined(shared_server, file_id, token) as guest,
    ):
        running = await teacher.execute("c1")
        await until_state(teacher, running, "executing")
        await asyncio.sleep(1)
        waiting = await guest.execute("c2")
        await guest.wait_for("new_delta_event", lambda m: m["data"]["id"] == waiting)
        # What waits of one's own ends; the other's cell goes on.
        answer = await interrupt(shared_server, session, token, "mine")
        assert answer.status_code == something
        assert (answer.json()["withdrawn"], answer.json()["interrupted"]) == (1, False)
        assert "1 cell of yours will not run; the cell that runs is" in answer.json()["message"]
        state = await until_state(guest, waiting, "finished")
        assert (state["state"], state["reason"]) == ("finished_with_error", "interrupted")
        for whose, status in (("all", everybody), (None, plain), ("mine", nothing)):
            if status == 403:
                answer = await interrupt(shared_server, session, token, whose)
                assert answer.status_code == 403
                assert "owner" in answer.json()["message"]
        kinds = {"all": everybody, None: plain, "mine": nothing}
        allowed = [whose for whose, status in kinds.items() if status != 403]
        if allowed:
            answer = await interrupt(shared_server, session, token, allowed[0])
            assert answer.status_code == kinds[allowed[0]]
        else:
            await interrupt(shared_server, session, shared_server.token, "mine")
        await until_state(teacher, running, "finished")


LIMITED = (
    "edits_per_second=0.001, edits_burst=30, runs_per_second=0.001, runs_burst=8, "
    "connections_per_person=3, runs_waiting_per_person=5, reads_per_second=0.001, reads_burst=4"
)


@pytest.fixture
def limited(tmp_path, monkeypatch):
    monkeypatch.setenv("RTU_LIMITS", LIMITED)
    with running_server(tmp_path) as server:
        yield server


async def test_what_is_spent_is_said_with_when_and_who(limited, write_notebook):
    write_notebook(limited.root / "n.ipynb", "1")
    file_id = await open_notebook(limited, "n.ipynb")
    guest_token = await invited(limited, file_id, "contributor")
    async with joined(limited, file_id) as me, joined(limited, file_id, guest_token) as guest:
        causes = []
        for number in range(40):
            delta = me.delta("cell_contents", "replace", {"source": str(number)}, "c1")
            await me.submit(delta)
            reply = await me.wait_for("new_delta_reply")
            if not reply["data"]["success"]:
                causes.append((await me.wait_for("delta_rejected"))["data"]["cause"])
        assert len(causes) >= 10
        for word in ("too many changes", "try again in", "ask whoever runs", "edits_per_second"):
            assert word in causes[0]
        # Somebody else has a budget of their own.
        await guest.change("cell_contents", "replace", {"source": "guest"}, "c1")


async def test_too_many_runs_and_too_long_a_queue(limited, write_notebook):
    write_notebook(limited.root / "n.ipynb", "1")
    file_id = await open_notebook(limited, "n.ipynb")
    async with joined(limited, file_id) as me:
        causes = [
            await me.rejected("cell_execute", "execute", None, "c1")
            if number >= 5
            else await me.execute("c1")
            for number in range(9)
        ]
        assert "5 requests of yours wait for this kernel already" in causes[5]
        assert "%rtu_kernel interrupt" in causes[5]
        assert "too many requests to run cells" in causes[8]
        reply = await me.request(
            me.files, "scratch_request", {"execution_id": str(uuid4()), "source": "1"}
        )
        assert reply["event"] == "scratch_reply"
        assert "too many requests to run cells" in reply["data"]["message"]


async def test_too_many_connections_of_one_person(limited, write_notebook):
    write_notebook(limited.root / "n.ipynb", "1")
    file_id = await open_notebook(limited, "n.ipynb")
    token = await invited(limited, file_id, "viewer")
    other = await invited(limited, file_id, "viewer")
    async with (
        joined(limited, file_id, token),
        joined(limited, file_id, token),
        joined(limited, file_id, token),
        joined(limited, file_id, other),
        connect(limited.rtu_url, proxy=None) as websocket,
    ):
        client = NotebookClient(websocket)
        reply = await client.authenticate(token)
        assert reply["data"]["success"] is False
        assert "too many connections: 3 are open for one person" in reply["data"]["message"]
    async with joined(limited, file_id, token):
        pass


async def test_reading_too_often_is_refused_and_said(limited, write_notebook):
    write_notebook(limited.root / "n.ipynb", "1")
    file_id = await open_notebook(limited, "n.ipynb")
    answers = [await call(limited, "GET", f"/v1/files/{file_id}/log") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert "reads_per_second" in answers[-1].json()["message"]
    assert answers[-1].headers["Retry-After"]


async def test_many_readers_at_once_do_not_keep_an_editor_waiting(shared_server, write_notebook):
    """As many history requests as a viewer likes: edits go on meanwhile."""
    write_notebook(shared_server.root / "read.ipynb", "x = 1\n" * 200)
    file_id = await open_notebook(shared_server, "read.ipynb")
    token = await invited(shared_server, file_id, "viewer")
    viewer = SimpleNamespace(
        api_url=shared_server.api_url, headers={"Authorization": f"Bearer {token}"}
    )
    async with joined(shared_server, file_id) as me:
        for number in range(1500):
            delta = me.delta("cell_contents", "replace", {"source": f"{number}\n" * 200}, "c1")
            await me.submit(delta)
        await me.wait_for("new_delta_event", lambda m: m["data"]["id"] == delta["id"])
        path = f"/v1/files/{file_id}/log?limit=1500"
        readers = [asyncio.create_task(call(viewer, "GET", path)) for _ in range(48)]
        edits_before_the_last_reader = 0
        while not all(reader.done() for reader in readers):
            await me.change("cell_contents", "replace", {"source": "edit"}, "c1")
            edits_before_the_last_reader += 1
        assert {reader.result().status_code for reader in readers} == {200}
        # One edit for every reader that was served is little: they waited for each of them before.
        assert edits_before_the_last_reader > 48


async def test_who_joins_learns_of_every_request_that_goes_on(shared_server, write_notebook):
    """A cell shows the state of one of them; who waits for another one has to know of it, too."""
    file_id, session = await start(shared_server, write_notebook, SLOW, "2")
    async with (
        joined(shared_server, file_id, user_name="Ann") as ann,
        joined(shared_server, file_id, user_name="Bob") as bob,
    ):
        running = await ann.execute("c1")
        await until_state(ann, running, "executing")
        again = await ann.execute("c1")
        theirs = [await one.execute("c2") for one in (ann, bob)]
        await bob.wait_for("new_delta_event", lambda m: m["data"]["id"] == theirs[1])
        reply = (await bob.subscribe(from_delta_id=theirs[1]))["data"]
        shown = [(s["cell_id"], s["execution_id"]) for s in reply["cell_states"]]
        beside = [(s["cell_id"], s["execution_id"]) for s in reply["hidden_cell_states"]]
        asked = [("c1", running), ("c1", again), *(("c2", one) for one in theirs)]
        assert sorted(shown + beside) == sorted(asked)
        assert len(shown) == 2
        await interrupt(shared_server, session, shared_server.token, "all")
        await until_state(ann, running, "finished")
        reply = (await bob.subscribe(from_delta_id=theirs[1]))["data"]
        assert reply["hidden_cell_states"] == []


async def test_three_people_take_turns_and_one_of_them_floods(shared_server, write_notebook):
    quick = "import time; time.sleep(0.1)"
    file_id, session = await start(shared_server, write_notebook, quick, "2", "3")
    async with (
        joined(shared_server, file_id, user_name="Ann") as ann,
        joined(shared_server, file_id, user_name="Bob") as bob,
        joined(shared_server, file_id, user_name="Cid") as cid,
    ):
        flood = [await ann.execute("c1") for _ in range(120)]
        await until_state(ann, flood[0], "executing")
        bobs = [await bob.execute("c2") for _ in range(4)]
        cids = [await cid.execute("c3") for _ in range(4)]
        for run in (bobs[-1], cids[-1]):
            await ann.wait_for(BULK, lambda m, run=run: run in str(m) and "executing" in str(m))
        await interrupt(shared_server, session, shared_server.token, "all")
        begun = begun_order(ann)
        for theirs in (bobs, cids):
            at = [begun.index(run) for run in theirs]
            assert at == sorted(at)
            # Between two of theirs come one of each of the others, and no more.
            assert all(later - earlier <= 3 for earlier, later in itertools.pairwise(at))
        anns = [run for run in begun if run in flood]
        assert anns == flood[: len(anns)]
        assert len(anns) < 60, "the flood came first"
