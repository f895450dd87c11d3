"""A Jupyter Server that runs already: its notebooks are joined there, not served a second time."""

import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu_magics.embedded import STATE_DIR, find_server, open_server
from rtu_magics.errors import EmbeddedServerError

from ...helpers.fork_server import run_module
from ...helpers.server import free_port

pytestmark = pytest.mark.server


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """The real ``jupyter server`` of an installation, with our extension found by itself."""
    root = tmp_path / "work"
    root.mkdir()
    hashed = "argon2:$argon2id$v=19$m=10240,t=10,p=8$c29tZXNhbHQ$c29tZWhhc2g"
    command = ["--no-browser", "--allow-root"]
    command += [f"--port={free_port()}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token=", f"--PasswordIdentityProvider.hashed_password={hashed}"]
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with (tmp_path / "log").open("wb") as log:
        process = run_module("jupyter_server", *command, cwd=root, env=env, log=log)
    try:
        yield root, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def wait_for(root: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if find_server(root) is not None:
                return
        except EmbeddedServerError:
            pass
        time.sleep(0.1)
    pytest.fail("the Jupyter Server does not say where it is")


def test_it_is_joined_however_people_log_in(jupyter: tuple[Path, int]) -> None:
    root, pid = jupyter
    wait_for(root)
    server, lease = open_server(root, name="test")
    try:
        assert server.pid == pid
        assert not server.started
    finally:
        lease.release()


def test_its_address_is_for_its_user_alone_and_goes_with_it(jupyter: tuple[Path, int]) -> None:
    root, pid = jupyter
    wait_for(root)
    address = root / STATE_DIR / "server.json"
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert json.loads(address.read_text())["pid"] == pid
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while address.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not address.exists()
