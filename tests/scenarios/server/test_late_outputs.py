"""Outputs that come after their cell has ended, by whatever means, and where they appear."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from rtu_magics.server.kernel.past_requests import PastRequests

from ...helpers.rtu import NotebookClient, follow, get, open_notebook, post
from ...helpers.server import RunningServer, start_server
from .test_execution import launch

pytestmark = [pytest.mark.server, pytest.mark.kernel]

WAIT = """
import asyncio, os, subprocess, sys, threading, time
from IPython.display import clear_output, display, update_display
def gate():
    while not os.path.exists({gate!r}): time.sleep(0.02)
async def agate():
    while not os.path.exists({gate!r}): await asyncio.sleep(0.02)
"""

MEANS = {
    "thread": "threading.Thread(target=lambda: (gate(), print('late'))).start()",
    "timer": """
def again():
    if os.path.exists({gate!r}): print('late')
    else: threading.Timer(0.05, again).start()
again()
""",
    "task": """
async def work():
    await agate()
    print('late')
task = asyncio.get_running_loop().create_task(work())
""",
    "call_later": """
loop = asyncio.get_running_loop()
def again():
    if os.path.exists({gate!r}): print('late')
    else: loop.call_later(0.05, again)
again()
""",
    "process": """
child = subprocess.Popen(
    [sys.executable, '-u', '-c',
     "import os, time\\nwhile not os.path.exists({gate!r}): time.sleep(0.02)\\nprint('late')"],
    stdout=subprocess.PIPE, text=True)
threading.Thread(target=lambda: print(child.stdout.readline(), end='')).start()
""",
}


class Scene:
    """A notebook with a running kernel, and a gate that its late outputs wait for."""

    def __init__(
        self, server: RunningServer, client: NotebookClient, path: Path, session_id: str = ""
    ) -> None:
        self.server, self.client, self.path = server, client, path
        self.session_id = session_id
        self.gates = 0

    def code(self, source: str) -> tuple[str, Path]:
        self.gates += 1
        gate = self.path.with_suffix(f".gate{self.gates}")
        return (WAIT + source).replace("{gate!r}", repr(str(gate))), gate

    async def run(self, cell_id: str, source: str | None = None) -> str:
        """Run a cell to its end; returns the execution id."""
        if source is not None:
            await self.client.change("cell_contents", "replace", {"source": source}, cell_id)
        execution_id = await self.client.execute(cell_id)

        def over(message: Any) -> bool:
            states = message["data"]["cell_states"]
            return any(
                s["execution_id"] == execution_id and s["state"].startswith("finished")
                for s in states
            )

        await self.client.wait_for("bulk_cell_state_update_event", over)
        await self.client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "idle",
        )
        return execution_id

    async def text(self, text: str) -> dict[str, Any]:
        """Wait for an output with this text, and return it."""
        found = await self.client.wait_for(
            "append_output_event",
            lambda m: text in (m["data"]["content"]["raw"] or ""),
        )
        return dict(found["data"])

    def collection_of(self, cell_id: str) -> str:
        """The collection that a cell shows now."""
        deltas = [m["data"] for m in self.client.log if m["event"] == "new_delta_event"]
        return next(
            d["properties"]["output_collection_id"]
            for d in reversed(deltas)
            if d["delta_type"] == "cell_output_collection" and d["resource_id"] == cell_id
        )

    async def stored(self, collection_id: str) -> list[str]:
        found = await get(self.server, f"/outputs/collection/{collection_id}")
        return [o["content"]["raw"] for o in found["outputs"]]

    def on_disk(self, cell_id: str) -> str:
        cells = json.loads(self.path.read_text())["cells"]
        return "".join(json.dumps(c["outputs"]) for c in cells if c["id"] == cell_id)

    async def until_on_disk(self, cell_id: str, text: str) -> None:
        for _ in range(600):
            if text in self.on_disk(cell_id):
                return
            await asyncio.sleep(0.05)
        raise AssertionError((text, self.on_disk(cell_id)))


@pytest.fixture
async def scene(shared_server, write_notebook):
    name = f"{uuid4().hex}.ipynb"
    path = write_notebook(shared_server.root / name, "pass", "print('other')", "pass")
    file_id = await open_notebook(shared_server, name)
    async with follow(shared_server, file_id) as client:
        session = await launch(shared_server, client)
        yield Scene(shared_server, client, path, session["id"])


@pytest.mark.parametrize("means", MEANS)
async def test_when_nothing_runs(scene: Scene, means: str) -> None:
    code, gate = scene.code(MEANS[means])
    execution_id = await scene.run("c1", code + "\nprint('in time')")
    gate.touch()
    output = await scene.text("late")
    assert output["execution_id"] == execution_id
    assert output["cell_id"] == "c1"
    collection_id = scene.collection_of("c1")
    assert output["parent_collection_id"] == collection_id
    assert await scene.stored(collection_id) == ["in time\nlate\n"]
    await scene.until_on_disk("c1", "late")


async def test_each_kind_of_output(scene: Scene) -> None:
    code, gate = scene.code("""
async def work():
    await agate()
    print("one")
    handle = display("two", display_id="shown")
    print("three", file=sys.stderr)
    update_display("two again", display_id="shown")
    get_ipython().showsyntaxerror if False else None
    try: 1 / 0
    except ZeroDivisionError: get_ipython().showtraceback()
    print("end")
task = asyncio.get_running_loop().create_task(work())
""")
    await scene.run("c1", code)
    await scene.run("c2")
    gate.touch()
    await scene.text("end")
    collection_id = scene.collection_of("c1")
    found = await get(scene.server, f"/outputs/collection/{collection_id}")
    assert [o["type"] for o in found["outputs"]] == [
        "stream",
        "display_data",
        "stream",
        "error",
        "stream",
    ]
    assert found["outputs"][1]["data"] == {"text/plain": "'two again'"}
    assert found["outputs"][3]["ename"] == "ZeroDivisionError"
    assert await scene.stored(scene.collection_of("c2")) == ["other\n"]
    await scene.until_on_disk("c1", "end")
    assert "two again" in scene.on_disk("c1")


async def test_while_another_cell_runs(scene: Scene) -> None:
    code, gate = scene.code("""
async def work():
    await agate()
    for n in range(3):
        print("mine", n)
        await asyncio.sleep(0)
    open({gate!r} + ".done", "w").close()
task = asyncio.get_running_loop().create_task(work())
""")
    first = await scene.run("c1", code)
    wait = f"""
import asyncio, os
open({str(gate)!r}, "w").close()
print("theirs")
while not os.path.exists({str(gate) + ".done"!r}): await asyncio.sleep(0.02)
print("theirs too")
"""
    await scene.run("c3", wait)
    assert await scene.stored(scene.collection_of("c1")) == ["mine 0\nmine 1\nmine 2\n"]
    assert await scene.stored(scene.collection_of("c3")) == ["theirs\ntheirs too\n"]

    def late() -> list[Any]:
        events = [m["data"] for m in scene.client.log if m["event"] == "append_output_event"]
        return [output for output in events if "mine" in output["content"]["raw"]]

    while not late():  # they may be told after the other cell's end
        await scene.client.next()
    assert {output["execution_id"] for output in late()} == {first}


LATE_TASK = """
async def work():
    await agate()
    {do}
task = asyncio.get_running_loop().create_task(work())
print("early")
"""


async def test_a_clear_that_waits_is_applied_by_what_comes_late(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    await scene.run("c1", code + "\nclear_output(wait=True)")
    collection_id = scene.collection_of("c1")
    assert await scene.stored(collection_id) == ["early\n"]
    gate.touch()
    await scene.text("late")
    assert await scene.stored(collection_id) == ["late\n"]
    await scene.until_on_disk("c1", "late")
    assert "early" not in scene.on_disk("c1")


async def test_a_late_clear(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "clear_output()"))
    await scene.run("c1", code)
    gate.touch()
    cleared = await scene.client.wait_for("update_output_collection_event")
    assert cleared["data"]["id"] == scene.collection_of("c1")
    assert cleared["data"]["outputs"] == []
    for _ in range(600):
        if scene.on_disk("c1") == "[]":
            break
        await asyncio.sleep(0.05)
    assert scene.on_disk("c1") == "[]"


async def test_a_late_update_of_what_another_cell_displayed(scene: Scene) -> None:
    await scene.run("c2", "handle = display('before', display_id='both')")
    code, gate = scene.code(LATE_TASK.replace("{do}", "handle.update('after')"))
    await scene.run("c1", code)
    gate.touch()
    await scene.client.wait_for("update_outputs_by_display_id_event")
    assert await scene.stored(scene.collection_of("c2")) == ["'after'"]
    await scene.until_on_disk("c2", "after")


async def test_of_an_earlier_run_of_the_cell(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    first = await scene.run("c1", code)
    earlier = scene.collection_of("c1")
    await scene.run("c1", "print('again')")
    now = scene.collection_of("c1")
    gate.touch()
    output = await scene.text("late")
    assert (output["execution_id"], output["parent_collection_id"]) == (first, earlier)
    assert await scene.stored(earlier) == ["early\nlate\n"]
    await scene.run("c2")
    assert await scene.stored(now) == ["again\n"]
    await scene.until_on_disk("c2", "other")
    assert "late" not in scene.on_disk("c1")


async def test_in_a_cleared_cell(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    first = await scene.run("c1", code)
    file_id = scene.client.file_id
    await post(scene.server, f"/v1/files/{file_id}/clear-outputs", {"cell_ids": ["c1"]})
    await scene.client.wait_for(
        "new_delta_event", lambda m: m["data"]["delta_type"] == "cell_output_collection"
    )
    gate.touch()
    output = await scene.text("late")
    assert output["parent_collection_id"] == scene.collection_of("c1")
    assert output["execution_id"] == first
    assert await scene.stored(scene.collection_of("c1")) == ["late\n"]
    await scene.until_on_disk("c1", "late")


async def test_of_a_deleted_cell_and_of_a_kernel_that_was_restarted(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('ghost'); print('x', flush=True)"))
    await scene.run("c1", code)
    await scene.client.change("nb_cells", "delete", {"id": "c1"})
    gate.touch()
    await scene.run("c2")
    again, gate = scene.code(MEANS["thread"].replace("late", "ghost"))
    await scene.run("c3", again)
    await post(scene.server, f"/v1/sessions/{scene.session_id}/restart", {})
    gate.touch()
    await scene.client.wait_for(
        "kernel_status_update_event",
        lambda m: m["data"]["kernel"]["execution_state"] == "restarting",
    )
    await scene.client.wait_for(
        "kernel_status_update_event",
        lambda m: m["data"]["kernel"]["execution_state"] == "idle",
    )
    await scene.run("c2", "print('fresh')")
    assert await scene.stored(scene.collection_of("c2")) == ["fresh\n"]
    assert "ghost" not in json.dumps(
        [m for m in scene.client.log if m["event"] == "append_output_event"]
    )


async def test_much_text_in_the_end(scene: Scene) -> None:
    code, gate = scene.code("""
def work():
    print("x" * 999 + "\\n", end="")
    gate()
    for n in range(4000): print(f"{n:>999}")
    print("end")
threading.Thread(target=work).start()
""")
    await scene.run("c1", code)
    gate.touch()
    await scene.text("end")
    found = await get(scene.server, f"/outputs/collection/{scene.collection_of('c1')}")
    assert len(found["outputs"]) == 1
    link = found["outputs"][0]["content"]["url"]
    assert link is not None
    await scene.until_on_disk("c1", "characters left out here]")


async def test_what_was_seen_is_there_after_a_restart_of_the_server(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "a.ipynb", "pass", "pass")
    server = start_server(tmp_path)
    try:
        file_id = await open_notebook(server, "a.ipynb")
        async with follow(server, file_id) as client:
            await launch(server, client)
            scene = Scene(server, client, path)
            code, gate = scene.code(MEANS["thread"])
            await scene.run("c1", code)
            gate.touch()
            await scene.text("late")
            collection_id = scene.collection_of("c1")
    finally:
        server.stop()
    assert "late" in scene.on_disk("c1")
    server = start_server(tmp_path)
    try:
        scene.server = server
        assert await scene.stored(collection_id) == ["late\n"]
    finally:
        server.stop()


def request(name: str) -> Any:
    return SimpleNamespace(message_id=name)


def test_how_many_requests_are_remembered() -> None:
    past = PastRequests(superseded=3)
    for number in range(1000):
        past.add(request(f"cell {number}"), f"c{number}")
    for number in range(10):
        past.add(request(f"again {number}"), "c0")
    assert past.get("cell 999") is not None
    assert past.get("again 9") is not None
    assert [past.get(f"again {n}") is not None for n in range(10)] == [False] * 6 + [True] * 4
    assert past.get("cell 0") is None
    assert len(past) == 1000 + 3
    past.forget("c5")
    assert past.get("cell 5") is None
    assert past.get(None) is None


async def test_an_update_of_what_was_displayed_before_a_restart(tmp_path, write_notebook):
    show = "from IPython.display import display, update_display\n"
    path = write_notebook(tmp_path / "a.ipynb", "pass", "pass")
    server = start_server(tmp_path)
    try:
        file_id = await open_notebook(server, "a.ipynb")
        async with follow(server, file_id) as client:
            await launch(server, client)
            scene = Scene(server, client, path)
            await scene.run("c1", show + "handle = display('before', display_id='kept')")
            shown = scene.collection_of("c1")
    finally:
        server.stop()
    server = start_server(tmp_path)
    try:
        async with follow(server, await open_notebook(server, "a.ipynb")) as client:
            await launch(server, client)
            scene = Scene(server, client, path)
            await scene.run("c2", show + "handle = update_display('after', display_id='kept')")
            assert await scene.stored(shown) == ["'after'"]
            await scene.until_on_disk("c1", "after")
    finally:
        server.stop()


async def test_in_a_cleared_cell_that_gets_its_old_outputs_again(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    first = await scene.run("c1", code)
    old = scene.collection_of("c1")
    client = scene.client
    await post(scene.server, f"/v1/files/{client.file_id}/clear-outputs", {"cell_ids": ["c1"]})
    await client.wait_for(
        "new_delta_event", lambda m: m["data"]["delta_type"] == "cell_output_collection"
    )
    again = {"output_collection_id": old}
    await client.change("cell_output_collection", "replace", again, "c1")
    gate.touch()
    output = await scene.text("late")
    assert (output["parent_collection_id"], output["execution_id"]) == (old, first)
    assert await scene.stored(old) == ["early\nlate\n"]
    await scene.until_on_disk("c1", "late")


async def test_outputs_of_another_run_that_a_cell_is_given_stay_as_they_were(scene: Scene) -> None:
    await scene.run("c1", "print('earlier')")
    earlier = scene.collection_of("c1")
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    await scene.run("c1", code)
    mine = scene.collection_of("c1")
    again = {"output_collection_id": earlier}
    await scene.client.change("cell_output_collection", "replace", again, "c1")
    gate.touch()
    await scene.text("late")
    for _ in range(600):
        if await scene.stored(mine) == ["early\nlate\n"]:
            break
        await asyncio.sleep(0.1)
    assert await scene.stored(mine) == ["early\nlate\n"]
    assert await scene.stored(earlier) == ["earlier\n"]


async def test_a_late_update_of_what_a_copied_cell_displays(scene: Scene) -> None:
    """As an undone deletion makes it: another cell with the same outputs."""
    show = "handle = display('before', display_id='copied'); print('text')"
    await scene.run("c1", "from IPython.display import display\n" + show)
    old, client = scene.collection_of("c1"), scene.client
    await client.change("nb_cells", "delete", {"id": "c1"})
    cell = {"cell_type": "code", "id": "copy", "source": "x", "metadata": {}}
    added = client.delta("nb_cells", "add", {"id": "copy", "cell": cell})
    await client.submit({**added}, output_collection_id_to_copy=old)
    await client.wait_for("update_output_collection_event")
    copied = scene.collection_of("copy")
    assert await scene.stored(copied) == ["'before'", "text\n"]
    await scene.run("c3", "handle.update('after')")
    assert await scene.stored(copied) == ["'after'", "text\n"]
    await scene.until_on_disk("copy", "after")


async def test_many_late_lines_come_whole_and_in_order(scene: Scene) -> None:
    """The server goes on with other things meanwhile, and sends far fewer messages than lines."""
    code, gate = scene.code("""
def work():
    gate()
    for n in range(10_000): print(n)
    print("end")
threading.Thread(target=work).start()
""")
    await scene.run("c1", code)
    begun = len(scene.client.log)
    gate.touch()
    await scene.client.change("cell_contents", "replace", {"source": "1 + 1"}, "c3")
    await scene.text("end")
    events = [m for m in scene.client.log[begun:] if m["event"] == "append_output_event"]
    text = "".join(m["data"]["content"]["raw"] for m in events)
    assert text.split() == [*map(str, range(10_000)), "end"]
    assert len(events) < 5_000
    await scene.until_on_disk("c1", "end")
    stored = await scene.stored(scene.collection_of("c1"))
    assert "".join(stored).split() == text.split()


async def test_of_an_earlier_run_whose_outputs_the_cell_was_given_again(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    first = await scene.run("c1", code)
    earlier = scene.collection_of("c1")
    await scene.run("c1", "print('again')")
    again = {"output_collection_id": earlier}
    await scene.client.change("cell_output_collection", "replace", again, "c1")
    gate.touch()
    output = await scene.text("late")
    assert (output["parent_collection_id"], output["execution_id"]) == (earlier, first)
    assert await scene.stored(earlier) == ["early\nlate\n"]
    await scene.until_on_disk("c1", "late")
    await scene.run("c2", "handle = None")
    assert await scene.stored(earlier) == ["early\nlate\n"]


async def test_of_a_version_that_was_restored(scene: Scene) -> None:
    code, gate = scene.code(LATE_TASK.replace("{do}", "print('late')"))
    await scene.run("c1", code)
    earlier, client = scene.collection_of("c1"), scene.client
    version = await post(scene.server, f"/v1/files/{client.file_id}/versions", {"name": "early"})
    await scene.run("c1", "print('again')")
    await post(scene.server, f"/v1/files/{client.file_id}/versions/{version['id']}/restore", {})
    gate.touch()
    await scene.until_on_disk("c1", "late")
    assert await scene.stored(earlier) == ["early\nlate\n"]
