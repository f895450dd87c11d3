"""Uploads that are too large, altered, or no notebooks."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from ...helpers.rtu import call, post
from ...helpers.server import RunningServer, running_server

pytestmark = pytest.mark.server

MB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found


async def reserve(server: RunningServer, path: str, **more):
    body = {"project_id": server.project_id, "path": path, "type": "notebook", **more}
    return await call(server, "POST", "/v1/files", body)


async def put(url: str, content: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=30) as http:
        return await http.put(url, content=content)


async def completed(server: RunningServer, path: str, content: bytes) -> httpx.Response:
    file = (await reserve(server, path)).json()
    info = file["presigned_upload_url_info"]
    etag = (await put(info["parts"][0]["upload_url"], content)).headers["etag"]
    parts = [{"etag": etag, "part_number": 1}]
    body = {"upload_id": info["upload_id"], "key": info["key"], "parts": parts}
    return await call(server, "POST", f"/v1/files/{file['id']}/complete-upload", body)


@pytest.mark.parametrize(
    ("number", "content", "reason"),
    [
        (0, b"", ""),
        (1, b"hello", "JSON"),
        (2, b"\xff\xfe\x00", ""),
        (3, b"[]", ""),
        (4, b'{"cells": 5}', "cells"),
        (5, b'{"cells": {"cell_type": "code", "source": ""}}', "cells"),
        (6, b'{"nbformat": 3, "worksheets": []}', ""),
        (7, b"[" * 100_000, ""),
        (8, b'"{}"', ""),
    ],
)
async def test_what_is_no_notebook(server, number, content, reason):
    answer = await completed(server, f"none{number}.ipynb", content)
    assert answer.status_code == 422, answer.text
    message = answer.json()["message"]
    assert reason in message
    assert message
    assert "\n" not in message
    assert not (server.root / f"none{number}.ipynb").exists()


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "alien", "source": ""},
        {"cell_type": "code", "id": "!", "source": 5},
        {"cell_type": "code", "source": "x", "outputs": [{"output_type": "error"}]},
    ],
)
async def test_odd_cells_open(server, cell):
    path = f"odd{sorted(cell)}{cell['source']}.ipynb"
    answer = await completed(server, path, json.dumps({"cells": [cell]}).encode())
    assert answer.status_code == 204, answer.text
    assert len(json.loads((server.root / path).read_text())["cells"]) == 1


async def test_what_is_too_large(server):
    announced = await reserve(server, "large.ipynb", file_size_bytes=101 * MB)
    assert (announced.status_code, announced.json()["message"]) == (
        413,
        f"a file may have at most {100 * MB} bytes",
    )
    # One that says it is small and is not: the answer comes before the content has to.
    file = (await reserve(server, "liar.ipynb", file_size_bytes=5)).json()
    url = httpx.URL(file["presigned_upload_url_info"]["parts"][0]["upload_url"])
    reader, writer = await asyncio.open_connection(url.host, url.port)
    target = url.raw_path.decode()
    head = f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {600 * MB}\r\n\r\n"
    writer.write(head.encode())
    # It is refused, or the connection ends; it is not read into memory.
    line = await asyncio.wait_for(reader.readline(), 10)
    assert line == b"" or line.split()[1] in (b"400", b"413"), line
    writer.close()


async def test_altered_links(server):
    file = (await reserve(server, "altered.ipynb")).json()
    url = file["presigned_upload_url_info"]["parts"][0]["upload_url"]
    head, _, signature = url.rpartition("sig=")
    for wrong in (
        head + "sig=" + signature[::-1],
        head + "sig=",
        url.replace("expires=", "expires=9"),
        url.replace("expires=", "expires=x"),
        url.partition("?")[0],
    ):
        answer = await put(wrong, b"{}")
        assert (answer.status_code, "link" in answer.json()["message"]) == (403, True)


async def test_somebody_elses_project(server):
    other = await post(server, "/spaces", {"name": "other"})
    answer = await reserve(server, "x.ipynb", project_id=other["id"])
    assert (answer.status_code, answer.json()["message"]) == (404, "there is no such project")
