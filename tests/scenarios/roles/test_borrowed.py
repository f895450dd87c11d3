"""What belongs to another notebook, to another person, or to an invitation that has ended."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import httpx
import pytest

from ...helpers.rtu import follow, get, open_notebook, post
from .conftest import ask, follow_as, invite

pytestmark = pytest.mark.server


def write_notebook(path, source: str) -> None:
    cell = {"cell_type": "code", "id": "c1", "metadata": {}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))


async def submitted(client, delta) -> str:
    """Submit a delta; returns why it was refused, empty if it was not."""
    transaction_id = await client.submit(delta)
    while True:
        message = await client.next()
        if message["transaction_id"] != transaction_id:
            continue
        if message["event"] == "delta_rejected":
            return message["data"]["cause"]
        if message["event"] == "new_delta_event":
            return ""


def ways(client, collection_id: str):
    """Yield every delta by which a cell can name its outputs."""
    own = {"output_collection_id": collection_id}
    yield client.delta("cell_output_collection", "replace", own, "c1")
    for path, value in (
        (["noteable", "output_collection_id"], collection_id),
        (["noteable"], own),
        (["metadata", "noteable", "output_collection_id"], collection_id),
    ):
        properties = {"path": path, "value": value, "prior_value": None}
        yield client.delta("cell_metadata", "update", properties, "c1")
    cell = {"cell_type": "code", "id": "new", "source": "", "metadata": {"noteable": own}}
    cell |= {"outputs": [], "execution_count": None}
    yield client.delta("nb_cells", "add", {"id": "new", "cell": cell, "after_id": None})


@pytest.mark.kernel
async def test_a_cell_shows_no_outputs_of_another_notebook(server):
    write_notebook(server.root / "theirs.ipynb", "print('theirs')")
    write_notebook(server.root / "mine.ipynb", "x = 1")
    theirs = await open_notebook(server, "theirs.ipynb")
    mine = await open_notebook(server, "mine.ipynb")
    async with follow(server, theirs) as client:
        await post(server, "/v1/sessions", {"file_id": theirs})
        await client.execute("c1")
        event = await client.wait_for(
            "new_delta_event", lambda m: m["data"]["delta_type"] == "cell_output_collection"
        )
        foreign = event["data"]["properties"]["output_collection_id"]
        await client.wait_for(
            "bulk_cell_state_update_event",
            lambda m: m["data"]["cell_states"][0]["state"].startswith("finished"),
        )
    token = (await invite(server, mine, "contributor"))["token"]
    async with follow_as(server, mine, token) as guest, follow(server, mine) as owner:
        for client in (guest, owner):
            for delta in ways(client, foreign):
                assert "not of this notebook's cells" in await submitted(client, delta)
            # Of its own, or one that there is not, as before.
            for delta in [*ways(client, str(uuid4()))][:2]:
                assert await submitted(client, delta) == ""
    assert (await post(server, f"/v1/files/{mine}/save"))["path"] == "mine.ipynb"
    assert "theirs" not in (server.root / "mine.ipynb").read_text()


@pytest.mark.kernel
async def test_a_cell_shows_no_outputs_of_a_run_without_a_cell(server):
    write_notebook(server.root / "scratch.ipynb", "x = 1")
    file_id = await open_notebook(server, "scratch.ipynb")
    token = (await invite(server, file_id, "contributor"))["token"]
    async with follow(server, file_id) as owner, follow_as(server, file_id, token) as guest:
        await post(server, "/v1/sessions", {"file_id": file_id})
        body = {"execution_id": str(uuid4()), "source": "print('private')"}
        await owner.request(owner.files, "scratch_request", body)
        event = await owner.wait_for("append_output_event")
        private = event["data"]["parent_collection_id"]
        for delta in ways(guest, private):
            assert "not of this notebook's cells" in await submitted(guest, delta)


async def test_links_end_with_what_let_their_reader_in(server, file_id):
    made = await invite(server, file_id, "contributor")
    still = await invite(server, file_id, "viewer")
    token = made["token"]

    async def links(of: str) -> list[str]:
        file = (await ask(server, of, "GET", f"/v1/files/{file_id}")).json()
        versions = (await ask(server, of, "GET", f"/files/{file_id}/versions")).json()
        return [file["presigned_download_url"], *(v["content_presigned_url"] for v in versions)]

    theirs, others, owners = (
        await links(token),
        await links(still["token"]),
        await links(server.token),
    )
    async with httpx.AsyncClient(trust_env=False) as http:
        for link in (*theirs, *others, *owners):
            assert (await http.get(link)).status_code == 200
        # Whose it is cannot be altered, or left out.
        whose = theirs[0].partition("for=")[2].partition("&")[0]
        for wrong in (
            theirs[0].replace(f"for={whose}&", ""),
            theirs[0].replace(whose, str(uuid4())),
        ):
            assert (await http.get(wrong)).status_code == 403
        await ask(server, server.token, "DELETE", f"/v1/files/{file_id}/invites/{made['id']}")
        for link in theirs:
            answer = await http.get(link)
            assert answer.status_code == 403
            assert "no longer good" in answer.json()["message"]
        for link in (*others, *owners):
            assert (await http.get(link)).status_code == 200


async def test_a_link_ends_when_its_invitation_expires(server, file_id):
    made = await invite(server, file_id, "viewer", expires_in=2)
    file = (await ask(server, made["token"], "GET", f"/v1/files/{file_id}")).json()
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(600):
            status = (await http.get(file["presigned_download_url"])).status_code
            if status == 403:
                return
            await asyncio.sleep(0.1)
    pytest.fail("the link outlives the invitation")


async def test_an_upload_ends_with_what_let_its_sender_in(server):
    project = (await get(server, f"/spaces/{server.space_id}/projects"))[0]
    body = {"project_id": project["id"], "path": "data.csv", "type": "file"}
    reserved = await post(server, "/v1/files", body)
    link = reserved["presigned_upload_url_info"]["parts"][0]["upload_url"]
    assert "for=" in link
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.put(link, content=b"a,b")).status_code == 200
