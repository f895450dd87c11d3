"""The third-party client, unchanged and in an environment of its own, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ..helpers.cli import ready_line, serving
from ..helpers.peer import peer_environ, peer_python

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.peer]


@pytest.fixture(scope="session")
def peer() -> str:
    """The interpreter of the peer's environment."""
    try:
        return peer_python()
    except (OSError, subprocess.SubprocessError) as exc:
        reason = f"the peer's environment cannot be made: {exc}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.timeout(700)
def test_the_third_party_client_works_unchanged(tmp_path: Path, peer: str) -> None:
    script = Path(__file__).with_name("peer_script.py")
    with serving("--json", cwd=tmp_path) as process:
        server = ready_line(process)
        ran = subprocess.run(
            [peer, str(script), server["api_url"], server["token"], server["project_id"]],
            capture_output=True,
            text=True,
            timeout=120,
            env=peer_environ(),
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        seen = json.loads(ran.stdout.splitlines()[-1])
        assert seen["outputs"] == {
            "x = 21\nx + 1": ["22"],
            "print('replaced')\n40 + 2": ["replaced\n", "42"],
        }
        assert "does not apply" in seen["rejected"]
        assert seen["same"] is True
        assert seen["sources"] == [
            "x = 21\nx + 1",
            "print('replaced')\n40 + 2",
            "# A fine title!",
            "1 / 0",
        ]
    on_disk = json.loads((tmp_path / "peer" / "lesson.ipynb").read_text())
    assert ["".join(cell["source"]) for cell in on_disk["cells"]] == seen["sources"]
    assert on_disk["cells"][0]["outputs"][0]["data"] == {"text/plain": "22"}
