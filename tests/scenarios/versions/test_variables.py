"""The kernel's variables: what is told, and that asking leaves no trace and takes no harm."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from rtu_magics.models import Variables
from rtu_magics.server.kernel.variables import _parse

from ...helpers.rtu import call, follow, get, open_notebook, post
from ...helpers.server import running_server

pytestmark = [pytest.mark.server, pytest.mark.kernel]

VARIOUS = """
import numpy as np
import pandas as pd
import math as a_module
number, text, pair = 41 + 1, "é" * 5000, (1, [2, {"k": "v"}])
big = 1 << 100_000
table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
column = pd.Series([1.5, 2.5])
array = np.arange(12).reshape(3, 4)
scalar = np.float64(0.5)
nothing = None
_private = 1
def function(): pass
loop = []
loop.append(loop)
"""

EVIL = """
import time
touched = []
class Meta(type):
    def __getattribute__(cls, name):
        touched.append(("meta", name)); raise RuntimeError
    def __instancecheck__(cls, other):
        touched.append("instance"); return True
class Evil(metaclass=Meta):
    def __repr__(self): touched.append("repr"); time.sleep(60)
    def __len__(self): touched.append("len"); return -1
    def __sizeof__(self): touched.append("sizeof"); return 10**30
    def __getattribute__(self, name): touched.append(name); raise SystemExit
    def __eq__(self, other): touched.append("eq"); raise KeyboardInterrupt
    def __bool__(self): touched.append("bool"); raise MemoryError
    __hash__ = None
    @property
    def shape(self): touched.append("shape"); return (1,)
class Long(list):
    def __iter__(self): touched.append("iter"); return iter(int, 1)
    def __len__(self): touched.append("len2"); return 5
evil, evils, long = Evil(), [Evil(), {"k": Evil()}], Long()
class Key(str):
    def startswith(self, *a): touched.append("key"); raise RuntimeError
globals()[Key("sly")] = 1
"""


async def ready(client, file_id, server):
    await post(server, "/v1/sessions", {"file_id": file_id, "kernel_config": {}})


async def run(client, cell_id, source):
    await client.add(cell_id, source)
    await client.execute(cell_id)
    state = await client.finished(cell_id)
    assert state["state"] == "finished_with_no_error", state
    return state


async def outputs_of(client, cell_id):
    return "".join(
        message["data"]["content"]["raw"]
        for message in client.log
        if message["event"] == "append_output_event" and message["data"]["cell_id"] == cell_id
    )


async def read(server, file_id) -> dict[str, dict]:
    found = await get(server, f"/v1/files/{file_id}/variables")
    Variables.model_validate(found)
    return {one["name"]: one for one in found["variables"]}


async def test_what_is_told(server):
    file_id = await open_notebook(server, "variables.ipynb", create=True)
    none = await call(server, "GET", f"/v1/files/{file_id}/variables")
    assert (none.status_code, none.json()["message"]) == (409, "no kernel runs; start one first")
    async with follow(server, file_id) as client:
        await ready(client, file_id, server)
        await run(client, "c1", VARIOUS)
        found = await read(server, file_id)
        assert found["number"]["preview"] == "42"
        assert found["text"]["shape"] == [5000]
        assert len(found["text"]["preview"]) < 200
        assert found["pair"]["preview"] == "(1, [2, {'k': 'v'}])"
        assert found["big"]["preview"] == "a number of 100001 bits"
        assert (found["table"]["shape"], found["table"]["type"]) == (
            [2, 2],
            "pandas.core.frame.DataFrame",
        ) or found["table"]["type"].endswith("DataFrame")
        assert found["table"]["preview"] == "columns 'a', 'b'"
        assert found["column"]["preview"] == "float64 [1.5, 2.5]"
        assert (found["array"]["shape"], found["array"]["size_bytes"]) == ([3, 4], 96)
        assert found["array"]["preview"].startswith("int64 [0, 1, 2, 3, 4, 5, …]")
        assert found["scalar"]["preview"] == "0.5"
        assert found["loop"]["preview"] == "[[[[…]]]]"
        assert found["function"]["type"] == "function"
        assert not {"_private", "np", "pd", "a_module", "In", "Out", "get_ipython"} & set(found)

        # No trace: counts, history, results, names.
        await run(client, "c2", "40 + 2")
        before = await run(client, "c3", "names = None; names = set(globals())")
        for _ in range(3):
            await read(server, file_id)
        after = await run(
            client,
            "c4",
            "print(_, sorted(Out), len(In), In[-2:], sorted(set(globals()) - names))",
        )
        assert after["execution_count"] == before["execution_count"] + 1
        printed = await outputs_of(client, "c4")
        assert printed.startswith("42 [2] 5 ["), printed
        assert "rtu" not in printed
        assert printed.rstrip().endswith("['_i4']"), printed
        assert [m for m in client.log if m["event"] == "variable_explorer_event"] == []


async def test_objects_that_mean_harm(server):
    file_id = await open_notebook(server, "evil.ipynb", create=True)
    async with follow(server, file_id) as client:
        await ready(client, file_id, server)
        await run(client, "c1", EVIL)
        await run(client, "c0", "touched.clear()")
        found = await read(server, file_id)
        assert found["evil"]["preview"] == "<Evil>"
        assert found["evils"]["preview"] == "[<Evil>, {'k': <Evil>}]"
        assert found["long"]["preview"] == "<Long>"
        assert "sly" not in found
        await run(client, "c2", "print(touched)")
        assert await outputs_of(client, "c2") == "[]\n"
        await run(client, "c3", "for i in range(10_000): globals()[f'v{i}'] = 'x' * 10_000")
        answer = await call(server, "GET", f"/v1/files/{file_id}/variables")
        assert answer.status_code == 200
        data = answer.json()
        assert data["total"] > 10_000
        assert len(data["variables"]) <= 1000
        assert len(answer.content) < 500_000


async def test_a_busy_kernel_is_left_alone(server):
    file_id = await open_notebook(server, "busy.ipynb", create=True)
    async with follow(server, file_id) as client:
        await ready(client, file_id, server)
        await run(client, "c1", "x = 1")
        await client.add("c2", "import time\nprint('on', flush=True)\ntime.sleep(4)\nx = 2")
        await client.execute("c2")
        await client.wait_for("append_output_event")
        refused = await call(server, "GET", f"/v1/files/{file_id}/variables")
        assert (refused.status_code, "busy" in refused.json()["message"]) == (409, True)
        await client.finished("c2")
        assert (await read(server, file_id))["x"]["preview"] == "2"
        await client.execute("c2")
        await client.wait_for("append_output_event")
        found = await get(server, f"/v1/files/{file_id}/variables")
        assert (found["stale"], found["kernel_state"]) == (True, "busy")
        await client.finished("c2")


async def test_watching(server):
    """Who asks over the socket is told after each cell, too; asking shows nobody a busy kernel."""
    file_id = await open_notebook(server, "watch.ipynb", create=True)
    async with follow(server, file_id) as client, follow(server, file_id) as other:
        await ready(client, file_id, server)
        await run(client, "c1", "x = 1")
        await client.wait_for(
            "kernel_status_update_event",
            lambda m: m["data"]["kernel"]["execution_state"] == "idle",
        )
        seen = len(client.log)
        await client.send(client.kernels, "variable_explorer_update_request", None)
        event = await client.wait_for("variable_explorer_event")
        assert [one["name"] for one in event["data"]["variables"]] == ["x"]
        assert (await other.wait_for("variable_explorer_update_request"))["data"] == {}
        await asyncio.sleep(0.2)
        assert not [m for m in client.log[seen:] if m["event"] == "kernel_status_update_event"]
        await run(client, "c2", "y = 2")
        event = await client.wait_for("variable_explorer_event")
        assert [one["name"] for one in event["data"]["variables"]] == ["x", "y"]
        assert not [m for m in other.log if m["event"] == "variable_explorer_event"]


async def test_many_questions_at_once(server):
    """Each is answered, and the kernel is not asked for each."""
    file_id = await open_notebook(server, "many.ipynb", create=True)
    async with follow(server, file_id) as client:
        await ready(client, file_id, server)
        await run(client, "c1", "x = 1")
        asked = {
            await client.send(client.kernels, "variable_explorer_update_request", None)
            for _ in range(200)
        }
        while asked:
            event = await client.wait_for("variable_explorer_event")
            asked.discard(event["transaction_id"])
            assert [one["name"] for one in event["data"]["variables"]] == ["x"]


async def test_a_kernel_of_another_language(tmp_path, monkeypatch):
    spec = tmp_path / "data" / "kernels" / "other" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Other", "language": "R"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    root = tmp_path / "root"
    root.mkdir()
    with running_server(root) as server:
        file_id = await open_notebook(server, "other.ipynb", create=True)
        body = {"file_id": file_id, "kernel_config": {"kernel_name": "other"}}
        await post(server, "/v1/sessions", body)
        answer = await call(server, "GET", f"/v1/files/{file_id}/variables")
        assert (answer.status_code, answer.json()["message"]) == (
            422,
            "the kernel 'other' runs R; variables are shown for Python kernels only",
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        "5",
        "{'variables': []}",
        "'not json'",
        "'[]'",
        '\'{"variables": 5, "total": 1}\'',
        '\'{"variables": [{}], "total": 1}\'',
        '\'{"variables": [], "total": null}\'',
        "'" + "[" * 50_000 + "'",
        "(" * 50_000,
        "'" + "x" * 5_000_000 + "'",
    ],
)
def test_an_answer_that_is_none(text):
    assert _parse(text) is None
