"""The server process: starting, refusing, leases, ending."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from rtu_magics.server.process.launch import HELD

from ...helpers.rtu import call, follow, open_notebook, post
from ...helpers.server import child_pids, start_server
from ...helpers.unprivileged import run_unprivileged

pytestmark = pytest.mark.server


def refused(root: Path, *arguments: str, code: int = 1) -> str:
    """Start a server that must not start and return what it said; it ends with `code`."""
    ran = subprocess.run(
        [sys.executable, "-m", "rtu_magics.server", "--root-dir", str(root), *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == code, ran
    assert ran.stdout == ""
    lines = [line for line in ran.stderr.splitlines() if line.startswith("rtu_magics:")]
    assert len(lines) == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    return lines[0]


def database(root: Path) -> Path:
    return root / ".rtu_magics" / "rtu.db"


def test_state_is_private_and_nothing_is_said(tmp_path):
    server = start_server(tmp_path, fresh=True)
    try:
        state = tmp_path / ".rtu_magics"
        assert state.stat().st_mode & 0o077 == 0
        assert (state / "rtu.db").stat().st_mode & 0o077 == 0
        assert server.token not in Path(f"/proc/{server.pid}/cmdline").read_text()
    finally:
        assert server.stop() == 0
    assert server.token not in server.log.read_text()


def test_base_url(tmp_path):
    server = start_server(tmp_path, "--base-url", "/some/where/", fresh=True)
    try:
        assert "/some/where/rtu/api" in server.api_url
        response = httpx.get(f"{server.api_url}/users/me", headers=server.headers)
        assert response.status_code == 200
    finally:
        server.stop()


def test_no_such_directory(tmp_path):
    assert "is no directory" in refused(tmp_path / "none")


def test_a_port_that_is_taken(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    server = start_server(tmp_path / "a", fresh=True)
    try:
        port = httpx.URL(server.url).port
        assert str(port) in refused(tmp_path / "b", "--port", str(port))
    finally:
        server.stop()


def test_a_second_server_on_the_same_directory(tmp_path):
    server = start_server(tmp_path, fresh=True)
    try:
        assert "already serves" in refused(tmp_path, code=HELD)
    finally:
        server.stop()


def test_databases_that_cannot_be_used(tmp_path):
    start_server(tmp_path, fresh=True).stop()
    good = database(tmp_path).read_bytes()

    database(tmp_path).write_bytes(b"this is not a database" * 100)
    assert "is not a database" in refused(tmp_path)
    database(tmp_path).write_bytes(good[: len(good) // 2])
    assert "cut off" in refused(tmp_path)
    database(tmp_path).write_bytes(good[:50])
    assert "not a database" in refused(tmp_path)

    database(tmp_path).write_bytes(good)
    connection = sqlite3.connect(database(tmp_path))
    connection.execute("UPDATE rtu_meta SET value = '999' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    assert "newer" in refused(tmp_path)

    for file in database(tmp_path).parent.glob("rtu.db*"):
        file.unlink()
    connection = sqlite3.connect(database(tmp_path))
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    assert "another program" in refused(tmp_path)
    database(tmp_path).unlink()
    start_server(tmp_path, fresh=True).stop()


def test_a_state_directory_that_cannot_be_made(tmp_path):
    (tmp_path / ".rtu_magics").write_text("in the way")
    assert "cannot write" in refused(tmp_path)


def test_a_directory_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o555)
    try:
        ran = run_unprivileged("-m", "rtu_magics.server", "--root-dir", str(tmp_path))
    finally:
        tmp_path.chmod(0o755)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"rtu_magics: cannot write {tmp_path}/.rtu_magics (Permission denied); serve a directory "
        f"that you may write to\n"
    )


def wait_for_end(server) -> None:
    server.process.wait(60)


async def test_the_server_ends_after_its_last_lease(tmp_path):
    server = start_server(tmp_path, "--lease", fresh=True)
    try:
        holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        first = await post(server, "/v1/leases", {"pid": os.getpid(), "name": "me"})
        await post(server, "/v1/leases", {"pid": holder.pid, "name": "other"})
        assert (await call(server, "DELETE", f"/v1/leases/{first['lease_id']}")).status_code == 204
        time.sleep(1.5)
        assert server.process.poll() is None
        holder.send_signal(signal.SIGKILL)
        wait_for_end(server)
        holder.wait()
        holder.stdin.close()
        assert server.process.returncode == 0
    finally:
        server.stop()


async def test_a_lease_that_is_given_back_at_once_counts_too(tmp_path):
    server = start_server(tmp_path, "--lease", fresh=True)
    try:
        lease = await post(server, "/v1/leases", {"pid": os.getpid(), "name": "brief"})
        await call(server, "DELETE", f"/v1/leases/{lease['lease_id']}")
        wait_for_end(server)
    finally:
        server.stop()


async def test_a_lease_needs_a_process(tmp_path):
    server = start_server(tmp_path, "--lease", fresh=True)
    try:
        response = await call(server, "POST", "/v1/leases", {"pid": 2**22 + 5, "name": "none"})
        assert response.status_code == 422
    finally:
        server.stop()


@pytest.mark.kernel
async def test_ending_leaves_nothing_behind(tmp_path, write_notebook):
    write_notebook(tmp_path / "n.ipynb", "import os; os.getpid()")
    server = start_server(tmp_path, fresh=True)
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        await post(server, "/v1/sessions", {"file_id": file_id})
        await client.execute("c1")
        await client.finished("c1")
        kernels = child_pids(server.pid)
        assert kernels
    assert server.stop() == 0
    assert not [pid for pid in kernels if psutil.pid_exists(pid)]
    on_disk = json.loads((tmp_path / "n.ipynb").read_text())
    assert on_disk["cells"][0]["outputs"]


@pytest.mark.kernel
async def test_as_an_extension_of_a_plain_jupyter_server(tmp_path, write_notebook):
    write_notebook(tmp_path / "n.ipynb", "1 + 1")
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--port=0"]
    options = [
        f"--ServerApp.root_dir={tmp_path}",
        "--IdentityProvider.token=secret",
        "--ServerApp.base_url=/hub/user/",
        "--ServerApp.jpserver_extensions={'rtu_magics.server': True}",
        "--ServerApp.allow_unauthenticated_access=False",
    ]
    log = (tmp_path / "jupyter.log").open("w")
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path / ".runtime")}
    process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
    try:
        for _ in range(900):
            if (tmp_path / ".rtu_magics" / "server.json").exists():
                break
            time.sleep(0.1)
        said = json.loads((tmp_path / ".rtu_magics" / "server.json").read_text())
        url = said["url"].rstrip("/")
        headers = {"Authorization": "token secret"}
        response = httpx.get(f"{url}/rtu/api/info", headers=headers, timeout=90)
        assert response.status_code == 200, (tmp_path / "jupyter.log").read_text()
        assert response.json()["name"] == "rtu_magics"
        body = {"path": "n.ipynb"}
        response = httpx.post(f"{url}/rtu/api/v1/files/open", json=body, headers=headers)
        assert response.status_code == 200
    finally:
        process.terminate()
        process.wait(60)
        log.close()
    said = (tmp_path / "jupyter.log").read_text()
    assert "registered for /hub/user/rtu" not in said  # a route without an authentication rule
    assert "Traceback" not in said
