"""Symbolic links that lead out of the directory that is served: for owners, and for nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ...helpers.rtu import follow, get, open_notebook
from ...helpers.server import RunningServer
from ..server.test_disk import eventually
from .conftest import ask, follow_as, invite
from .test_borrowed import write_notebook

pytestmark = pytest.mark.server

OUT = "leads out of the directory that is served"


@pytest.fixture
def outside(server: RunningServer, tmp_path: Path) -> Path:
    """Return a directory beyond the root, to which the directory `beyond` within it leads."""
    link = server.root / "beyond"
    link.unlink(missing_ok=True)
    there = tmp_path / "there"
    there.mkdir()
    link.symlink_to(there, target_is_directory=True)
    return there


async def manager(server: RunningServer, file_id: str) -> str:
    """Return the token of a guest who may do everything with a notebook."""
    made = await invite(server, file_id, "owner")
    return str(made["token"])


def source_in(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "".join("".join(cell["source"]) for cell in cells)


async def rename(server: RunningServer, token: str, file_id: str, path: str) -> httpx.Response:
    return await ask(server, token, "POST", f"/v1/files/{file_id}/rename", {"path": path})


@pytest.mark.parametrize("where", ["beyond/x.ipynb", "beyond/new/x.ipynb", "hidden/x.ipynb"])
async def test_a_guest_renames_nothing_out_of_the_root(
    server: RunningServer, outside: Path, file_id: str, where: str
) -> None:
    hidden = server.root / "hidden"
    hidden.unlink(missing_ok=True)
    hidden.symlink_to(server.root / ".rtu_magics", target_is_directory=True)
    token = await manager(server, file_id)
    before = await get(server, f"/v1/files/{file_id}")
    answer = await rename(server, token, file_id, where)
    assert answer.status_code == 403
    assert OUT in answer.json()["message"]
    assert not list(outside.iterdir())
    assert (await get(server, f"/v1/files/{file_id}"))["path"] == before["path"]
    assert (server.root / before["path"]).exists()


async def test_links_within_the_root_are_places_like_any_other(
    server: RunningServer, file_id: str
) -> None:
    (server.root / "real").mkdir()
    (server.root / "within").symlink_to(server.root / "real", target_is_directory=True)
    token = await manager(server, file_id)
    assert (await rename(server, token, file_id, "within/x.ipynb")).status_code == 200
    assert (server.root / "real" / "x.ipynb").exists()
    async with follow_as(server, file_id, token) as guest:
        await guest.add("new", "mine = 1")
    assert (await ask(server, token, "POST", f"/v1/files/{file_id}/save")).status_code == 200
    assert "mine = 1" in source_in(server.root / "real" / "x.ipynb")
    assert (await ask(server, token, "DELETE", f"/v1/files/{file_id}")).status_code == 200
    assert not (server.root / "real" / "x.ipynb").exists()


async def test_an_owner_goes_where_jupyter_goes_and_takes_guests_along(
    server: RunningServer, outside: Path
) -> None:
    write_notebook(outside / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "beyond/n.ipynb")
    token = (await invite(server, file_id, "contributor"))["token"]
    async with follow_as(server, file_id, token) as guest:
        await guest.add("new", "mine = 1")
    assert (await ask(server, token, "POST", f"/v1/files/{file_id}/save")).status_code == 200
    assert "mine = 1" in source_in(outside / "n.ipynb")
    made = await open_notebook(server, "beyond/made.ipynb", create=True)
    assert (outside / "made.ipynb").exists()
    assert (await rename(server, server.token, made, "beyond/deeper/m.ipynb")).status_code == 200
    async with follow(server, made) as owner:
        await owner.add("new", "far = 1")
    assert (await ask(server, server.token, "POST", f"/v1/files/{made}/save")).status_code == 200
    assert "far = 1" in source_in(outside / "deeper" / "m.ipynb")
    for one in (made, file_id):
        answer = await ask(server, server.token, "DELETE", f"/v1/files/{one}")
        assert answer.status_code == 200
    assert not list(outside.glob("**/*.ipynb"))


def notebook_itself(place: Path, elsewhere: Path) -> None:
    """Make a notebook a link to another file."""
    place.unlink()
    place.symlink_to(elsewhere / place.name)


def its_directory(place: Path, elsewhere: Path) -> None:
    """Make the directory of a notebook a link to another one."""
    place.parent.rename(place.parent.with_name("was"))
    place.parent.symlink_to(elsewhere, target_is_directory=True)


@pytest.mark.parametrize("become", [notebook_itself, its_directory])
async def test_what_becomes_a_link_out_is_neither_read_nor_written(
    server: RunningServer, tmp_path: Path, become: Any
) -> None:
    directory = server.root / become.__name__
    directory.mkdir()
    place, elsewhere = directory / "n.ipynb", tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_notebook(place, "x = 1")
    write_notebook(elsewhere / "n.ipynb", "secret = 1")
    kept = (elsewhere / "n.ipynb").read_bytes()
    file_id = await open_notebook(server, f"{directory.name}/n.ipynb")
    token = await manager(server, file_id)
    async with follow_as(server, file_id, token) as guest:
        become(place, elsewhere)

        async def noticed() -> bool:
            found = await get(server, f"/v1/files/{file_id}/save")
            return OUT in found["reason"]

        await eventually(noticed, 60)
        await guest.add("new", "mine = 1")
        for who in (token, server.token):
            answer = await ask(server, who, "POST", f"/v1/files/{file_id}/save")
            assert answer.status_code == 403
            assert OUT in answer.json()["message"]
        if become is its_directory:
            answer = await ask(server, token, "DELETE", f"/v1/files/{file_id}")
            assert answer.status_code == 403
            answer = await rename(server, token, file_id, f"taken-{become.__name__}.ipynb")
            assert answer.status_code in (403, 404, 422)
        assert (elsewhere / "n.ipynb").read_bytes() == kept
        assert [one.name for one in elsewhere.iterdir()] == ["n.ipynb"]
        if become is notebook_itself:
            place.unlink()
            write_notebook(place, "x = 1")
        else:
            directory.unlink()
            (server.root / "was").rename(directory)

        async def healed() -> bool:
            return "mine = 1" in source_in(place)

        await eventually(healed, 60)
        assert "secret" not in source_in(place)


async def test_an_owner_keeps_plain_files_beyond_the_root(
    server: RunningServer, outside: Path
) -> None:
    project = server.project_id
    body = {"project_id": project, "path": "beyond/data.txt", "type": "file"}
    reserved = await ask(server, server.token, "POST", "/v1/files", body)
    assert reserved.status_code == 201, reserved.text
    info = reserved.json()["presigned_upload_url_info"]
    async with httpx.AsyncClient(trust_env=False) as http:
        sent = await http.put(info["parts"][0]["upload_url"], content=b"numbers")
    complete = {
        "upload_id": info["upload_id"],
        "key": info["key"],
        "parts": [{"etag": sent.headers["etag"], "part_number": 1}],
    }
    path = f"/v1/files/{reserved.json()['id']}"
    answer = await ask(server, server.token, "POST", f"{path}/complete-upload", complete)
    assert answer.status_code in (200, 204), answer.text
    assert (outside / "data.txt").read_bytes() == b"numbers"
    link = (await ask(server, server.token, "GET", path)).json()["presigned_download_url"]
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(link)).content == b"numbers"
