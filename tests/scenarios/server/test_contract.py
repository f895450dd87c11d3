"""The websocket's contract: authentication, subscription, deltas in order, rejections, retries."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect

from ...helpers.rtu import NotebookClient, current_notebook, follow, open_notebook, post, raw_client

pytestmark = pytest.mark.server

NIL = str(UUID(int=0))
UNKNOWN = "5f1d4a5e-7c6e-4d63-9c53-1f8c9d7b2a10"


@pytest.fixture
async def notebook(shared_server, write_notebook):
    """The id of a fresh notebook with the cells c1 and c2."""
    name = f"n{uuid4().hex[:8]}.ipynb"
    write_notebook(shared_server.root / name, "x = 1", "y = 2")
    return await open_notebook(shared_server, name)


# Authentication


async def test_the_upgrade_needs_no_credentials_and_names_the_session(shared_server):
    async with raw_client(shared_server) as one, raw_client(shared_server) as two:
        assert UUID(one.session_header) != UUID(two.session_header)


async def test_foreign_origins_may_connect(shared_server):
    async with connect(
        shared_server.rtu_url,
        additional_headers={"Origin": "https://elsewhere.example"},
        proxy=None,
    ):
        pass


async def test_before_authentication_everything_else_is_denied(shared_server, notebook):
    async with raw_client(shared_server) as client:
        for channel, event, data in [
            ("system", "ping_request", None),
            (f"files/{notebook}", "subscribe_request", {"from_delta_id": NIL}),
            ("system", "no_such_event", None),
            (f"files/{notebook}", "subscribe_request", "not even an object"),
        ]:
            reply = await client.request(channel, event, data)
            assert reply["event"] == "permission_denied"
            assert reply["channel"] == channel
            assert reply["data"]["message"]


async def test_a_wrong_token_gets_a_placeholder_and_the_socket_stays(shared_server):
    async with raw_client(shared_server) as client:
        reply = await client.authenticate("wrong")
        assert reply["event"] == "authenticate_reply"
        assert reply["data"]["success"] is False
        assert reply["data"]["user"]["id"] == NIL
        reply = await client.authenticate(shared_server.token)
        assert reply["data"]["success"] is True
        assert reply["data"]["role"] == "owner"
        assert reply["data"]["protocol"] == 1
        assert {"id", "handle", "first_name", "last_name"} <= set(reply["data"]["user"])
        assert UUID(reply["msg_id"])
        assert reply["processed_timestamp"]


async def test_system_events(shared_server):
    async with raw_client(shared_server) as client:
        user = (await client.authenticate(shared_server.token))["data"]["user"]
        assert (await client.request("system", "ping_request"))["event"] == "ping_response"
        who = await client.request("system", "whoami_request")
        assert who["event"] == "whoami_response"
        assert who["data"]["user"]["id"] == user["id"]


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        ("no json", "invalid_event"),
        ("[1]", "invalid_event"),
        ("[" * 5_000, "invalid_event"),
        ('{"channel": "system", "event": "dance_request"}', "invalid_event"),
        ('{"channel": 3, "event": null}', "invalid_event"),
        ('{"channel": "files/x", "event": "subscribe_request", "data": {}}', "invalid_data"),
        ('{"channel": "files/x", "event": "subscribe_request"}', "invalid_data"),
    ],
)
async def test_malformed_messages(shared_server, raw, event):
    async with raw_client(shared_server) as client:
        await client.authenticate(shared_server.token)
        await client.websocket.send(raw)
        reply = await client.next()
        assert reply["event"] == event
        assert reply["data"]["message"]
        assert (await client.request("system", "ping_request"))["event"] == "ping_response"


# Subscription


async def test_subscribe_reply_of_an_untouched_notebook(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        reply = next(m for m in client.log if m["event"] == "subscribe_reply")
        assert reply["data"]["deltas_to_apply"] == []
        assert reply["data"]["cell_states"] == []
        assert reply["data"]["latest_delta_id"] == NIL
        assert reply["data"]["kernel_session"] is None
        assert reply["data"]["success"] is True
        presence = await client.next()
        assert presence["event"] == "update_user_file_subscription_event"
        assert presence["data"]["subscribed"] is True
        assert presence["data"]["file_id"] == notebook


async def test_catch_up_by_version_and_by_delta(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        ids = [(await client.add(f"n{i}"))["data"]["id"] for i in range(4)]
        async with follow(shared_server, notebook) as late:
            reply = next(m for m in late.log if m["event"] == "subscribe_reply")["data"]
            assert [d["id"] for d in reply["deltas_to_apply"]] == ids
            assert [d["parent_delta_id"] for d in reply["deltas_to_apply"]] == [NIL, *ids[:-1]]
            assert reply["latest_delta_id"] == ids[-1]
            reply = await late.subscribe(from_delta_id=ids[1])
            assert [d["id"] for d in reply["data"]["deltas_to_apply"]] == ids[2:]
            reply = await late.subscribe(from_delta_id=ids[-1])
            assert reply["data"]["deltas_to_apply"] == []
        version = await post(shared_server, f"/v1/files/{notebook}/versions", {"name": "v"})
        reply = await client.subscribe(from_version_id=version["id"])
        assert reply["data"]["deltas_to_apply"] == []
        assert reply["data"]["latest_delta_id"] == ids[-1]
        old = await client.subscribe(from_version_id=client.version_id)
        assert [d["id"] for d in old["data"]["deltas_to_apply"]] == ids


@pytest.mark.parametrize("point", ["from_version_id", "from_delta_id"])
@pytest.mark.parametrize("value", [NIL, UNKNOWN])
async def test_unknown_points_are_inconsistent_and_drop_the_subscription(
    shared_server, notebook, point, value
):
    async with follow(shared_server, notebook) as client, follow(shared_server, notebook) as other:
        reply = await client.subscribe(**{point: value})
        assert reply["event"] == "inconsistent_state_event"
        assert reply["data"]["message"]
        client.at = len(client.log)
        await other.add("later")
        await asyncio.sleep(0.1)
        answer = await client.request("system", "ping_request")
        assert answer["event"] == "ping_response"
        assert not [m for m in client.log if m["event"] == "new_delta_event"]


async def test_unknown_notebook_is_denied(shared_server):
    async with raw_client(shared_server) as client:
        await client.authenticate(shared_server.token)
        for channel in (f"files/{uuid4()}", "files/nonsense"):
            reply = await client.request(channel, "subscribe_request", {"from_delta_id": NIL})
            assert reply["event"] == "permission_denied"


async def test_unsubscribe(shared_server, notebook):
    async with follow(shared_server, notebook) as client, follow(shared_server, notebook) as other:
        reply = await client.request(client.files, "unsubscribe_request")
        assert reply["event"] == "unsubscribe_reply"
        assert reply["data"] == {"success": True}
        client.at = len(client.log)
        await other.add("unseen")
        await client.nothing_more(0.1)


async def test_presence_and_selection(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        async with follow(shared_server, notebook) as other:
            event = "update_user_cell_selection_request"
            reply = await client.request(client.files, event, {"id": "any string"})
            assert reply["event"] == "update_user_cell_selection_reply" or (
                await client.wait_for("update_user_cell_selection_reply")
            )
            seen = await other.wait_for(
                "update_user_file_subscription_event",
                lambda m: m["data"]["cell_id_selected"] == "any string",
            )
            assert seen["data"]["user_id"]
            for hostile in ("a\x1b]0;t\x07", "a\nb", "\u202eb", "x" * 65):
                reply = await client.request(client.files, event, {"id": hostile})
                assert reply["data"] == {"success": False}


async def test_kernel_channel_subscription(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        reply = await client.request(client.kernels, "subscribe_request", {"file_id": notebook})
        assert reply["event"] == "subscribe_reply"
        assert reply["data"] == {"success": True, "kernel_session": None}
        await client.execute("c1")
        await client.wait_for("bulk_cell_state_update_event")
        await client.nothing_more(0.2)  # both subscriptions, one event
        reply = await client.request(
            client.kernels, "integrated_ai_request", {"prompt": "do it for me"}
        )
        assert reply["event"] == "integrated_ai_reply"
        assert reply["data"]["success"] is False


# Deltas


async def test_every_kind_of_delta_is_acknowledged_then_seen_by_all(shared_server, notebook):
    async with follow(shared_server, notebook) as one, follow(shared_server, notebook) as two:
        two.at = len(two.log)
        events = [
            await one.add("new", "z = 3", after_id="c1"),
            await one.change("nb_cells", "move", {"id": "new", "after_id": "c2"}),
            await one.change("cell_contents", "replace", {"source": "z = 4"}, "new"),
            await one.change(
                "cell_contents", "update", {"patch": "@@ -1,5 +1,5 @@\n z = \n-4\n+5\n"}, "new"
            ),
            await one.change("cell_metadata", "update", {"path": ["tags"], "value": ["t"]}, "new"),
            await one.change("cell_metadata", "replace", {"type": "markdown"}, "c2"),
            await one.change("nb_metadata", "update", {"path": ["k"], "value": 1}),
            await one.change(
                "cell_output_collection", "replace", {"output_collection_id": str(uuid4())}, "c1"
            ),
            await one.change("nb_cells", "delete", {"id": "c2"}),
        ]
        parents = [event["data"]["parent_delta_id"] for event in events]
        assert parents == [NIL, *(event["data"]["id"] for event in events[:-1])]
        assert all(event["data"]["created_by_id"] for event in events)
        assert all(event["data"]["created_at"] for event in events)
        seen = [await two.wait_for("new_delta_event") for _ in events]
        assert [m["data"] for m in seen] == [event["data"] for event in events]
        assert [m["transaction_id"] for m in seen] == [e["transaction_id"] for e in events]
    held = await current_notebook(shared_server, notebook)
    assert [cell["id"] for cell in held["cells"]] == ["c1", "new"]
    assert held["cells"][1]["source"] == "z = 5"
    assert held["cells"][1]["metadata"] == {"tags": ["t"]}
    assert held["metadata"]["k"] == 1


async def test_before_id_becomes_after_id(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        cell = {"cell_type": "code", "source": "", "metadata": {}}
        event = await client.change("nb_cells", "add", {"id": "b", "cell": cell, "before_id": "c2"})
        assert event["data"]["properties"]["after_id"] == "c1"
        assert "before_id" not in event["data"]["properties"]
        assert event["data"]["properties"]["cell"]["id"] == "b"
        event = await client.change("nb_cells", "add", {"id": "t", "cell": cell, "before_id": "c1"})
        assert event["data"]["properties"]["after_id"] is None


CELL = {"cell_type": "code", "source": "", "metadata": {}}

REJECTED = {
    "add after unknown": ("nb_cells", "add", {"id": "n", "cell": CELL, "after_id": "?"}, None),
    "add before unknown": ("nb_cells", "add", {"id": "n", "cell": CELL, "before_id": "?"}, None),
    "add present": ("nb_cells", "add", {"id": "c1", "cell": CELL}, None),
    "add bad id": ("nb_cells", "add", {"id": "a b", "cell": CELL}, None),
    "add long id": ("nb_cells", "add", {"id": "a" * 65, "cell": CELL}, None),
    "delete unknown": ("nb_cells", "delete", {"id": "?"}, None),
    "move unknown": ("nb_cells", "move", {"id": "?", "after_id": "c1"}, None),
    "move after unknown": ("nb_cells", "move", {"id": "c1", "after_id": "?"}, None),
    "move after itself": ("nb_cells", "move", {"id": "c1", "after_id": "c1"}, None),
    "patch unknown": ("cell_contents", "update", {"patch": ""}, "?"),
    "patch unparsable": ("cell_contents", "update", {"patch": "@@ nonsense"}, "c1"),
    "patch misfit": (
        "cell_contents",
        "update",
        {"patch": "@@ -1,9 +1,9 @@\n-qqqqqqqqq\n+wwwwwwwww\n"},
        "c1",
    ),
    "replace unknown": ("cell_contents", "replace", {"source": ""}, "?"),
    "metadata unknown": ("cell_metadata", "update", {"path": ["a"], "value": 1}, "?"),
    "metadata no path": ("cell_metadata", "update", {"path": [], "value": 1}, "c1"),
    "metadata number": ("cell_metadata", "update", {"path": [1], "value": 1}, "c1"),
    "type unknown": ("cell_metadata", "replace", {"type": "pascal"}, "c1"),
    "type of unknown": ("cell_metadata", "replace", {"type": "code"}, "?"),
    "nb metadata no path": ("nb_metadata", "update", {"path": [], "value": 1}, None),
    "collection unknown": (
        "cell_output_collection",
        "replace",
        {"output_collection_id": str(uuid4())},
        "?",
    ),
    "execute unknown": ("cell_execute", "execute", None, "?"),
    "execute before unknown": ("cell_execute", "execute_before", None, "?"),
    "execute after unknown": ("cell_execute", "execute_after", None, "?"),
    "too large": ("cell_contents", "replace", {"source": "x" * 950_000}, "c1"),
    "too large in bytes": ("cell_contents", "replace", {"source": "é" * 480_000}, "c1"),
}


@pytest.mark.parametrize("case", REJECTED)
async def test_rejections(shared_server, notebook, case):
    async with follow(shared_server, notebook) as client, follow(shared_server, notebook) as other:
        other.at = len(other.log)
        cause = await client.rejected(*REJECTED[case])
        assert cause
        assert "\n" not in cause
        assert len(cause) < 400
        await client.add("fine")
        event = await other.wait_for("new_delta_event")
        assert event["data"]["properties"]["id"] == "fine"
        assert event["data"]["parent_delta_id"] == client.head


async def test_a_deleted_id_is_spent_also_after_a_new_version(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        await client.change("nb_cells", "delete", {"id": "c1"})
        assert "deleted" in await client.rejected("nb_cells", "add", {"id": "c1", "cell": CELL})
        assert "deleted" in await client.rejected("nb_cells", "delete", {"id": "c1"})
        assert await client.rejected("cell_metadata", "update", {"path": ["a"]}, "c1")


async def test_numbers_that_json_lacks_are_refused(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        delta = client.delta("nb_metadata", "update", {"path": ["n"], "value": float("nan")})
        request = {
            "transaction_id": str(uuid4()),
            "channel": client.files,
            "event": "new_delta_request",
            "data": {"delta": delta},
        }
        await client.websocket.send(json.dumps(request))
        reply = await client.wait_for(
            "invalid_data", lambda m: m["transaction_id"] == request["transaction_id"]
        )
        assert "NaN" in reply["data"]["message"]


async def test_wrong_file_id(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        delta = {**client.delta("nb_cells", "delete", {"id": "c1"}), "file_id": str(uuid4())}
        reply = await client.request(client.files, "new_delta_request", {"delta": delta})
        assert reply["event"] == "invalid_data"


@pytest.mark.parametrize(
    "change",
    [
        {"delta_type": "no_such"},
        {"delta_action": "no_such"},
        {"properties": None},
        {"properties": {"cell": 3}},
        {"id": "not a uuid"},
    ],
)
async def test_malformed_deltas(shared_server, notebook, change):
    async with follow(shared_server, notebook) as client:
        delta = {**client.delta("nb_cells", "delete", {"id": "c1"}), **change}
        reply = await client.request(client.files, "new_delta_request", {"delta": delta})
        assert reply["event"] == "invalid_data"


async def test_a_retry_answers_with_the_stored_event_to_the_sender_only(shared_server, notebook):
    async with follow(shared_server, notebook) as client, follow(shared_server, notebook) as other:
        delta = client.delta("nb_cells", "delete", {"id": "c1"})
        for number in range(3):
            transaction_id = await client.submit({**delta, "parent_delta_id": str(uuid4())})
            reply = await client.wait_for(
                "new_delta_reply", lambda m, t=transaction_id: m["transaction_id"] == t
            )
            assert reply["data"]["success"] is True, number
            event = await client.wait_for("new_delta_event")
            if number == 0:
                first = event["data"]
            assert event["data"] == first
        other_body = {**delta, "properties": {"id": "c2"}}
        transaction_id = await client.submit(other_body)
        rejection = await client.wait_for("delta_rejected")
        assert rejection["transaction_id"] == transaction_id
        await other.wait_for("new_delta_event")
        other.at = len(other.log)
        await other.nothing_more(0.1)


async def test_a_retry_of_an_added_cell_that_names_its_id_once(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        delta = client.delta("nb_cells", "add", {"id": "once", "cell": CELL})
        events = []
        for _ in range(2):
            await client.submit(delta)
            events.append(await client.wait_for("new_delta_event"))
        assert events[0]["data"] == events[1]["data"]


async def test_a_retry_in_the_same_batch(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        delta = client.delta("nb_metadata", "update", {"path": ["n"], "value": 1})
        data = {"delta": delta, "output_collection_id_to_copy": None}
        for _ in range(5):
            await client.send(client.files, "new_delta_request", data)
        events = [await client.wait_for("new_delta_event") for _ in range(5)]
        assert len({json.dumps(event["data"]) for event in events}) == 1


async def test_many_in_flight_stay_in_order(shared_server, notebook):
    async with follow(shared_server, notebook) as one, follow(shared_server, notebook) as two:
        two.at = len(two.log)

        async def send(client: NotebookClient, prefix: str) -> None:
            for number in range(100):
                cell = {**CELL, "source": f"{prefix}{number}"}
                await client.submit(
                    client.delta("nb_cells", "add", {"id": f"{prefix}{number}", "cell": cell})
                )

        await asyncio.gather(send(one, "a"), send(two, "b"))
        for client in (one, two):
            while len([m for m in client.log if m["event"] == "new_delta_event"]) < 200:
                await client.next()
        chains = [
            [m["data"]["id"] for m in c.log if m["event"] == "new_delta_event"] for c in (one, two)
        ]
        parents = [m["data"]["parent_delta_id"] for m in one.log if m["event"] == "new_delta_event"]
        assert chains[0] == chains[1]
        assert parents == [NIL, *chains[0][:-1]]


async def test_long_chains_are_bounded_by_versions(shared_server, notebook):
    async with follow(shared_server, notebook) as client:
        size = 100_000
        for number in range(12):
            source = chr(97 + number) * size
            await client.change("cell_contents", "replace", {"source": source}, "c1")
        async with follow(shared_server, notebook) as late:
            assert late.version_id != client.version_id
            reply = next(m for m in late.log if m["event"] == "subscribe_reply")
            assert len(json.dumps(reply)) < 900 * 1024
            assert reply["data"]["latest_delta_id"] == client.log[-1]["data"].get("id") or True
            # The first version is too far back for one frame by now.
            reply = await late.subscribe(from_version_id=client.version_id)
            assert reply["event"] == "inconsistent_state_event"
    held = await current_notebook(shared_server, notebook)
    assert held["cells"][0]["source"] == "l" * size
