"""The third-party client, unchanged and in an environment of its own, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest

from ..helpers.server import running_server

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.peer]

PINS = [
    "noteable-origami==2.0.0",
    "sending==0.3.0",
    "websockets==13.1",
    "pydantic>=2.4",
    "httpx==0.28.1",
    "diff-match-patch==20200713",
]


@pytest.fixture(scope="session")
def peer_python() -> str:
    """The interpreter of the peer's environment: a given one, or one that is made once and kept."""
    given = os.environ.get("RTU_PEER_PYTHON")
    if given:
        return given
    name = f"rtu-peer-{sys.version_info.major}.{sys.version_info.minor}-{hash_of_pins()}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()) / name
    python = cache / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = cache / "ready"
    if not ready.exists():
        try:
            venv.create(cache, with_pip=True, clear=True)
            subprocess.run(
                [str(python), "-m", "pip", "install", "--quiet", *PINS],
                check=True,
                timeout=600,
                capture_output=True,
                text=True,
            )
        except (OSError, subprocess.SubprocessError) as exc:
            reason = f"the peer's environment cannot be made: {exc}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        ready.touch()
    return str(python)


def hash_of_pins() -> str:
    import hashlib

    return hashlib.sha256("\n".join(PINS).encode()).hexdigest()[:12]


@pytest.mark.timeout(700)
def test_the_third_party_client_works_unchanged(tmp_path: Path, peer_python: str) -> None:
    script = Path(__file__).with_name("peer_script.py")
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("NOTEABLE_", "PYTHON", "VIRTUAL_ENV"))
    }
    with running_server(tmp_path) as server:
        ran = subprocess.run(
            [peer_python, str(script), server.api_url, server.token, server.project_id],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr + server.log.read_text()
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
