"""The third-party client as a guest: every refusal reaches it, and nothing waits for ever."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ...helpers.peer import peer_environ
from ...helpers.rtu import follow, open_notebook, post
from ...helpers.server import running_server
from .test_peer import peer  # noqa: F401  a fixture

pytestmark = [pytest.mark.server, pytest.mark.peer]


@pytest.mark.timeout(700)
async def test_refusals_reach_a_guest(tmp_path: Path, peer: str) -> None:  # noqa: F811
    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "a.ipynb", create=True)
        async with follow(server, file_id) as owner:
            await owner.add("locked", "1", metadata={"editable": False})
        made = await post(server, f"/v1/files/{file_id}/invites", {"role": "viewer"})
        script = str(Path(__file__).with_name("guest_script.py"))
        ran = subprocess.run(
            [peer, script, server.api_url, server.token, file_id, made["id"], made["token"]],
            capture_output=True,
            text=True,
            timeout=150,
            env=peer_environ(),
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "as viewer": "DeltaRejected: Permission denied",
        "as contributor": "2",
        "a locked cell": "DeltaRejected: cell locked is locked (editable: false) and cannot be "
        "changed; you may run it, or ask an owner",
        "revoked": "DeltaRejected: Permission denied",
    }
