"""The log, going back to a version, and renaming."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import pytest

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import DeltaLog, FileDeltaAdapter, FileVersion, parse_notebook

from ...helpers.rtu import call, current_notebook, follow, get, open_notebook, post, raw_client

pytestmark = pytest.mark.server


async def a_notebook(server, path):
    return await open_notebook(server, path, create=True)


def replayed(log: DeltaLog) -> NotebookBuilder:
    """Replay a log from its start; authors stand beside the deltas."""
    builder = NotebookBuilder(parse_notebook(json.dumps(log.start.notebook)))
    for delta in log.deltas:
        builder.apply_delta(
            FileDeltaAdapter.validate_python({k: v for k, v in delta.items() if k != "author"})
        )
    return builder


async def read_log(server, file_id, **query) -> DeltaLog:
    response = await call(server, "GET", f"/v1/files/{file_id}/log", params=query)
    assert response.status_code == 200, response.text
    return DeltaLog.model_validate(response.json())


async def test_the_log_replays_to_the_notebook(server):
    file_id = await a_notebook(server, "log.ipynb")
    guest = await post(
        server, f"/v1/files/{file_id}/invites", {"role": "contributor", "name": "Ada"}
    )
    async with follow(server, file_id) as owner, raw_client(server) as other:
        assert (await other.authenticate(guest["token"]))["data"]["success"]
        for number in range(5):
            await owner.add(f"c{number}", f"x = {number}")
        await post(server, f"/v1/files/{file_id}/versions", {"name": "middle"})
        delta = owner.delta("cell_contents", "replace", {"source": "by Ada"}, "c3")
        await other.send(
            owner.files, "new_delta_request", {"delta": delta, "output_collection_id_to_copy": None}
        )
        await other.wait_for("new_delta_event")
        await owner.change("nb_cells", "delete", {"id": "c0"})
    present = await current_notebook(server, file_id)
    whole = await read_log(server, file_id)
    assert len(whole.deltas) == 7
    assert not whole.more
    assert json.loads(replayed(whole).dumps()) == present
    assert [one["author"]["name"] for one in whole.deltas].count("Ada") == 1
    assert all(one["created_at"] and one["author"]["user_id"] for one in whole.deltas)

    # In pieces, from the end: each piece begins where the one before it ends.
    after, before = present, None
    pieces = []
    while True:
        query = {"limit": 3} if before is None else {"limit": 3, "before_delta_id": before}
        piece = await read_log(server, file_id, **query)
        assert json.loads(replayed(piece).dumps()) == after
        pieces = piece.deltas + pieces
        after, before = piece.start.notebook, piece.deltas[0]["id"]
        if not piece.more:
            break
    assert pieces == whole.deltas


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"limit": "0"}, 422, "1 to 5000"),
        ({"limit": "-1"}, 422, "1 to 5000"),
        ({"limit": "5001"}, 422, "1 to 5000"),
        ({"limit": "³"}, 422, "1 to 5000"),
        ({"limit": "9" * 5000}, 422, "1 to 5000"),
        ({"before_delta_id": "x"}, 422, "id of a delta"),
        ({"before_delta_id": str(uuid4())}, 404, "does not reach back"),
    ],
)
async def test_a_log_that_cannot_be_had(server, query, status, text):
    file_id = await a_notebook(server, "no-log.ipynb")
    response = await call(server, "GET", f"/v1/files/{file_id}/log", params=query)
    assert (response.status_code, text in response.json()["message"]) == (status, True)


async def test_the_log_of_an_untouched_notebook(server):
    file_id = await a_notebook(server, "untouched.ipynb")
    log = await read_log(server, file_id)
    assert log.deltas == []
    assert not log.more
    assert log.start.version_id is not None


async def test_restoring_a_version(server):
    file_id = await a_notebook(server, "restore.ipynb")
    async with follow(server, file_id) as client:
        await client.add("kept", "one")
        saved = await post(server, f"/v1/files/{file_id}/versions", {"name": "good"})
        await client.change("nb_cells", "delete", {"id": "kept"})
        await client.add("later", "two")
        edited = await current_notebook(server, file_id)
        restored = await post(server, f"/v1/files/{file_id}/versions/{saved['id']}/restore")
        FileVersion.model_validate(restored)
        assert restored["reason"] == "restore"
        changed = await client.wait_for("v0_file_versions_changed_event")
        assert changed["data"] is not None
        told = await client.wait_for("inconsistent_state_event")
        assert "restored version" in told["data"]["message"]

        # No delta reaches it before it has loaded the notebook again.
        await client.submit(client.delta("cell_contents", "replace", {"source": "x"}, "kept"))
        reply = await client.wait_for("new_delta_reply")
        assert reply["data"]["success"]
        refused = await client.subscribe(from_version_id=client.version_id)
        assert refused["event"] == "inconsistent_state_event"
        file = await get(server, f"/v1/files/{file_id}")
        assert file["current_version_id"] == restored["id"]
        reply = await client.subscribe(from_version_id=restored["id"])
        assert [one["properties"] for one in reply["data"]["deltas_to_apply"]] == [{"source": "x"}]
        await client.add("new", "a deleted cell's id is free again only where it was restored")
        cell = {"cell_type": "code", "id": "later", "source": "", "metadata": {}}
        assert await client.rejected("nb_cells", "add", {"id": "later", "cell": cell})

    versions = await get(server, f"/files/{file_id}/versions")
    kept = versions[1]
    assert (kept["reason"], "Before version" in kept["name"]) == ("restore", True)
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(kept["content_presigned_url"])).json() == edited
    # The log goes back beyond it.
    log = await read_log(server, file_id)
    assert [one["delta_type"] for one in log.deltas] == ["cell_contents", "nb_cells"]
    assert log.more
    earlier = await read_log(server, file_id, before_delta_id=log.deltas[0]["id"])
    assert json.loads(replayed(earlier).dumps()) == edited


async def test_restoring_what_is_no_version_of_it(server):
    file_id, other = await a_notebook(server, "a.ipynb"), await a_notebook(server, "b.ipynb")
    foreign = (await get(server, f"/files/{other}/versions"))[0]["id"]
    for version_id in (foreign, str(uuid4()), "x"):
        path = f"/v1/files/{file_id}/versions/{version_id}/restore"
        assert (await call(server, "POST", path)).status_code == 404


async def test_reasons(server):
    file_id = await a_notebook(server, "reasons.ipynb")
    await post(server, f"/v1/files/{file_id}/versions", {"name": None})
    versions = await get(server, f"/files/{file_id}/versions")
    assert [one["reason"] for one in versions] == ["save", "upload"]


async def test_renaming(server):
    file_id = await a_notebook(server, "old.ipynb")
    async with follow(server, file_id) as client:
        await client.add("c", "still here")
        file = await post(server, f"/v1/files/{file_id}/rename", {"path": "deep/er/new.ipynb"})
        assert (file["id"], file["filename"]) == (file_id, "new.ipynb")
        told = await client.wait_for("file_renamed_event")
        assert told["data"]["path"] == "deep/er/new.ipynb"
        await client.change("cell_contents", "replace", {"source": "and writable"}, "c")
        await post(server, f"/v1/files/{file_id}/save")
    assert not (server.root / "old.ipynb").exists()
    content = json.loads((server.root / "deep/er/new.ipynb").read_text())
    assert content["cells"][0]["source"] in ("and writable", ["and writable"])
    assert await open_notebook(server, "deep/er/new.ipynb") == file_id


async def test_a_kernel_goes_with_its_notebook(server):
    file_id = await a_notebook(server, "with-kernel.ipynb")
    session = await post(server, "/v1/sessions", {"file_id": file_id, "kernel_config": {}})
    async with follow(server, file_id) as client:
        await client.add("c", "x = 1")
        await client.execute("c")
        await client.finished("c")
        await post(server, f"/v1/files/{file_id}/rename", {"path": "moved-kernel.ipynb"})
        await client.change("cell_contents", "replace", {"source": "print(x)"}, "c")
        await client.execute("c")
        await client.finished("c")
        output = next(m for m in client.log if m["event"] == "append_output_event")
        assert output["data"]["content"]["raw"] == "1\n"
    async with httpx.AsyncClient(trust_env=False, headers=server.headers) as http:
        found = (await http.get(f"{server.url}api/sessions")).json()
    assert {one["id"]: one["path"] for one in found}[session["id"]] == "moved-kernel.ipynb"
    assert (await call(server, "DELETE", f"/sessions/{session['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("taken.ipynb", 409),
        ("../out.ipynb", 400),
        ("/etc/out.ipynb", 400),
        (".hidden/x.ipynb", 400),
        ("a\0b.ipynb", 400),
        ("x" * 300 + ".ipynb", 400),
        ("x" * 10_000, 422),
        ("", 400),
        ("no-notebook.txt", 422),
        ("taken.ipynb/below.ipynb", 409),
        (None, 422),
        (5, 422),
    ],
)
async def test_a_name_that_cannot_be(server, path, status):
    await a_notebook(server, "taken.ipynb")
    file_id = await a_notebook(server, "stays.ipynb")
    response = await call(server, "POST", f"/v1/files/{file_id}/rename", {"path": path})
    assert response.status_code == status, response.text
    assert "\n" not in response.json()["message"]
    assert (server.root / "stays.ipynb").exists()
