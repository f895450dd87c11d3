"""A real JupyterHub, its spawner and its single-user servers.

Only the proxy in front is left out, which would need Node.js: a single-user server is asked at its
own port.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from .server import free_port

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

def own_port(spawner):
    spawner.port = {ports}[spawner.user.name]

c = get_config()
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = "http://127.0.0.1:{front}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{root}/{{username}}"
c.Spawner.ip = "127.0.0.1"
c.Spawner.pre_spawn_hook = own_port
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    "--allow-root", "--ServerApp.jpserver_extensions={{'rtu_magics.server': True}}",
    "--log-level=WARN",
] + {options}
c.Spawner.env_keep.append("PYTHONPATH")
c.Spawner.default_url = "/api"
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
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

CULLER = """
c.JupyterHub.services.append({{
    "name": "culler",
    "command": [
        sys.executable, "-m", "jupyterhub_idle_culler", "--timeout={timeout}", "--cull-every=1",
    ],
}})
c.JupyterHub.load_roles.append({{
    "name": "culls",
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    "services": ["culler"],
}})
c.JupyterHub.activity_resolution = 0
c.Spawner.environment = {{"JUPYTERHUB_ACTIVITY_INTERVAL": "1"}}
"""


@dataclass
class Hub:
    """A hub, and a token of each user."""

    http: httpx.Client
    root: Path
    ports: dict[str, int]
    tokens: dict[str, str]

    @property
    def api(self) -> str:
        """Where ada's server has our API."""
        return self.api_of("ada")

    def api_of(self, name: str) -> str:
        return f"{self.url_of(name)}/rtu/api"

    def url_of(self, name: str) -> str:
        """Return where somebody's single-user server is."""
        return f"http://127.0.0.1:{self.ports[name]}/user/{name}"

    def ready(self, name: str) -> bool:
        """Return whether somebody's server runs, as the hub has it."""
        servers: dict[str, Any] = self.http.get(f"/users/{name}").json()["servers"]
        return bool(servers and servers[""]["ready"])

    def start(self, *names: str) -> None:
        """Start the servers of users, and wait for them."""
        for name in names:
            self.http.post(f"/users/{name}/server").raise_for_status()
        for name in names:
            self.wait_until(lambda name=name: self.ready(name))

    def wait_until(self, true: Callable[[], bool]) -> None:
        _wait_until(true, self.root)


@contextmanager
def running_hub(
    root: Path, names: Sequence[str], options: Sequence[str] = (), *, cull_after: int | None = None
) -> Iterator[Hub]:
    """Run a hub without any single-user server yet.

    Parameters
    ----------
    root
        Where all its files lie.
    names
        Its users.
    options
        More arguments of every single-user server.
    cull_after
        Seconds after which the idle culler ends an idle server; None for no culler.
    """
    front, port = free_port(), free_port()
    ports = {name: free_port() for name in names}
    token = secrets.token_hex(16)
    text = CONFIG.format(
        front=front, hub=port, ports=ports, root=root, token=token, options=list(options)
    )
    if cull_after is not None:
        text += CULLER.format(timeout=cull_after)
    config = root / "jupyterhub_config.py"
    config.write_text(text)
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
            _wait_until(lambda: process.poll() is not None or _answers(http, "/"), root)
            assert process.poll() is None, (root / "hub.log").read_text()[-5000:]
            tokens = {}
            for name in names:
                http.post(f"/users/{name}")
                made = http.post(f"/users/{name}/tokens", json={"note": "test"})
                tokens[name] = made.json()["token"]
            hub = Hub(http, root, ports, tokens)
            yield hub
            for name in names:
                http.delete(f"/users/{name}/server")
    finally:
        process.send_signal(signal.SIGINT)  # it ends its people's servers first
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).is_success
    except httpx.TransportError:
        return False


def _wait_until(true: Callable[[], bool], root: Path) -> None:
    until = time.monotonic() + 100
    while not true():
        assert time.monotonic() < until, (root / "hub.log").read_text()[-5000:]
        time.sleep(0.1)
