"""Under a real JupyterHub: its users are who it says they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from rtu_magics.client import APIClient
from rtu_magics.errors import AuthenticationFailed, NotPermitted

from ...helpers.hub import Hub, running_hub

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    options = ["--RTUMagicsServer.hub_ask_every=1"]
    with running_hub(tmp_path_factory.mktemp("hub"), ["ada", "bob", "carl"], options) as found:
        found.start("ada")
        yield found


async def ask(hub: Hub, name: str, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {hub.tokens[name]}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, verify=False) as http:
        return await http.request(method, hub.api + path, json=body)


async def test_who_the_hub_lets_in(hub):
    ada = (await ask(hub, "ada", "GET", "/users/me")).json()
    bob = (await ask(hub, "bob", "GET", "/users/me")).json()
    assert (ada["handle"], bob["handle"]) == ("ada", "bob")
    assert ada["id"] != bob["id"]
    assert (await ask(hub, "bob", "GET", "/users/me")).json()["id"] == bob["id"]
    carl = await ask(hub, "carl", "GET", "/users/me")
    assert carl.status_code == 401
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        assert (await http.get(f"{hub.api}/users/me")).status_code == 401
        query = await http.get(f"{hub.api}/users/me?token={hub.tokens['bob']}")
        assert query.json()["id"] == bob["id"]


async def test_owner_viewer_and_guest_in_one_notebook(hub):
    body = {"path": "lesson.ipynb", "create": True}
    assert (await ask(hub, "bob", "POST", "/v1/files/open", body)).status_code == 403
    file = (await ask(hub, "ada", "POST", "/v1/files/open", body)).json()
    assert file["role"] == "owner"
    path = f"/v1/files/{file['id']}"
    guest = (await ask(hub, "ada", "POST", f"{path}/invites", {"role": "contributor"})).json()
    clients = {}
    try:
        for name, token in {**hub.tokens, "guest": guest["token"]}.items():
            async with APIClient(token, hub.api) as api:
                if name == "carl":
                    with pytest.raises(AuthenticationFailed):
                        await api.get_file(UUID(file["id"]))
                    continue
                clients[name] = await api.connect_realtime(await api.get_file(UUID(file["id"])))
        assert {name: client.role for name, client in clients.items()} == {
            "ada": "owner",
            "bob": "viewer",
            "guest": "contributor",
        }
        await clients["guest"].add_cell("x = 1")
        with pytest.raises(NotPermitted):
            await clients["bob"].add_cell("x = 2")
        query = f"/files/{file['id']}/shareable-users?q=bob"
        found = (await ask(hub, "ada", "GET", query)).json()["data"]
        share = {"user_id": found[0]["id"], "access_level": "role:contributor"}
        await ask(hub, "ada", "PUT", f"/files/{file['id']}/users", share)
        await clients["bob"].add_cell("x = 3")
        assert clients["bob"].role == "contributor"
        people = (await ask(hub, "ada", "GET", f"{path}/people")).json()
        assert {one["name"] for one in people if one["online"]} >= {"ada", "bob"}
    finally:
        for client in clients.values():
            await client.shutdown(now=True)


async def test_a_token_that_the_hub_takes_back(hub):
    made = hub.http.post("/users/bob/tokens", json={"note": "short"}).json()
    body = {"path": "other.ipynb", "create": True}
    file = (await ask(hub, "ada", "POST", "/v1/files/open", body)).json()
    async with APIClient(made["token"], hub.api) as api:
        client = await api.connect_realtime(await api.get_file(UUID(file["id"])))
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    client.register_connection_callback(
        lambda state, detail: closed.set_result(detail) if state == "closed" else None
    )
    try:
        assert client.role == "viewer"
        hub.http.delete(f"/users/bob/tokens/{made['id']}").raise_for_status()
        assert "ask an owner" in await asyncio.wait_for(closed, 30)
    finally:
        await client.shutdown(now=True)
