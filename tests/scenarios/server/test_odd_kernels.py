"""What ends a cell that its kernel has refused, or that asks where nobody can answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ...helpers.rtu import NotebookClient, call, follow, get, open_notebook
from ...helpers.server import RunningServer, running_server
from .test_execution import launch
from .test_turns import interrupt, invited, joined

pytestmark = [pytest.mark.server, pytest.mark.kernel]

REFUSED = "#refuse\nopen('ran', 'a').close()"


@pytest.fixture(scope="module")
def odd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    root = tmp_path_factory.mktemp("odd")
    for name in ("odd", "odd2"):
        spec = root / "jupyter" / "kernels" / name
        spec.mkdir(parents=True)
        script = str(Path(__file__).with_name("odd_kernel.py"))
        argv = [sys.executable, script, "-f", "{connection_file}"]
        (spec / "kernel.json").write_text(
            json.dumps({"argv": argv, "display_name": name, "language": "python"})
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(root / "jupyter"))
        with running_server(root) as found:
            yield found


class Place:
    """A notebook in a directory of its own, on such a kernel."""

    def __init__(self, server: RunningServer, client: NotebookClient, work: Path) -> None:
        self.server, self.client, self.work = server, client, work
        self.session_id = ""

    async def act(self, what: str) -> None:
        method, path = ("DELETE", "") if what == "shutdown" else ("POST", f"/{what}")
        found = await call(self.server, method, f"/v1/sessions/{self.session_id}{path}")
        assert found.status_code < 300, found.text

    async def refused(self, times: int = 1) -> None:
        noted = self.work / "refused"
        while not noted.exists() or len(noted.read_text().splitlines()) < times:
            await asyncio.sleep(0.01)

    async def ended(self, cell_id: str, execution_id: str) -> dict[str, Any]:
        while True:
            state = await self.client.finished(cell_id)
            if state["execution_id"] == execution_id:
                return state


@pytest.fixture
async def place(odd_server, write_notebook):
    name = uuid4().hex
    path = write_notebook(
        odd_server.root / name / "a.ipynb", REFUSED, "open('second', 'a').close()", "#ask", "#late"
    )
    file_id = await open_notebook(odd_server, f"{name}/a.ipynb")
    async with follow(odd_server, file_id) as client:
        found = Place(odd_server, client, path.parent)
        found.session_id = (await launch(odd_server, client, "odd"))["id"]
        yield found
        await call(odd_server, "DELETE", f"/v1/sessions/{found.session_id}")


async def test_it_is_asked_again_and_runs(place: Place) -> None:
    (place.work / "refuse").touch()
    run = await place.client.execute("c1")
    await place.refused(2)
    (place.work / "refuse").unlink()
    assert (await place.ended("c1", run))["state"] == "finished_with_no_error"
    assert (place.work / "ran").exists()


async def test_refused_again_and_again(place: Place) -> None:
    (place.work / "refuse").touch()
    run = await place.client.execute("c1")
    state = await place.ended("c1", run)
    assert (state["state"], state["reason"]) == ("finished_with_error", "aborted")


@pytest.mark.parametrize(
    ("what", "reason"),
    [("restart", "restarted"), ("shutdown", "kernel_gone"), ("interrupt", "interrupted")],
)
async def test_what_happens_between_two_attempts(place: Place, what: str, reason: str) -> None:
    """The cell counts on what the kernel knew: it does not run on a fresh one."""
    (place.work / "refuse").touch()
    run = await place.client.execute("c1")
    rest = place.client.delta("cell_execute", "execute", None, "c2")
    await place.client.submit(rest)
    await place.refused(6)  # the next attempt comes after a pause in which a kernel is started
    await place.act(what)
    (place.work / "refuse").unlink()
    state = await place.ended("c1", run)
    assert (state["state"], state["reason"]) == ("finished_with_error", reason)
    if what == "interrupt":
        # Another request of the same person, which a plain interrupt leaves alone.
        assert (await place.ended("c2", rest["id"]))["state"] == "finished_with_no_error"
    else:
        assert not (place.work / "second").exists()
    if what == "restart":
        await place.client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "idle",
        )
        run = await place.client.execute("c2")
        assert (await place.ended("c2", run))["state"] == "finished_with_no_error"
    await asyncio.sleep(0.5)
    assert not (place.work / "ran").exists()


async def test_another_kernel_between_two_attempts(place: Place) -> None:
    (place.work / "refuse").touch()
    run = await place.client.execute("c1")
    await place.refused(6)
    await place.act("shutdown")
    (place.work / "refuse").unlink()
    place.session_id = (await launch(place.server, place.client, "odd2"))["id"]
    states = (await get(place.server, f"/v1/files/{place.client.file_id}/runs"))[0]
    assert states["execution_id"] == run
    assert states["cell_states"][0]["reason"] == "kernel_gone"
    assert not (place.work / "ran").exists()


async def test_deleted_between_two_attempts(place: Place) -> None:
    (place.work / "refuse").touch()
    run = await place.client.execute("c1")
    await place.refused(3)
    await place.client.change("nb_cells", "delete", {"id": "c1"})
    (place.work / "refuse").unlink()
    state = await place.ended("c1", run)
    assert state["reason"] == "deleted"
    run = await place.client.execute("c2")
    assert (await place.ended("c2", run))["state"] == "finished_with_no_error"
    assert not (place.work / "ran").exists()


async def test_a_question_that_nobody_can_answer_ends_its_own_cell_only(place: Place) -> None:
    """The kernel goes on by itself, and what runs next asks its own question meanwhile."""
    await place.client.change(
        "cell_contents", "replace", {"source": "open('answer', 'w').write(input('n? '))"}, "c2"
    )
    asking = await place.client.execute("c3")
    delta = place.client.delta("cell_execute", "execute", None, "c2")
    await place.client.submit(delta, attach="ask")
    state = await place.ended("c3", asking)
    assert state["reason"] == "stdin"
    asked = (await place.client.wait_for("input_request_event"))["data"]
    assert asked["execution_id"] == delta["id"]
    await asyncio.sleep(2.5)  # longer than the kernel gets to take an interrupt as an answer
    reply = await place.client.request(
        place.client.files,
        "input_reply_request",
        {"request_id": asked["request_id"], "value": "mine"},
    )
    while reply["event"] != "input_reply_reply":
        reply = await place.client.next()
    assert reply["data"]["success"] is True
    state = await place.ended("c2", delta["id"])
    assert state["state"] == "finished_with_no_error", state
    assert (place.work / "answer").read_text() == "mine"


@pytest.mark.parametrize("whose", [None, "mine"])
async def test_an_interrupt_that_comes_too_late_hits_nobody_else(place: Place, whose: Any) -> None:
    """It waits until the kernel is at the cell, and by then it may be somebody else's turn."""
    client, server = place.client, place.server
    await place.ended("c2", await client.execute("c2"))  # the kernel tells when it begins
    source = "import time\nfor _ in range(20): time.sleep(0.1)\nopen('theirs', 'w').close()"
    await client.change("cell_contents", "replace", {"source": source}, "c2")
    token = await invited(server, client.file_id, "executor")
    async with joined(server, client.file_id, token) as other:
        await client.execute("c4")
        await client.wait_for(
            "bulk_cell_state_update_event", lambda m: '"executing"' in json.dumps(m)
        )
        theirs = await other.execute("c2")
        await other.wait_for("new_delta_event", lambda m: m["data"]["id"] == theirs)
        answer = await interrupt(server, place.session_id, server.token, whose)
        if whose is not None:
            assert answer.json() == {
                "withdrawn": 0,
                "interrupted": False,
                "message": "what ran has just ended",
            }
        state = await place.ended("c2", theirs)
        assert (state["state"], state.get("reason")) == ("finished_with_no_error", None)
    assert (place.work / "theirs").exists()
