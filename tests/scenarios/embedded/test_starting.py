"""Finding and starting the server of a directory."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from rtu_magics.embedded import STATE_DIR, EmbeddedServer, Lease, find_server, open_server
from rtu_magics.embedded import registry as finding
from rtu_magics.embedded import start as starting
from rtu_magics.errors import EmbeddedServerError

from ...helpers.unprivileged import run_unprivileged

pytestmark = pytest.mark.server


def runs(pid: int) -> bool:
    """Whether a process is there; one that only waits to be collected is not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_gone(pid: int, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while runs(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_start_share_and_end(tmp_path: Path) -> None:
    said: list[str] = []
    server, lease = open_server(tmp_path, said.append, "first")
    assert server.started
    assert said[0] == f"starting a server for {tmp_path} …"
    assert said[1].startswith("server ready in ")
    assert os.getpgid(server.pid) != os.getpgid(0)  # an interrupt of ours does not reach it

    address = tmp_path / STATE_DIR / "server.json"
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert json.loads(address.read_text())["pid"] == server.pid
    assert server.token not in repr(server)
    assert server.token not in " ".join(psutil.Process(server.pid).cmdline())
    assert (tmp_path / STATE_DIR / ".gitignore").read_text() == "*\n"
    assert not list((tmp_path / STATE_DIR).glob("ready-*"))

    below = tmp_path / "sub" / "dir"
    below.mkdir(parents=True)
    again, second = open_server(below, said.append)
    assert (again.pid, again.started) == (server.pid, False)
    assert len(said) == 2

    lease.release()
    lease.release()
    time.sleep(1)
    assert find_server(tmp_path) is not None  # the second lease holds it
    second.release()
    wait_gone(server.pid)
    assert find_server(tmp_path) is None


def test_a_new_one_after_the_old_one_was_killed(tmp_path: Path) -> None:
    server, _ = open_server(tmp_path)
    psutil.Process(server.pid).kill()
    wait_gone(server.pid)
    fresh, lease = open_server(tmp_path)
    assert fresh.pid != server.pid
    time.sleep(1.2)  # until the server has looked at its leases once
    lease.release()
    wait_gone(fresh.pid)


PROGRAM = """
import sys
from rtu_magics.embedded import open_server
server, lease = open_server(sys.argv[1])
print(server.pid, int(server.started), flush=True)
sys.stdin.readline()
"""


def test_who_starts_is_settled_by_a_lock(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    lines = [child.stdout.readline().split() for child in children if child.stdout]
    assert len({pid for pid, _ in lines}) == 1
    assert sum(int(started) for _, started in lines) == 1
    time.sleep(1.2)  # until the server has looked at its leases once
    for child in children:  # their ends without a word: the leases go with the processes
        child.kill()
        child.communicate()
    wait_gone(int(lines[0][0]))


def test_failure_names_the_log_and_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / STATE_DIR).mkdir()
    (tmp_path / STATE_DIR / "server.log").write_text("an old line\n")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho something odd >&2\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(EmbeddedServerError) as info:
        open_server(tmp_path)
    log = tmp_path / STATE_DIR / "server.log"
    assert str(info.value) == (
        f"the server for {tmp_path} ended at once (code 3); its log is {log}, last line: something "
        f"odd"
    )


def test_a_server_that_refuses_to_start_is_quoted(tmp_path: Path) -> None:
    database = tmp_path / STATE_DIR / "rtu.db"
    database.parent.mkdir()
    database.write_text("this is no database, " * 100)
    with pytest.raises(EmbeddedServerError) as info:
        open_server(tmp_path)
    assert str(info.value) == f"{database} is not a database; move it away to start afresh"


def test_a_server_of_ours_that_cannot_be_found(tmp_path: Path) -> None:
    """One behind TLS, for example: it is there, and says nowhere how to reach it."""
    server, lease = open_server(tmp_path)
    (tmp_path / STATE_DIR / "server.json").unlink()
    try:
        with pytest.raises(EmbeddedServerError) as info:
            open_server(tmp_path)
        assert str(info.value) == (
            f"another server of rtu_magics already serves {tmp_path}; connect to that one, or "
            f"stop it"
        )
        assert runs(server.pid)
    finally:
        lease.release()
        wait_gone(server.pid)


def test_slow_start_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "START_TIMEOUT", 0.1)
    with pytest.raises(EmbeddedServerError, match=r"was not ready after 0 s; its log is "):
        open_server(tmp_path)


def test_directory_that_cannot_be_written_to(tmp_path: Path) -> None:
    # A directory of that name cannot be made where a file has it: the same to us as read-only,
    # and true for the superuser as well.
    (tmp_path / STATE_DIR).write_text("")
    with pytest.raises(EmbeddedServerError) as info:
        open_server(tmp_path)
    assert str(info.value) == (
        f"cannot write to {tmp_path} (File exists); connect to a notebook in a directory that you "
        f"can write to, or to the URL of a running server"
    )


CONNECT = """
import sys
from rtu_magics.embedded import open_server
from rtu_magics.errors import EmbeddedServerError
try:
    open_server(sys.argv[1])
except EmbeddedServerError as exc:
    print(exc)
"""


def test_read_only_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        ran = run_unprivileged("-c", CONNECT, str(tmp_path))
    finally:
        tmp_path.chmod(0o700)
    assert ran.stdout == (
        f"cannot write to {tmp_path} (Permission denied); connect to a notebook in a directory "
        f"that you can write to, or to the URL of a running server\n"
    ), ran
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a directory away")
def test_somebody_elses_server_on_the_directory(tmp_path: Path) -> None:
    server, lease = open_server(tmp_path)
    state = tmp_path / STATE_DIR
    tmp_path.chmod(0o755)
    try:
        for path in (tmp_path, state, *state.iterdir()):
            os.chown(path, 54321, 54321)
        ran = run_unprivileged("-c", CONNECT, str(tmp_path))
        assert runs(server.pid)
    finally:
        lease.release()
        wait_gone(server.pid)
    owner = "another user (54321)"
    assert ran.stdout == (
        f"{tmp_path} is served by {owner}, whose server you cannot use; ask {owner} for the URL "
        f"of the notebook, or work on a copy in a directory of your own\n"
    ), ran


def write_address(root: Path, port: int, pid: int) -> None:
    (root / STATE_DIR).mkdir(exist_ok=True)
    content = {"url": f"http://127.0.0.1:{port}/", "token": "t", "pid": pid, "root_dir": str(root)}
    (root / STATE_DIR / "server.json").write_text(json.dumps(content))


def test_somebody_else_on_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        write_address(tmp_path, port, 1)
        assert find_server(tmp_path) is None
        thread.join()


def test_server_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PROBE_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write_address(tmp_path, listener.getsockname()[1], 12345)
        with pytest.raises(EmbeddedServerError) as info:
            find_server(tmp_path)
    assert str(info.value) == (
        f"the server for {tmp_path} (process 12345) does not answer; end that process and connect "
        f"again"
    )


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}', '{"url": "x", "pid": "y"}'])
def test_unreadable_address(tmp_path: Path, content: str) -> None:
    (tmp_path / STATE_DIR).mkdir()
    (tmp_path / STATE_DIR / "server.json").write_text(content)
    assert find_server(tmp_path) is None


def test_lease_of_a_forked_child_is_its_parents(tmp_path: Path) -> None:
    lease = Lease.__new__(Lease)
    lease.server = EmbeddedServer("http://127.0.0.1:9/", "t", 1, tmp_path)
    lease.id, lease._pid, lease._released = "x", os.getpid() + 1, False
    lease.release()
    assert not lease._released


def test_settings_of_the_own_kernel_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JPY_PARENT_PID", "JPY_SESSION_NAME", "JUPYTER_TOKEN", "JUPYTER_PORT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "/keep")
    env = starting._child_env("secret", None)
    assert not [name for name in env if name.startswith(("JPY_", "JUPYTER_TOKEN", "JUPYTER_PORT"))]
    assert env["JUPYTER_CONFIG_DIR"] == "/keep"
    assert env["RTU_SERVER_TOKEN"] == "secret"
