"""A long history over the wire: whoever joins or comes back has little to do, nothing is lost."""

from __future__ import annotations

import asyncio
import json

import pytest

from ...helpers.rtu import call, current_notebook, follow, get, open_notebook

pytestmark = pytest.mark.server

DELTAS = 6_500


async def _tail(server, file_id, version_id):
    """Return how many deltas follow a version."""
    async with follow(server, file_id) as other:
        reply = await other.subscribe(from_version_id=version_id)
        return len(reply["data"]["deltas_to_apply"])


async def test_a_long_history(server):
    file_id = await open_notebook(server, "long.ipynb", create=True)
    async with follow(server, file_id) as client:
        await client.add("c", "0")
        deltas = [
            client.delta("cell_contents", "replace", {"source": f"{n}"}, "c") for n in range(DELTAS)
        ]
        for start in range(0, DELTAS, 500):
            for delta in deltas[start : start + 500]:
                await client.submit(delta)
            last = deltas[min(start + 500, DELTAS) - 1]["id"]
            await client.wait_for("new_delta_event", lambda m, last=last: m["data"]["id"] == last)
        # Versions are saved on the way, and once more when it is quiet.
        while True:
            versions = await get(server, f"/files/{file_id}/versions")
            current = (await get(server, f"/v1/files/{file_id}"))["current_version_id"]
            if await _tail(server, file_id, current) <= 100:
                break
            await client.wait_for("v0_file_versions_changed_event", timeout=30)
        automatic = sum(one["reason"] == "automatic" for one in versions)
        assert DELTAS // 2000 <= automatic <= DELTAS // 1001 + 1

    async with follow(server, file_id) as other:
        reply = await other.subscribe(from_version_id=current)
        assert len(reply["data"]["deltas_to_apply"]) <= 100
        assert len(json.dumps(reply)) < 100_000
        # The first deltas leave the chain; who comes back from there is told to load.
        path = f"/v1/files/{file_id}/log"
        first = {"before_delta_id": deltas[0]["id"], "limit": 1}
        while (await call(server, "GET", path, params=first)).status_code != 404:
            await asyncio.sleep(0.1)
        gone = await other.subscribe(from_delta_id=deltas[0]["id"])
        assert gone["event"] == "inconsistent_state_event"
        reply = await other.subscribe(from_delta_id=deltas[-2000]["id"])
        assert [one["id"] for one in reply["data"]["deltas_to_apply"]] == [
            one["id"] for one in deltas[-1999:]
        ]
        # A retry from long ago is taken for what it is, and one with another body is not.
        transaction_id = await other.submit(deltas[0])
        answer = await other.wait_for(
            "new_delta_reply", lambda m: m["transaction_id"] == transaction_id
        )
        assert answer["data"]["success"]
        event = await other.wait_for("new_delta_event")
        assert event["data"]["id"] == event["data"]["parent_delta_id"] == deltas[0]["id"]
        changed = {**deltas[1], "properties": {"source": "something else"}}
        transaction_id = await other.submit(changed)
        refused = await other.wait_for(
            "delta_rejected", lambda m: m["transaction_id"] == transaction_id
        )
        assert "same id" in refused["data"]["cause"]
    notebook = await current_notebook(server, file_id)
    assert notebook["cells"][0]["source"] == f"{DELTAS - 1}"
