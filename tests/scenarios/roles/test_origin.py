"""Jupyter without a token: its owner is whoever sits there, and no page of another site."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect

from rtu_magics.embedded.registry import read_address

from ...helpers.fork_server import run_module
from ...helpers.server import free_port

pytestmark = pytest.mark.server

EVIL = "http://evil.example"
ID = "00000000-0000-0000-0000-000000000000"


@contextmanager
def jupyter(folder: Path, *arguments: str, token: str = "", config: str = "") -> Iterator[int]:
    """A real Jupyter Server with the extension; yields its port."""
    root, port = folder / "work", free_port()
    root.mkdir(exist_ok=True)
    (root / "a.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    command = ["--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ServerApp.port_retries=0"]
    if config:
        (folder / "config.py").write_text(config)
        command += [f"--config={folder / 'config.py'}"]
    else:
        command += [f"--IdentityProvider.token={token}"]
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    env |= {"JUPYTER_CONFIG_DIR": str(folder / "settings")}
    with (folder / "log").open("wb") as log:
        command += arguments
        process = run_module("jupyter_server", *command, cwd=root, env=env, log=log)
    try:
        for _ in range(600):
            if (root / ".rtu_magics" / "server.json").exists():
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with jupyter(tmp_path_factory.mktemp("open")) as port:
        yield port


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(
        method, f"http://127.0.0.1:{port}/rtu/api{path}", json=body, headers=sent, timeout=30
    )


async def enter(
    port: int, token: str = "", origin: str | None = None, **headers: str
) -> dict[str, Any]:
    """Authenticate over a websocket; returns the reply's data."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"ws://127.0.0.1:{port}/rtu/api/v1/rtu"
    host = sent.pop("Host", None)
    sent_headers: dict[str, str] = {**sent, **({"Origin": origin} if origin else {})}
    async with connect(
        url if host is None else f"ws://{host}/rtu/api/v1/rtu",
        additional_headers=sent_headers,
        host="127.0.0.1",
        port=port,
        proxy=None,
    ) as websocket:
        request = {
            "transaction_id": str(uuid4()),
            "channel": "system",
            "event": "authenticate_request",
            "data": {"token": token, "rtu_client_type": "test"},
        }
        await websocket.send(json.dumps(request))
        data: dict[str, Any] = json.loads(await websocket.recv())["data"]
        return data


def routes() -> list[tuple[str, str]]:
    """Every method of every route that takes a token, as the code has them."""
    from rtu_magics.server.http import routes as listed

    found = []
    for pattern, handler in listed():
        path = pattern.removeprefix("/rtu/api").removesuffix("/?")
        path = path.replace("(spaces|projects|files)", "files").replace("([^/]+)", ID)
        path = path.replace("(versions|files)", "files").replace("(?:v1/)?", "")
        for method in ("get", "post", "put", "patch", "delete"):
            fn = getattr(handler, method, None)
            names = () if fn is None else getattr(fn, "__code__", fn).co_names
            if "came_from_elsewhere" in names and not path.startswith("(/rtu"):
                found.append((method.upper(), path))
    return found


def test_the_routes_are_found() -> None:
    assert len(routes()) > 40
    assert ("POST", "/v1/files/open") in routes()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another program of this machine
        {"Referer": f"{EVIL}/page"},  # a script or a picture: no origin
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},  # a name that was pointed here
    ],
    ids=str,
)
def test_no_other_page_gets_anything_on_any_route(place: int, headers: dict[str, str]) -> None:
    for method, path in routes():
        answer = ask(place, method, path, {} if method != "GET" else None, **headers)
        assert answer.status_code == 403, (method, path, answer.text)
        assert "no token" in answer.json()["message"]
        assert "\n" not in answer.json()["message"]


def test_a_program_is_the_owner_as_before(place: int) -> None:
    opened = ask(place, "POST", "/v1/files/open", {"path": "a.ipynb"})
    assert opened.status_code == 200, opened.text
    assert opened.json()["role"] == "owner"
    assert not opened.cookies  # they would make it look like a browser
    token = {"Authorization": "Bearer anything"}
    assert ask(place, "GET", "/users/me", **token).status_code == 200


def test_a_page_of_its_own_needs_the_other_half_of_its_cookie(place: int) -> None:
    here = f"http://127.0.0.1:{place}"
    with httpx.Client(timeout=30) as page:
        # As any page of Jupyter's sets it.
        login = page.get(f"{here}/login", follow_redirects=True)
        xsrf = page.cookies.get("_xsrf")
        assert xsrf, login.headers
        url = f"{here}/rtu/api/v1/files/open"
        same = {"Origin": here, "Sec-Fetch-Site": "same-origin"}
        body = {"path": "a.ipynb"}
        without = page.post(url, json=body, headers=same)
        assert without.status_code == 403
        assert "_xsrf" in without.json()["message"]
        forged = page.post(url, json=body)  # an old browser says no origin, but has its cookies
        assert forged.status_code == 403
        with_it = page.post(url, json=body, headers={**same, "X-XSRFToken": xsrf})
        assert with_it.status_code == 200, with_it.text
        read = page.get(f"{here}/rtu/api/v1/files", headers=same)
        assert read.status_code == 200


async def test_no_other_page_enters_by_websocket(place: int) -> None:
    for how in (
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": f"http://localhost:{place}"},  # not the name it called us by
        {"Host": f"evil.example:{place}", "origin": f"http://evil.example:{place}"},
        {"Host": f"evil.example:{place}"},
    ):
        said = await enter(place, **how)  # type: ignore[arg-type]
        assert not said["success"], how
        assert "no token" in said["message"]
    assert (await enter(place))["success"]
    assert (await enter(place, origin=f"http://127.0.0.1:{place}"))["success"]
    named = await enter(place, Host=f"localhost:{place}", origin=f"http://localhost:{place}")
    assert named["success"]


async def test_whoever_has_a_token_comes_from_anywhere(place: int, tmp_path: Path) -> None:
    opened = ask(place, "POST", "/v1/files/open", {"path": "a.ipynb"}).json()
    invite = ask(place, "POST", f"/v1/files/{opened['id']}/invites", {"role": "viewer"}).json()
    foreign = {"Origin": EVIL, "Host": "evil.example"}
    bearer = {"Authorization": f"Bearer {invite['token']}"}
    answer = ask(place, "GET", f"/v1/files/{opened['id']}", **foreign, **bearer)
    assert answer.json()["role"] == "viewer"
    assert (await enter(place, invite["token"], origin=EVIL))["success"]
    # A signed link is a token for one thing.
    link = httpx.get(
        answer.json()["presigned_download_url"].replace("evil.example", f"127.0.0.1:{place}")
    )
    assert link.status_code == 200


async def test_with_a_token_as_before(tmp_path: Path) -> None:
    with jupyter(tmp_path, token="secret") as port:
        foreign = {"Origin": EVIL, "Host": "evil.example"}
        assert ask(port, "GET", "/users/me", **foreign).status_code == 401
        bearer = {"Authorization": "Bearer secret"}
        assert ask(port, "GET", "/users/me", **foreign, **bearer).status_code == 200
        assert (await enter(port, "secret", origin=EVIL))["success"]
        assert not (await enter(port, ""))["success"]
        address = read_address(tmp_path / "work" / ".rtu_magics")
        assert address is not None
        assert (await enter(port, address.token, origin=EVIL))["success"]


async def test_what_jupyter_is_told_to_allow_is_allowed(tmp_path: Path) -> None:
    allowed = ["--ServerApp.allow_origin_pat=https://.*[.]good[.]example"]
    allowed += ["--ServerApp.local_hostnames=['localhost', 'lab.good.example']"]
    with jupyter(tmp_path, *allowed, "--ServerApp.allow_unauthenticated_access=True") as port:
        good = "https://page.good.example"
        assert ask(port, "GET", "/users/me", Origin=good).status_code == 200
        assert ask(port, "GET", "/users/me", Referer=f"{good}/x").status_code == 200
        assert ask(port, "GET", "/users/me", Host="lab.good.example").status_code == 200
        assert ask(port, "GET", "/users/me", Host="evil.example").status_code == 403
        assert ask(port, "GET", "/users/me", Origin=EVIL).status_code == 403
        # An address that a proxy names does not count, as it does not for Jupyter.
        proxied = {"X-Forwarded-Host": "evil.example", "Origin": EVIL}
        assert ask(port, "GET", "/users/me", **proxied).status_code == 403
        assert (await enter(port, origin=good))["success"]
        assert not (await enter(port, origin=EVIL))["success"]


async def test_remote_access_that_is_allowed_needs_the_same_origin_still(tmp_path: Path) -> None:
    with jupyter(tmp_path, "--ServerApp.allow_remote_access=True") as port:
        assert ask(port, "GET", "/users/me", Host="lab.example").status_code == 200
        page = {"Host": "lab.example", "Origin": "http://lab.example"}
        assert ask(port, "GET", "/users/me", **page).status_code == 200
        assert ask(port, "GET", "/users/me", Host="lab.example", Origin=EVIL).status_code == 403
        odd = {"Host": "lab.example", "X-Forwarded-Host": 'x"><script>'}
        opened = ask(port, "POST", "/v1/files/open", {"path": "a.ipynb"}, **odd).json()
        assert re.match(r"http://lab\.example/rtu/api", opened["presigned_download_url"])


_PROVIDER = """
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User
c = get_config()

class ByHeader(PasswordIdentityProvider):
    token = ""
    def get_user(self, handler):
        name = handler.request.headers.get("X-Remote-User")
        return User(name) if name else None

class Everybody(PasswordIdentityProvider):
    token = ""
    async def get_user(self, handler):
        return User("anybody")

c.ServerApp.identity_provider_class = {name}
"""


async def test_a_provider_that_asks_something_else_is_asked(tmp_path: Path) -> None:
    with jupyter(tmp_path, config=_PROVIDER.format(name="ByHeader")) as port:
        assert ask(port, "GET", "/users/me").status_code == 403
        assert "sign-in" in (await enter(port))["message"]
        assert ask(port, "GET", "/users/me", X_Remote_User="ann").status_code == 200
        foreign = {"X-Remote-User": "ann", "Origin": EVIL}
        assert ask(port, "GET", "/users/me", **foreign).status_code == 403


async def test_a_provider_that_lets_everybody_in_lets_no_page_in(tmp_path: Path) -> None:
    with jupyter(tmp_path, config=_PROVIDER.format(name="Everybody")) as port:
        assert ask(port, "GET", "/users/me").status_code == 200
        assert ask(port, "GET", "/users/me", Origin=EVIL).status_code == 403
        assert (await enter(port))["success"]
        assert not (await enter(port, origin=EVIL))["success"]


async def test_a_password_s_cookie_is_no_way_in(tmp_path: Path) -> None:
    from jupyter_server.auth import passwd

    hashed = f"--PasswordIdentityProvider.hashed_password={passwd('open', algorithm='sha256')}"
    with jupyter(tmp_path, hashed) as port, httpx.Client(timeout=30) as page:
        here = f"http://127.0.0.1:{port}"
        page.get(f"{here}/login")
        form = {"password": "open", "_xsrf": page.cookies.get("_xsrf", "")}
        page.post(f"{here}/login", data=form)
        assert page.get(f"{here}/api/contents").status_code == 200
        assert page.get(f"{here}/rtu/api/users/me").status_code == 401
        assert not (await enter(port, origin=EVIL))["success"]
        assert not (await enter(port))["success"]
