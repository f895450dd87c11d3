"""Kernels of notebooks that are deleted: by another program, and through the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..helpers.rtu import call, follow, open_notebook, post
from ..helpers.server import RunningServer, running_server

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]

PATIENCE = 90


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    monkeypatch.setenv("RTU_DELETED_KERNEL_GRACE", "2")
    with running_server(tmp_path) as found:
        yield found


async def test_who_is_there_is_told_of_a_deletion_through_the_server(server: RunningServer) -> None:
    file_id = await open_notebook(server, "n.ipynb", create=True)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        answer: Any = await call(server, "DELETE", f"/v1/files/{file_id}")
        assert answer.status_code == 200
        told = await client.wait_for("inconsistent_state_event", timeout=PATIENCE)
        assert "n.ipynb was deleted, and its kernel with it" in str(told)
