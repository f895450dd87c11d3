"""A cell that is added with the outputs of another one."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ...helpers.rtu import follow, get, open_notebook, post

pytestmark = [pytest.mark.server, pytest.mark.kernel]


async def test_outputs_are_copied(server):
    file_id = await open_notebook(server, "copy.ipynb", create=True)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        await client.add("one", "print('here')\n40 + 2")
        await client.execute("one")
        delta = await client.wait_for(
            "new_delta_event", lambda m: m["data"]["delta_type"] == "cell_output_collection"
        )
        first = delta["data"]["properties"]["output_collection_id"]
        await client.finished("one")

        async def add_copy(cell_id: str, collection_id: str) -> None:
            cell = {"cell_type": "code", "id": cell_id, "source": "copy", "metadata": {}}
            added = client.delta(
                "nb_cells", "add", {"id": cell_id, "cell": cell, "after_id": "one"}
            )
            data = {"delta": added, "output_collection_id_to_copy": collection_id}
            await client.send(client.files, "new_delta_request", data)

        await add_copy("two", first)
        delta = await client.wait_for(
            "new_delta_event", lambda m: m["data"]["delta_type"] == "cell_output_collection"
        )
        assert delta["data"]["resource_id"] == "two"
        second = delta["data"]["properties"]["output_collection_id"]
        assert second != first
        shown = [
            [(one["type"], one["content"]["raw"]) for one in found["outputs"]]
            for found in [await get(server, f"/outputs/collection/{i}") for i in (first, second)]
        ]
        assert shown[0] == shown[1] == [("stream", "here\n"), ("execute_result", "42")]

        # An unknown collection, or a cell that is refused, copies nothing.
        await add_copy("three", str(uuid4()))
        await add_copy("one", second)
        assert (await client.wait_for("delta_rejected"))["data"]["cause"]
        event = await client.change("cell_contents", "replace", {"source": "x"}, "one")
        assert event["data"]["delta_type"] == "cell_contents"
        late = [m for m in client.log if m["event"] == "new_delta_event"]
        assert [m["data"]["delta_type"] for m in late].count("cell_output_collection") == 2
