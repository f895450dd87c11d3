"""What somebody may do changes, or ends, while they are connected."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from rtu_magics.client import APIClient, RTUClient
from rtu_magics.document import NotebookBuilder
from rtu_magics.errors import NotPermitted, PermissionDenied
from rtu_magics.models import Notebook
from rtu_magics.session.events import RoleChanged
from rtu_magics.session.feed import feed
from rtu_magics.session.hub import EventHub

from ...helpers.rtu import call, follow, open_notebook
from .conftest import ask, follow_as, invite, refused

pytestmark = pytest.mark.server


async def change(server, file_id, made, role):
    path = f"/v1/files/{file_id}/invites/{made['id']}"
    if role is None:
        assert (await call(server, "DELETE", path)).status_code == 204
    else:
        assert (await call(server, "PATCH", path, {"role": role})).json()["role"] == role


async def not_told(client):
    """Check that nothing about a role is on its way."""
    ping = await client.send("system", "ping_request")
    while (message := await client.next())["transaction_id"] != ping:
        assert message["event"] != "role_changed_event"


async def test_up_and_down(server, file_id):
    made = await invite(server, file_id, "viewer", name="Ada")
    async with (
        follow(server, file_id) as owner,
        follow_as(server, file_id, made["token"]) as ada,
    ):
        await owner.add("c", "x = 1")
        await ada.wait_for("new_delta_event")
        edit = ("cell_contents", "replace", {"source": "x = 2"}, "c")
        assert await refused(ada, *edit) == (
            "you are a viewer here; to edit, ask an owner to make you a contributor"
        )
        await change(server, file_id, made, "contributor")
        told = await ada.wait_for("role_changed_event")
        assert told["channel"] == ada.files
        assert told["data"] == {
            "role": "contributor",
            "message": "you are a contributor here now: you may edit and run cells",
        }
        seen = await owner.wait_for(
            "update_user_file_subscription_event",
            lambda message: message["data"].get("role") == "contributor",
        )
        assert seen["data"]["user_name"] == "Ada"
        await ada.change(*edit)
        await change(server, file_id, made, "executor")
        assert (await ada.wait_for("role_changed_event"))["data"]["role"] == "executor"
        assert "you are an executor here" in await refused(ada, *edit)
        await ada.execute("c")
        assert (await ada.wait_for("new_delta_reply"))["data"] == {"success": True}


async def test_revoked(server, file_id):
    made = await invite(server, file_id, "contributor")
    token = made["token"]
    async with (
        follow(server, file_id) as owner,
        follow_as(server, file_id, token) as guest,
    ):
        await guest.request(guest.kernels, "subscribe_request", {"file_id": file_id})
        user_id = (await guest.request("system", "whoami_request"))["data"]["user"]["id"]
        await change(server, file_id, made, None)
        told = await guest.wait_for("role_changed_event")
        assert told["data"]["role"] is None
        assert "ask an owner" in told["data"]["message"]
        gone = await owner.wait_for("remove_user_file_subscription_event")
        assert gone["data"] == {"user_id": user_id}
        await owner.add("c", "secret = 1")
        await call(server, "POST", f"/v1/files/{file_id}/versions", {"name": "v"})
        await guest.nothing_more()
        for channel, event, data in [
            (guest.files, "subscribe_request", {"from_version_id": guest.version_id}),
            (guest.kernels, "subscribe_request", {"file_id": file_id}),
            (guest.files, "update_user_cell_selection_request", {"id": "c"}),
        ]:
            answer = await guest.request(channel, event, data)
            assert answer["event"] == "permission_denied", event
        await refused(guest, "nb_cells", "delete", {"id": "c"})
        # The socket stays open; the token opens nothing any more.
        assert (await guest.request("system", "ping_request"))["event"] == "ping_response"
        again = await guest.authenticate(token)
        assert again["data"]["success"] is False
        assert again["data"]["message"] == "the invitation was revoked; ask an owner for a new one"
    assert (await ask(server, token, "GET", f"/v1/files/{file_id}")).status_code == 401


async def test_a_burst_of_edits_ends_at_the_revocation(server, file_id):
    made = await invite(server, file_id, "contributor")
    async with follow_as(server, file_id, made["token"]) as guest:
        await guest.add("c")
        sent: list[str] = []

        async def edit() -> None:
            delta = guest.delta("cell_contents", "replace", {"source": str(len(sent))}, "c")
            sent.append(await guest.submit(delta))
            await asyncio.sleep(0)

        for _ in range(50):
            await edit()
        revoking = asyncio.create_task(change(server, file_id, made, None))
        while not revoking.done():
            await edit()
        for _ in range(50):
            await edit()
        accepted: list[bool] = []
        told_after = None
        while len(accepted) < len(sent):
            message = await guest.next()
            if message["event"] == "new_delta_reply":
                accepted.append(message["data"]["success"])
            elif message["event"] == "permission_denied":
                accepted.append(False)
            elif message["event"] == "role_changed_event":
                told_after = len(accepted)
        assert told_after is not None
        assert all(accepted[:told_after])
        assert not any(accepted[told_after:])
        assert len(accepted) - told_after >= 50


async def test_expires_while_connected(server, file_id):
    made = await invite(server, file_id, "contributor", expires_in=2)
    async with follow_as(server, file_id, made["token"]) as guest:
        await guest.add("c", "1")
        told = await guest.wait_for("role_changed_event", timeout=60)
        assert told["data"] == {
            "role": None,
            "message": "your invitation has expired; ask an owner for a new one",
        }
        await refused(guest, "nb_cells", "delete", {"id": "c"})
        again = await guest.authenticate(made["token"])
        assert again["data"]["message"] == "the invitation has expired; ask an owner for a new one"
    answer = await ask(server, made["token"], "GET", "/users/me")
    assert answer.status_code == 401
    assert answer.json()["message"] == "the invitation has expired; ask an owner for a new one"


async def test_a_role_on_the_file_wins_and_can_be_taken_back(server, file_id):
    made = await invite(server, file_id, "viewer")
    async with follow_as(server, file_id, made["token"]) as guest:
        user_id = (await guest.request("system", "whoami_request"))["data"]["user"]["id"]
        for level, role in [
            ("role:executor", "executor"),
            ("role:owner", "owner"),
            ("role:commenter", "viewer"),
        ]:
            body = {"user_id": user_id, "access_level": level}
            answer = await call(server, "PUT", f"/files/{file_id}/users", body)
            assert ("commenter" in answer.json().get("message", "")) is (level == "role:commenter")
            assert (await guest.wait_for("role_changed_event"))["data"]["role"] == role
        await change(server, file_id, made, "contributor")
        await not_told(guest)  # the role on the file still decides
        await call(server, "DELETE", f"/files/{file_id}/users/{user_id}")
        assert (await guest.wait_for("role_changed_event"))["data"]["role"] == "contributor"


async def test_the_visibility_gives_but_does_not_take(server, file_id):
    made = await invite(server, file_id, "executor")
    async with follow_as(server, file_id, made["token"]) as guest:
        for visibility, level, role in [
            ("open", "role:contributor", "contributor"),
            ("open", "role:viewer", "executor"),
            ("private", None, None),
        ]:
            body = {"visibility": visibility, "visibility_default_access_level": level}
            assert (await call(server, "PATCH", f"/files/{file_id}", body)).is_success
            if role is None:
                await not_told(guest)
            else:
                assert (await guest.wait_for("role_changed_event"))["data"]["role"] == role


async def test_only_the_kernels_channel_is_followed(server, file_id):
    made = await invite(server, file_id, "viewer")
    async with follow_as(server, file_id, made["token"]) as guest:
        await guest.request(guest.files, "unsubscribe_request")
        await guest.request(guest.kernels, "subscribe_request", {"file_id": file_id})
        await change(server, file_id, made, None)
        assert (await guest.wait_for("role_changed_event"))["data"]["role"] is None
        await call(server, "POST", "/v1/sessions", {"file_id": file_id})
        await guest.nothing_more(0.5)


async def test_our_client_is_told(server, file_id):
    made = await invite(server, file_id, "viewer")
    async with APIClient(made["token"], server.api_url) as api:
        client = await api.connect_realtime(await api.get_file(UUID(file_id)))
    events: list[RoleChanged] = []
    hub = EventHub()
    hub.subscribe(lambda event: isinstance(event, RoleChanged) and events.append(event))
    end = feed(hub, client)
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    upgraded = asyncio.Event()
    hub.subscribe(lambda event: upgraded.set() if isinstance(event, RoleChanged) else None)
    client.register_connection_callback(
        lambda state, detail: closed.set_result(detail) if state == "closed" else None
    )
    try:
        assert client.role == "viewer"
        with pytest.raises(NotPermitted, match=r"^you are a viewer here; to edit, ask an owner"):
            await client.add_cell("x = 1")
        await change(server, file_id, made, "contributor")
        await asyncio.wait_for(upgraded.wait(), 10)
        assert client.role == "contributor"
        assert (await client.add_cell("x = 1")).source == "x = 1"
        await change(server, file_id, made, None)
        assert "you may not follow this notebook any more" in await asyncio.wait_for(closed, 10)
        with pytest.raises(PermissionDenied):
            await client.add_cell("x = 2")
        assert [event.role for event in events] == ["contributor", None]
        assert events[0].message.startswith("you are a contributor here now")
    finally:
        end()
        await client.shutdown(now=True)


async def test_our_client_is_refused(server, file_id):
    """A notebook that the invitation is not to, asked for straight at the socket."""
    other_id = await open_notebook(server, "not-yours.ipynb", create=True)
    made = await invite(server, file_id, "owner")
    client = RTUClient(
        server.rtu_url, made["token"], UUID(other_id), uuid4(), NotebookBuilder(Notebook())
    )
    await client.initialize()
    try:
        with pytest.raises(PermissionDenied, match="no such notebook, or not for you"):
            await client.wait_ready(10)
    finally:
        await client.shutdown(now=True)
