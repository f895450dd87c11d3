"""Kernels of notebooks that are deleted: by another program, and through the server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ...helpers.rtu import call, follow, open_notebook, post
from ...helpers.server import RunningServer, running_server
from .test_disk import eventually

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]

PATIENCE = 90


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    monkeypatch.setenv("RTU_DELETED_KERNEL_GRACE", "2")
    with running_server(tmp_path) as found:
        yield found


def said(server: RunningServer, text: str) -> bool:
    return text in server.log.read_text()


async def has_kernel(server: RunningServer, file_id: str) -> bool:
    return (await call(server, "GET", f"/v1/files/{file_id}/session")).json() is not None


async def test_a_kernel_ends_with_the_file_once_nobody_is_there(server: RunningServer) -> None:
    file_id = await open_notebook(server, "n.ipynb", create=True)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        os.unlink(server.root / "n.ipynb")
        told = await client.wait_for(
            "inconsistent_state_event", lambda m: "deleted" in str(m), timeout=PATIENCE
        )
        assert "saving writes it again" in str(told)
        shown = await call(server, "GET", f"/v1/files/{file_id}/save")
        assert shown.json()["state"] == "missing"
        assert "save it" in shown.json()["reason"]
    await eventually(lambda: said(server, "its kernel is ended"), PATIENCE)

    async def gone() -> bool:
        return not await has_kernel(server, file_id)

    await eventually(gone, PATIENCE)


async def test_a_notebook_that_was_moved_keeps_its_kernel(server: RunningServer) -> None:
    for name in ("n", "other"):  # of two that are alike, either may be the one that was moved
        cell = {"cell_type": "code", "id": name, "source": name, "metadata": {}, "outputs": []}
        notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {}}
        text = json.dumps({**notebook, "nbformat": 4, "nbformat_minor": 5})
        (server.root / f"{name}.ipynb").write_text(text)
    file_id = await open_notebook(server, "n.ipynb")
    other_id = await open_notebook(server, "other.ipynb")
    for one in (file_id, other_id):
        await post(server, "/v1/sessions", {"file_id": one})
    (server.root / "n.ipynb").rename(server.root / "m.ipynb")
    os.unlink(server.root / "other.ipynb")
    await eventually(lambda: said(server, "other.ipynb was deleted on disk and nobody"), PATIENCE)
    assert not said(server, "n.ipynb was deleted on disk and nobody")
    assert await has_kernel(server, file_id)


async def test_who_is_there_is_told_of_a_deletion_through_the_server(server: RunningServer) -> None:
    file_id = await open_notebook(server, "n.ipynb", create=True)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        answer: Any = await call(server, "DELETE", f"/v1/files/{file_id}")
        assert answer.status_code == 200
        told = await client.wait_for("inconsistent_state_event", timeout=PATIENCE)
        assert "n.ipynb was deleted, and its kernel with it" in str(told)
