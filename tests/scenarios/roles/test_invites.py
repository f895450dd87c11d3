"""Invitations as tokens: genuine ones, and everything that only looks like one."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import stat
import time
from contextlib import closing
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect

import rtu_magics
from rtu_magics.errors import AuthenticationFailed
from rtu_magics.models import RefusalReason
from rtu_magics.server.wire.links import Links

from ...helpers.rtu import RawClient, call, get, open_notebook, post, raw_client
from ...helpers.server import running_server, start_server
from .conftest import ask, follow_as, invite

pytestmark = pytest.mark.server


def key_of(root) -> bytes:
    return bytes.fromhex((root / ".rtu_magics" / "invite.key").read_text())


def part(content) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def forgeries(server, token, file_id, other_id):
    """Return tokens that nobody made for anybody, by what is wrong with them."""
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    key, wrong = key_of(server.root), b"k" * 32
    owner = {**claims, "role": "owner"}
    return {
        "role altered": f"{head}.{part(owner)}.{signature}",
        "file altered": f"{head}.{part({**claims, 'file': other_id})}.{signature}",
        "signature altered": f"{head}.{body}.{signature[:-2]}{'A' if signature[-2] != 'A' else 'B'}"
        f"{signature[-1]}",
        "no signature": f"{head}.{body}.",
        "alg none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "alg None": f"{part({'alg': 'None'})}.{body}.{signature}",
        "another key": jwt.encode(claims, wrong, algorithm="HS256"),
        "another algorithm": jwt.encode(claims, key * 2, algorithm="HS512"),
        "the same key, another algorithm": jwt.encode(claims, key * 2, algorithm="HS384"),
        "unknown invitation": jwt.encode({**claims, "jti": str(uuid4())}, key, algorithm="HS256"),
        "of another notebook": jwt.encode({**claims, "file": other_id}, key, algorithm="HS256"),
        "no id": jwt.encode({**claims, "jti": "1"}, key, algorithm="HS256"),
        "no expiry": jwt.encode(
            {name: claims[name] for name in claims if name != "exp"}, key, algorithm="HS256"
        ),
        "expired": jwt.encode({**claims, "exp": int(time.time()) - 1}, key, algorithm="HS256"),
        "odd expiry": jwt.encode({**claims, "exp": 1e308}, key, algorithm="HS256")[:-1],
        "no JSON": f"{head}.{base64.urlsafe_b64encode(b'no').decode()}.{signature}",
        "dots": "..",
        "not ASCII": "é.ü.ß",
        "NUL": "a.\0.b",
        "long": f"{'a' * 30_000}.b.c",
    }


async def test_nothing_forged_opens_anything(server, file_id):
    other_id = await open_notebook(server, "other.ipynb", create=True)
    token = (await invite(server, file_id, "viewer"))["token"]
    async with raw_client(server) as client:
        for name, forged in forgeries(server, token, file_id, other_id).items():
            reply = await client.authenticate(forged)
            assert reply["data"]["success"] is False, name
            assert reply["data"]["user"]["handle"] == "nobody"
            assert "\n" not in reply["data"]["message"]
            refused = await client.request("system", "whoami_request")
            assert refused["event"] == "permission_denied", name
            if forged.isascii() and forged.isprintable():
                answer = await ask(server, forged, "GET", "/users/me")
                assert answer.status_code == 401, name
        # The connection is as good as before for whoever has a genuine one.
        assert (await client.authenticate(token))["data"]["success"] is True


async def test_a_token_of_another_server_opens_nothing(server, file_id, tmp_path):
    with running_server(tmp_path) as another:
        their_id = await open_notebook(another, "x.ipynb", create=True)
        token = (await invite(another, their_id, "owner"))["token"]
    assert (await ask(server, token, "GET", "/users/me")).status_code == 401


async def test_a_clock_that_went_back_locks_nobody_out(server, file_id):
    token = (await invite(server, file_id, "viewer"))["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    early = jwt.encode({**claims, "iat": claims["iat"] + 9000}, key_of(server.root))
    assert (await ask(server, early, "GET", "/users/me")).status_code == 200


async def test_every_way_to_present_a_token(server, file_id):
    made = await invite(server, file_id, "viewer")
    token, url = made["token"], f"{server.api_url}/v1/files/{file_id}"
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        for headers, query in [
            ({"Authorization": f"Bearer {token}"}, ""),
            ({"Authorization": f"token {token}"}, ""),
            ({}, f"?token={token}"),
        ]:
            answer = await http.get(url + query, headers=headers)
            assert answer.json()["role"] == "viewer"
        # A cookie is no way.
        answer = await http.get(url, headers={"Cookie": f"token={token}; _xsrf={token}"})
        assert answer.status_code == 401
        assert made["url"] == f"{server.url}rtu/f/{file_id}?invite={token}"
        page = await http.get(made["url"])
        assert page.status_code == 200
        assert f"%rtu_connect {made['url']}" in page.text


async def test_jupyters_own_routes_know_no_guests(server, file_id):
    token = (await invite(server, file_id, "owner"))["token"]
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        for path in ("contents", "kernels", "sessions"):
            for headers, query in [
                ({"Authorization": f"token {token}"}, ""),
                ({"Authorization": f"Bearer {token}"}, ""),
                ({}, f"?token={token}"),
            ]:
                answer = await http.get(f"{server.url}api/{path}{query}", headers=headers)
                assert answer.status_code == 403, (path, headers)


async def test_only_the_authenticate_request_counts_at_the_socket(server, file_id):
    token = (await invite(server, file_id, "viewer"))["token"]
    for headers, query in [
        ({"Authorization": f"Bearer {server.token}"}, ""),
        ({"Cookie": f"token={server.token}; username-127-0-0-1={server.token}"}, ""),
        ({}, f"?token={server.token}"),
        ({"Origin": "https://elsewhere.example"}, f"?token={token}"),
    ]:
        async with connect(
            server.rtu_url + query, additional_headers=headers, proxy=None
        ) as websocket:
            client = RawClient(websocket)
            for event in ("whoami_request", "ping_request"):
                refused = await client.request("system", event)
                assert refused["event"] == "permission_denied"
                assert refused["data"]["message"] == "authenticate first"


async def test_a_connection_stays_with_whom_it_began(server, file_id):
    token = (await invite(server, file_id, "viewer"))["token"]
    async with follow_as(server, file_id, token) as client:
        reply = await client.authenticate(server.token)
        assert reply["data"]["success"] is False
        me = await client.request("system", "whoami_request")
        assert me["data"]["user"]["handle"].startswith("guest-")


@pytest.mark.parametrize(
    "body",
    [
        {"role": "admin"},
        {"role": None},
        {"role": "viewer", "expires_in": 0},
        {"role": "viewer", "expires_in": -5},
        {"role": "viewer", "expires_in": 367 * 86400},
        {"role": "viewer", "expires_in": "soon"},
        {"role": "viewer", "name": ""},
        {"role": "viewer", "name": "  "},
        {"role": "viewer", "name": "a\nb"},
        {"role": "viewer", "name": "\x1b[31mred"},
        {"role": "viewer", "name": "nul\0"},
        {"role": "viewer", "name": "n" * 10_000},
        {"role": "viewer", "name": 7},
        [],
        "viewer",
    ],
)
async def test_bad_invitations(server, file_id, body):
    answer = await call(server, "POST", f"/v1/files/{file_id}/invites", body)
    assert answer.status_code == 422, answer.text
    message = answer.json()["message"]
    assert message
    assert "\n" not in message
    assert len(message) < 300


async def test_changing_and_ending_invitations(server, file_id):
    other_id = await open_notebook(server, "other.ipynb", create=True)
    made = await invite(server, file_id, "commenter", name="Ada", expires_in=3600)
    assert made["role"] == "viewer"
    assert "commenter" in made["message"]
    path = f"/v1/files/{file_id}/invites"
    listed = await get(server, path)
    assert [one["name"] for one in listed] == ["Ada"]
    assert not {"token", "url"} & {*listed[0]}
    assert made["token"] not in json.dumps(listed)
    for wrong in (f"{path}/{uuid4()}", f"{path}/x", f"/v1/files/{other_id}/invites/{made['id']}"):
        assert (await call(server, "DELETE", wrong)).status_code == 404
        assert (await call(server, "PATCH", wrong, {"role": "owner"})).status_code == 404
    assert (await call(server, "PATCH", f"{path}/{made['id']}", {"role": "x"})).status_code == 422
    for _ in range(2):  # a second time changes nothing
        assert (await call(server, "DELETE", f"{path}/{made['id']}")).status_code == 204
    ended = (await get(server, path))[0]["revoked_at"]
    assert ended is not None
    late = await call(server, "PATCH", f"{path}/{made['id']}", {"role": "viewer"})
    assert late.status_code == 409
    assert late.json()["message"] == "the invitation was revoked; make a new one"


async def test_what_a_guest_made_ends_with_the_guest(server, file_id):
    first = await invite(server, file_id, "owner", expires_in=1000)
    path = f"/v1/files/{file_id}/invites"
    made, token = [], first["token"]
    for _ in range(3):
        body = {"role": "owner", "expires_in": 90_000}
        answer = await ask(server, token, "POST", path, body)
        made.append(answer.json())
        token = made[-1]["token"]
    assert {one["expires_at"] for one in made} == {first["expires_at"]}
    other = await invite(server, file_id, "viewer")
    # Revoking the one in the middle ends it and what came of it.
    answer = await ask(server, made[2]["token"], "DELETE", f"{path}/{made[1]['id']}")
    assert answer.status_code == 204
    still = [
        (await ask(server, one["token"], "GET", "/users/me")).status_code
        for one in (first, *made, other)
    ]
    assert still == [200, 200, 401, 401, 200]


async def test_who_is_there(server, file_id):
    made = await invite(server, file_id, "executor", name="Ada")
    await invite(server, file_id, "viewer", name="Never Came")
    path = f"/v1/files/{file_id}/people"
    async with (
        follow_as(server, file_id, made["token"]) as ada,
        follow_as(server, file_id, made["token"]),
    ):
        await ada.request(ada.files, "update_user_cell_selection_request", {"id": "c9"})
        people = {one["name"]: one for one in await get(server, path)}
        one = people["Ada"]
        assert (one["role"], one["online"], one["connections"]) == ("executor", True, 2)
        assert (one["cell_id_selected"], one["invite_id"]) == ("c9", made["id"])
        assert people["Never Came"]["last_seen"] is None
        # Only owners see whom else they invited.
        seen = (await ask(server, made["token"], "GET", path)).json()
        assert "Never Came" not in {one["name"] for one in seen}
    while (await get(server, path))[1]["online"]:
        pass
    one = next(one for one in await get(server, path) if one["name"] == "Ada")
    assert one["connections"] == 0
    assert one["last_seen"] is not None


async def test_a_guest_is_the_same_after_a_restart(tmp_path):
    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "a.ipynb", create=True)
        made = await invite(server, file_id, "contributor", name="Ada")
        me = (await ask(server, made["token"], "GET", "/users/me")).json()
        await call(server, "PATCH", f"/v1/files/{file_id}/invites/{made['id']}", {"role": "viewer"})
        gone = await invite(server, file_id, "viewer")
        await call(server, "DELETE", f"/v1/files/{file_id}/invites/{gone['id']}")
    with running_server(tmp_path) as server:
        again = (await ask(server, made["token"], "GET", "/users/me")).json()
        assert again["id"] == me["id"]
        file = (await ask(server, made["token"], "GET", f"/v1/files/{file_id}")).json()
        assert file["role"] == "viewer"
        assert (await ask(server, gone["token"], "GET", "/users/me")).status_code == 401


async def test_the_log_holds_no_token(tmp_path):
    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "a.ipynb", create=True)
        made = await invite(server, file_id, "viewer", name="Ada")
        token = made["token"]
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            for url in (
                f"{server.api_url}/users/me?token={token}",
                f"{server.api_url}/nothing?token={token}&x=1",
                f"{server.api_url}/v1/files/{file_id}/invites?token={token}",
                f"{server.url}rtu/f/{file_id}/?invite={token}",
                f"{server.url}rtu/nowhere/?invite={token}",
            ):
                await http.get(url)
                await http.get(url, headers={"Authorization": f"Bearer {token}x"})
            await http.get(f"{server.api_url}/v1/rtu?token={token}")
        async with raw_client(server) as client:
            await client.authenticate(token)
            await client.authenticate(token + "x")
        signature = token.split(".")[2]
    text = server.log.read_text()
    assert "403 GET" in text
    assert signature not in text
    assert server.token not in text


async def test_the_key_is_private_and_checked(tmp_path):
    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "a.ipynb", create=True)
        token = (await invite(server, file_id, "viewer"))["token"]
    key = tmp_path / ".rtu_magics" / "invite.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    with running_server(tmp_path) as server:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert "could be read by others" in server.log.read_text()
        assert (await ask(server, token, "GET", "/users/me")).status_code == 200
    key.write_text("nonsense")
    with pytest.raises(AssertionError, match=r"invite.key is damaged; remove it and start again"):
        start_server(tmp_path)
    key.unlink()
    with running_server(tmp_path) as server:
        assert (await ask(server, token, "GET", "/users/me")).status_code == 401


async def test_guests_are_only_shared_with_where_they_are(server, file_id):
    other_id = await open_notebook(server, "other.ipynb", create=True)
    made = await invite(server, file_id, "viewer")
    me = (await ask(server, made["token"], "GET", "/users/me")).json()
    body = {"user_id": me["id"], "access_level": "role:owner"}
    answer = await call(server, "PUT", f"/files/{other_id}/users", body)
    assert answer.status_code == 422
    assert "invitation is to another notebook" in answer.json()["message"]
    assert (await ask(server, made["token"], "GET", f"/v1/files/{other_id}")).status_code == 404
    # A role on the project holds for their own notebook, and no further.
    await call(server, "PUT", f"/projects/{server.project_id}/users", body)
    file = (await ask(server, made["token"], "GET", f"/v1/files/{file_id}")).json()
    assert file["role"] == "owner"
    assert (await ask(server, made["token"], "GET", f"/v1/files/{other_id}")).status_code == 404
    found = (await ask(server, made["token"], "GET", "/v1/files")).json()
    assert [one["id"] for one in found] == [file_id]
    await call(server, "DELETE", f"/projects/{server.project_id}/users/{me['id']}")


async def test_guests_find_out_nothing_by_path(server, file_id):
    await open_notebook(server, "other.ipynb", create=True)
    token = (await invite(server, file_id, "owner"))["token"]
    there = await ask(server, token, "POST", "/v1/files/open", {"path": "other.ipynb"})
    not_there = await ask(server, token, "POST", "/v1/files/open", {"path": "nowhere.ipynb"})
    assert (there.status_code, not_there.status_code) == (404, 404)
    assert there.json()["message"].replace("other", "nowhere") == not_there.json()["message"]
    for path in ("other.ipynb", "new.ipynb"):
        body = {"path": path, "create": True}
        answer = await ask(server, token, "POST", "/v1/files/open", body)
        assert answer.status_code == 403
        assert "you may not make notebooks here" in answer.json()["message"]
    assert not (server.root / "new.ipynb").exists()
    info = (await ask(server, token, "GET", "/info")).json()
    assert info["root_dir"] == ""


async def test_signed_links(server, file_id):
    """Links are their own credential: genuine and in time, or worth nothing."""
    file = await get(server, f"/v1/files/{file_id}")
    link = file["presigned_download_url"]
    with closing(sqlite3.connect(server.root / ".rtu_magics" / "rtu.db")) as database:
        (secret,) = database.execute("SELECT value FROM rtu_meta WHERE key='secret'").fetchone()
    links = Links(bytes.fromhex(secret), "/rtu/api")
    base = server.url.rstrip("/")
    assert links.version(UUID(file["current_version_id"]), base).partition("?")[0] in link
    path = f"/v1/versions/{file['current_version_id']}/content"
    past = str(int(time.time()) - 10)
    other_id = await open_notebook(server, "other.ipynb", create=True)
    other = (await get(server, f"/v1/files/{other_id}"))["current_version_id"]
    wrong = {
        "later": link.replace("expires=", "expires=9"),
        "signature": link[:-2] + ("A" if link[-2] != "A" else "B") + link[-1],
        "no signature": link.partition("&sig")[0],
        "nothing": link.partition("?")[0],
        "another version": link.replace(file["current_version_id"], other),
        "expired": f"{base}/rtu/api{path}?expires={past}&sig={links._sign(f'{path}?{past}')}",
        "odd": f"{base}/rtu/api{path}?expires=x&sig={links._sign(f'{path}?x')}",
    }
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        assert (await http.get(link)).status_code == 200
        for name, url in wrong.items():
            answer = await http.get(url, headers=server.headers)
            assert answer.status_code == 403, name
            assert answer.json()["message"].startswith("the link is not valid"), name


async def test_somebody_elses_project(server, file_id, tmp_path_factory):
    """A project of another server, or one that a guest has nothing to do with."""
    token = (await invite(server, file_id, "owner"))["token"]
    space = await post(server, "/spaces", {"name": "private"})
    project = await post(server, "/projects", {"name": "private", "space_id": space["id"]})
    body = {"project_id": project["id"], "path": "x.ipynb", "type": "notebook"}
    for project_id in (project["id"], str(uuid4())):
        wanted = {**body, "project_id": project_id}
        answer = await ask(server, token, "POST", "/v1/files", wanted)
        assert answer.status_code == 404
        assert answer.json()["message"] == "there is no such project"
    assert (await ask(server, token, "GET", f"/spaces/{space['id']}")).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["Ben Okri", "ben okri", "BEN  OKRI", "Ｂｅｎ Okri", "Bеn Оkri", "BenOkri", "Bén Okri"],
)
async def test_no_owner_takes_a_guests_name(server, file_id, name):
    made = await invite(server, file_id, "viewer", name="Ben Okri")

    async def called(what: str):
        headers = {"Authorization": f"Bearer {server.token}", "X-RTU-User-Name": quote(what)}
        async with httpx.AsyncClient(base_url=server.api_url, trust_env=False) as http:
            return await http.get("/users/me", headers=headers)

    refused = await called(name)
    assert refused.status_code == 401
    assert "is called so already; choose another name" in refused.json()["message"]
    assert refused.json()["reason"] == RefusalReason.NAME_REFUSED
    with pytest.raises(AuthenticationFailed, match=r"^Ben Okri is called so already;"):
        await asyncio.to_thread(
            rtu_magics.connect,
            f"{server.url}rtu/f/{file_id}",
            token=server.token,
            as_name=name,
            say=lambda _: None,
        )
    assert (await called("Ben Okris")).status_code == 200
    await ask(server, server.token, "DELETE", f"/v1/files/{file_id}/invites/{made['id']}")
