"""The environment of the third-party client, which cannot share ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

from rtu_magics.embedded.locking import locked

PINS = [
    "noteable-origami==2.0.0",
    "sending==0.3.0",
    "websockets==13.1",
    "pydantic>=2.4",
    "httpx==0.28.1",
    "diff-match-patch==20200713",
]


def peer_python() -> str:
    """Return the peer's interpreter: the given one, or one that is made once and kept.

    Raises
    ------
    OSError, subprocess.SubprocessError
        The environment cannot be made.
    """
    given = os.environ.get("RTU_PEER_PYTHON")
    if given:
        return given
    pins = hashlib.sha256("\n".join(PINS).encode()).hexdigest()[:12]
    name = f".venv-peer-{sys.version_info.major}.{sys.version_info.minor}-{pins}"
    home = Path(__file__).parents[2] / name
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = home / "ready"
    # Tests in several processes want it at the same time; one makes it, the others wait.
    with home.with_name(f"{name}.lock").open("a+b") as lock, locked(lock):
        if not ready.exists():
            _make(home, python)
            ready.touch()
    return str(python)


def _make(home: Path, python: Path) -> None:
    venv.create(home, with_pip=True, clear=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *PINS],
        check=True,
        timeout=600,
        capture_output=True,
        text=True,
    )


def peer_environ() -> dict[str, str]:
    """Return the environment variables for the peer: ours, without what would lead it astray."""
    foreign = ("NOTEABLE_", "PYTHON", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
