"""The REST API: shapes, statuses, bad input."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import httpx
import pytest

from rtu_magics.models import File, FileVersion, OutputCollection, Project, ServerInfo, Space, User

from ...helpers.rtu import call, follow, get, open_notebook, post

pytestmark = pytest.mark.server

UNKNOWN = "5f1d4a5e-7c6e-4d63-9c53-1f8c9d7b2a10"


async def upload(server, path, content: bytes, kind="notebook", project_id=None):
    """Do the three steps of an upload and return the last response and the file."""
    body = {
        "project_id": project_id or server.project_id,
        "path": path,
        "type": kind,
        "file_size_bytes": len(content),
        "creator_client_type": "test",
    }
    file = await post(server, "/v1/files", body)
    info = file["presigned_upload_url_info"]
    async with httpx.AsyncClient(trust_env=False) as http:
        put = await http.put(info["parts"][0]["upload_url"], content=content)
    assert put.status_code == 200, put.text
    part = {"etag": put.headers["etag"].strip('"'), "part_number": 1}
    done = await call(
        server,
        "POST",
        f"/v1/files/{file['id']}/complete-upload",
        {"upload_id": info["upload_id"], "key": info["key"], "parts": [part]},
    )
    return done, file


async def fetch(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(url)


async def test_shapes_of_people_spaces_and_projects(shared_server):
    server = shared_server
    info = ServerInfo.model_validate(await get(server, "/info"))
    assert (str(info.space_id), str(info.project_id)) == (server.space_id, server.project_id)
    assert info.root_dir == str(server.root)
    user = User.model_validate(await get(server, "/users/me"))
    assert user.id == User.model_validate(await get(server, "/users/me")).id
    space = Space.model_validate(await post(server, "/spaces", {"name": "s", "description": None}))
    Space.model_validate(await get(server, f"/spaces/{space.id}"))
    body = {"space_id": str(space.id), "name": "a/b: c", "with_empty_notebook": True}
    project = Project.model_validate(await post(server, "/projects", body))
    assert project.name == "a/b: c"
    assert [p["id"] for p in await get(server, f"/spaces/{space.id}/projects")] == [str(project.id)]
    files = await get(server, f"/projects/{project.id}/files")
    assert [f["path"] for f in files] == ["Untitled.ipynb"]
    assert files[0]["presigned_download_url"] is None
    gone = (await call(server, "DELETE", f"/projects/{project.id}")).json()
    assert gone["deleted_at"]
    assert (await call(server, "GET", f"/projects/{project.id}")).status_code == 404
    assert (await call(server, "DELETE", f"/spaces/{space.id}")).status_code == 204
    assert (await call(server, "GET", f"/spaces/{space.id}")).status_code == 404
    assert [p["id"] for p in await get(server, f"/spaces/{server.space_id}/projects")] == [
        server.project_id
    ]


async def test_upload_download_and_versions(shared_server):
    server = shared_server
    seed = {
        "cells": [
            {"cell_type": "code", "source": ["a = 1\n", "b"], "outputs": []},
            {"cell_type": "markdown", "id": "m", "source": "x", "metadata": {"k": [1]}},
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "P"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    done, reserved = await upload(server, "nested/deep/up.ipynb", json.dumps(seed).encode())
    assert done.status_code == 204, done.text
    file = File.model_validate(await get(server, f"/v1/files/{reserved['id']}"))
    assert file.filename == "up.ipynb"
    assert file.path == "nested/deep/up.ipynb"
    assert file.current_version_id
    content = await fetch(file.presigned_download_url)
    cells = content.json()["cells"]
    assert cells[0]["source"] == "a = 1\nb"
    assert cells[0]["id"]
    assert cells[1]["metadata"] == {"k": [1]}
    again = (await fetch(file.presigned_download_url)).json()
    assert again == content.json()
    versions = [
        FileVersion.model_validate(v) for v in await get(server, f"/files/{file.id}/versions")
    ]
    assert [v.number for v in versions] == [0]
    assert versions[0].id == file.current_version_id
    for _ in range(2):
        response = await call(server, "POST", f"/v1/files/{file.id}/versions", {"name": "mine"})
        assert response.status_code == 201
    numbers = [v["number"] for v in await get(server, f"/files/{file.id}/versions")]
    assert numbers == [2, 1, 0]
    assert (server.root / "nested" / "deep" / "up.ipynb").exists()
    gone = (await call(server, "DELETE", f"/v1/files/{file.id}")).json()
    assert gone["deleted_at"]
    assert not (server.root / "nested" / "deep" / "up.ipynb").exists()
    assert (await call(server, "GET", f"/v1/files/{file.id}")).status_code == 404


async def test_plain_files_come_back_byte_for_byte(shared_server):
    content = bytes(range(256)) * 10
    done, reserved = await upload(shared_server, "data.bin", content, "file")
    assert done.status_code == 204
    file = await get(shared_server, f"/v1/files/{reserved['id']}")
    assert file["current_version_id"]
    assert file["presigned_download_url"]
    assert (await fetch(file["presigned_download_url"])).content == content
    listed = await get(shared_server, f"/projects/{shared_server.project_id}/files")
    assert "data.bin" in [f["path"] for f in listed]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b'{"cells": 3}',
        b'{"cells": ["no cell"]}',
        b'{"nbformat": 9, "cells": []}',
    ],
)
async def test_what_is_no_notebook_is_refused(shared_server, content):
    done, reserved = await upload(shared_server, f"bad{uuid4().hex}.ipynb", content)
    assert done.status_code == 422
    assert done.json()["message"]
    assert (await get(shared_server, f"/v1/files/{reserved['id']}"))["current_version_id"] is None


@pytest.mark.parametrize("cell", [{"cell_type": "?"}, {}, {"cell_type": "code", "source": 3}])
async def test_what_is_a_notebook_with_something_odd_in_it_is_taken(shared_server, cell):
    name = f"odd{uuid4().hex}.ipynb"
    done, reserved = await upload(shared_server, name, json.dumps({"cells": [cell]}).encode())
    assert done.status_code == 204
    assert (await get(shared_server, f"/v1/files/{reserved['id']}"))["current_version_id"]


async def test_links_work_under_the_hosts_name_and_only_as_signed(shared_server, write_notebook):
    server = shared_server
    write_notebook(server.root / "links.ipynb", "1")
    file_id = await open_notebook(server, "links.ipynb")
    headers = {"Host": "mapped.example:9999"}
    file = (await call(server, "GET", f"/v1/files/{file_id}", headers=headers)).json()
    assert file["presigned_download_url"].startswith("http://mapped.example:9999/rtu/api/")
    url = (await get(server, f"/v1/files/{file_id}"))["presigned_download_url"]
    assert (await fetch(url)).status_code == 200
    assert (await fetch(url[:-1] + ("A" if url[-1] != "A" else "B"))).status_code == 403
    assert (await fetch(url.replace("expires=", "expires=1"))).status_code == 403
    assert (await fetch(url.partition("?")[0])).status_code == 403
    other = await post(server, f"/v1/files/{file_id}/versions", {"name": None})
    mixed = other["content_presigned_url"].partition("?")[0] + "?" + url.partition("?")[2]
    assert (await fetch(mixed)).status_code == 403


async def test_opening_by_path(shared_server, write_notebook):
    server = shared_server
    write_notebook(server.root / "sub" / "open.ipynb", "1")
    first = await post(server, "/v1/files/open", {"path": "sub/open.ipynb"})
    again = await post(server, "/v1/files/open", {"path": "./sub//open.ipynb"})
    absolute = await post(server, "/v1/files/open", {"path": str(server.root / "sub/open.ipynb")})
    assert first["id"] == again["id"] == absolute["id"]
    assert first["role"] == "owner"
    assert first["presigned_download_url"]
    missing = await call(server, "POST", "/v1/files/open", {"path": "none.ipynb"})
    assert missing.status_code == 404
    made = await post(server, "/v1/files/open", {"path": "new/made.ipynb", "create": True})
    assert (server.root / "new" / "made.ipynb").exists()
    listed = await get(server, "/v1/files")
    assert {made["id"], first["id"]} <= {f["id"] for f in listed}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../x.ipynb", 403),
        ("a/../../x.ipynb", 403),
        ("/etc/passwd", 403),
        ("", 403),
        ("a\0b.ipynb", 403),
        (".rtu_magics/rtu.db", 403),
        ("x" * 3000, 403),
        ("x" * 250 + ".ipynb", 403),
        ("plain.txt", 422),
    ],
)
async def test_bad_paths(shared_server, path, status):
    body = {"path": path, "create": True}
    response = await call(shared_server, "POST", "/v1/files/open", body)
    assert response.status_code == status, response.text
    assert "\n" not in response.json()["message"]
    body = {"project_id": shared_server.project_id, "path": path, "type": "notebook"}
    if status == 403:
        assert (await call(shared_server, "POST", "/v1/files", body)).status_code == 422


async def test_a_file_that_is_no_notebook(shared_server):
    (shared_server.root / "broken.ipynb").write_text("{ not json")
    response = await call(shared_server, "POST", "/v1/files/open", {"path": "broken.ipynb"})
    assert response.status_code == 422
    assert "broken.ipynb" in response.json()["message"]
    (shared_server.root / "dir.ipynb").mkdir()
    response = await call(shared_server, "POST", "/v1/files/open", {"path": "dir.ipynb"})
    assert response.status_code == 422


async def test_tokens(shared_server):
    server = shared_server
    async with httpx.AsyncClient(base_url=server.api_url, trust_env=False) as http:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA"},
            {"Authorization": "Bearer"},
            {"Authorization": server.token},
        ):
            response = await http.get("/users/me", headers=headers)
            assert response.status_code == 401
            assert response.json()["message"]
        for headers in (
            {"Authorization": f"Bearer {server.token}"},
            {"Authorization": f"token {server.token}"},
        ):
            assert (await http.get("/users/me", headers=headers)).status_code == 200
        assert (await http.get(f"/users/me?token={server.token}")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/files/nonsense"),
        ("GET", f"/v1/files/{UNKNOWN}"),
        ("DELETE", f"/v1/files/{UNKNOWN}"),
        ("GET", f"/files/{UNKNOWN}/versions"),
        ("POST", f"/v1/files/{UNKNOWN}/versions"),
        ("GET", f"/outputs/collection/{UNKNOWN}"),
        ("GET", "/outputs/collection/x"),
        ("GET", f"/spaces/{UNKNOWN}"),
        ("GET", f"/projects/{UNKNOWN}/files"),
        ("DELETE", f"/sessions/{UNKNOWN}"),
        ("POST", f"/v1/sessions/{UNKNOWN}/interrupt"),
        ("GET", f"/v1/datasources/by_notebook/{UNKNOWN}"),
        ("DELETE", f"/v1/leases/{UNKNOWN}"),
        ("GET", "/no/such/route"),
        ("GET", ""),
    ],
)
async def test_what_is_not_there(shared_server, method, path):
    response = await call(shared_server, method, path)
    assert response.status_code == 404
    assert response.json()["message"]


@pytest.mark.parametrize(
    "path",
    ["/spaces", "/projects", "/v1/files", "/v1/files/open", "/v1/sessions", "/v1/leases"],
)
@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b"3", b'{"name": 3}', b"\xff\xfe", b"[" * 100_000]
)
async def test_bad_bodies(shared_server, path, body):
    async with httpx.AsyncClient(
        base_url=shared_server.api_url, headers=shared_server.headers, trust_env=False
    ) as http:
        response = await http.post(path, content=body)
    assert response.status_code == 422, response.text
    assert "\n" not in response.json()["message"]


async def test_a_method_that_is_not_there(shared_server):
    response = await call(shared_server, "PUT", "/users/me")
    assert response.status_code == 405
    assert response.json()["message"]


async def test_sharing_and_datasources(shared_server, write_notebook):
    server = shared_server
    write_notebook(server.root / "share.ipynb", "1")
    file_id = await open_notebook(server, "share.ipynb")
    user = await get(server, "/users/me")
    found = await get(server, f"/files/{file_id}/shareable-users?q={user['handle']}")
    assert found["data"][0]["id"] == user["id"]
    assert (await get(server, f"/files/{file_id}/shareable-users?q=nobody@x.y"))["data"] == []
    body = {"access_level": "role:viewer", "user_id": user["id"]}
    assert (await call(server, "PUT", f"/files/{file_id}/users", body)).status_code == 200
    path = f"/files/{file_id}/users/{user['id']}"
    assert (await call(server, "DELETE", path)).status_code == 204
    assert (await call(server, "DELETE", path)).status_code == 404
    body = {"visibility": "private", "visibility_default_access_level": None}
    for resource in (
        f"files/{file_id}",
        f"projects/{server.project_id}",
        f"spaces/{server.space_id}",
    ):
        assert (await call(server, "PATCH", f"/{resource}", body)).status_code == 200
    assert await get(server, f"/v1/datasources/by_notebook/{file_id}") == []


async def test_kernelspecs_and_page(shared_server):
    specs = await get(shared_server, "/v1/kernelspecs")
    assert specs["default"] in specs["kernelspecs"]
    assert specs["kernelspecs"]["python3"]["language"] == "python"
    page = await fetch(f"{shared_server.url}rtu/f/{uuid4()}")
    assert page.status_code == 200
    assert "%rtu_connect http" in page.text


@pytest.mark.kernel
async def test_rich_and_large_outputs_go_by_link(shared_server, write_notebook):
    server = shared_server
    write_notebook(
        server.root / "rich.ipynb",
        "from IPython.display import display\n"
        "display({'image/png': 'iVBORw0KGgo=', 'text/plain': 'fig'}, raw=True)\n"
        "display({'text/plain': 'y' * 2_000_000}, raw=True)\n"
        "print('z' * 1_400_000)\n"
        "raise ValueError('w' * 1_000_000)",
    )
    file_id = await open_notebook(server, "rich.ipynb")
    async with follow(server, file_id) as client:
        await post(server, "/v1/sessions", {"file_id": file_id})
        await client.execute("c1")
        await client.finished("c1")
        assert max(len(json.dumps(m)) for m in client.log) < 900 * 1024
        first = next(m for m in client.log if m["event"] == "append_output_event")["data"]
        assert first["content"]["mimetype"] == "image/png"
        assert first["content"]["url"].startswith(server.url)
        assert first["data"] == {"image/png": "iVBORw0KGgo=", "text/plain": "fig"}
        found = await get(server, f"/outputs/collection/{first['parent_collection_id']}")
        collection = OutputCollection.model_validate(found)
    image, large, stream, error = collection.outputs
    assert (await fetch(image.content.url)).content == b"\x89PNG\r\n\x1a\n"
    assert large.links is not None
    assert (await fetch(large.links["text/plain"])).text == "y" * 2_000_000
    assert stream.content.raw is None
    assert (await fetch(stream.content.url)).text == "z" * 1_400_000 + "\n"
    assert error.ename == "ValueError"
    assert UUID(found["id"])
