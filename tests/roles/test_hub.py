"""Under a real JupyterHub: its users are who it says they are.

The hub, its spawner and its single-user server are real. Only the proxy in front is left out, which
would need Node.js: the single-user server is asked at its own port.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from rtu_magics.client import APIClient
from rtu_magics.errors import AuthenticationFailed, NotPermitted

from ..helpers.server import free_port

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

CONFIG = """
import sys
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    routes = {{}}

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {{"routespec": routespec, "target": target, "data": data}}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return dict(self.routes)

c = get_config()
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = "http://127.0.0.1:{front}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{root}/{{username}}"
c.Spawner.ip, c.Spawner.port = "127.0.0.1", {server}
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    "--allow-root", "--ServerApp.jpserver_extensions={{'rtu_magics.server': True}}",
    "--log-level=WARN", "--RTUMagicsServer.hub_ask_every=1",
]
c.Spawner.env_keep.append("PYTHONPATH")
c.Spawner.default_url = "/api"
c.Spawner.http_timeout = 100
c.JupyterHub.db_url = "sqlite:///{root}/hub.sqlite"
c.JupyterHub.services = [{{"name": "admin", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "test",
        "scopes": ["admin:users", "admin:servers", "tokens"],
        "services": ["admin"],
    }},
    {{"name": "helps-ada", "scopes": ["access:servers!user=ada"], "users": ["bob"]}},
]
"""


@dataclass
class Hub:
    """A hub, ada's server under it, and a token of each user."""

    http: httpx.Client
    api: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    root = tmp_path_factory.mktemp("hub")
    front, port, server = (free_port() for _ in range(3))
    token = secrets.token_hex(16)
    config = root / "jupyterhub_config.py"
    config.write_text(CONFIG.format(front=front, hub=port, server=server, root=root, token=token))
    with (root / "hub.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=root,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}/hub/api",
            headers={"Authorization": f"token {token}"},
            timeout=30,
            trust_env=False,
        ) as http:
            wait_until(lambda: process.poll() is not None or answers(http, "/"), root)
            assert process.poll() is None, (root / "hub.log").read_text()[-5000:]
            tokens = {}
            for name in ("ada", "bob", "carl"):
                http.post(f"/users/{name}")
                made = http.post(f"/users/{name}/tokens", json={"note": "test"})
                tokens[name] = made.json()["token"]
            http.post("/users/ada/server").raise_for_status()
            wait_until(lambda: http.get("/users/ada").json()["servers"][""]["ready"], root)
            yield Hub(http, f"http://127.0.0.1:{server}/user/ada/rtu/api", tokens)
            http.delete("/users/ada/server")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).is_success
    except httpx.TransportError:
        return False


def wait_until(true, root: Path) -> None:
    until = time.monotonic() + 100
    while not true():
        assert time.monotonic() < until, (root / "hub.log").read_text()[-5000:]
        time.sleep(0.1)


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
