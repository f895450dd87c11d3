"""People over RTU, as Jupyter's own culler and its shutdown without activity see them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from websockets.sync.client import connect

import rtu_magics
from rtu_magics.errors import KernelError, RemoteCellError
from rtu_magics.session import Session

from ...helpers.fork_server import ForkedProcess, run_module
from ...helpers.server import free_port

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(240)]

TOKEN = {"Authorization": "token secret"}


@contextmanager
def jupyter(home: Path, *arguments: str) -> Iterator[tuple[str, ForkedProcess]]:
    root, port = home / "work", free_port()
    root.mkdir()
    cell = {"cell_type": "code", "id": "one", "metadata": {}, "source": "x = 1"}
    cell |= {"outputs": [], "execution_count": None}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "a.ipynb").write_text(json.dumps(content))
    command = ["--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("RTU_")}
    env |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    with (home / "log").open("wb") as log:
        command += arguments
        process = run_module("jupyter_server", *command, cwd=root, env=env, log=log)
    try:
        for _ in range(600):
            if (root / ".rtu_magics" / "server.json").exists():
                break
            assert process.poll() is None, (home / "log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def join(url: str) -> Session:
    return rtu_magics.connect(f"{url}/tree/a.ipynb", token="secret")


def kernels(url: str) -> list[dict]:  # type: ignore[type-arg]
    found: list[dict] = httpx.get(f"{url}/api/kernels", headers=TOKEN, timeout=30).json()  # type: ignore[type-arg]
    return found


def until(what, message: str, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, message
        time.sleep(0.1)


IDLE = 10  # seconds that an idle kernel lives; a busy machine takes some of them to start it
CULL = [
    f"--MappingKernelManager.cull_idle_timeout={IDLE}",
    "--MappingKernelManager.cull_interval=1",
]


def test_a_kernel_with_people_is_kept_and_one_without_is_not(tmp_path: Path) -> None:
    with jupyter(tmp_path, *CULL) as (url, _), join(url) as first:
        first.run("one")
        until(lambda: kernels(url)[0]["connections"] == 1, "nobody counts as connected")
        with rtu_magics.connect(f"{url}/tree/a.ipynb", name="second", token="secret") as second:
            until(lambda: kernels(url)[0]["connections"] == 2, "the second does not count")
            time.sleep(2 * IDLE)
            assert len(kernels(url)) == 1
            assert second.kernel_status() is not None
        until(lambda: kernels(url)[0]["connections"] == 1, "who has gone still counts")
        first.close()
        until(lambda: not kernels(url), "a kernel without people stays for ever")


def test_a_silent_long_cell_keeps_its_kernel(tmp_path: Path) -> None:
    busy = ["--MappingKernelManager.cull_connected=True", "--MappingKernelManager.cull_busy=True"]
    busy += ["--MappingKernelManager.cull_idle_timeout=15"]  # longer than it takes to start
    with jupyter(tmp_path, CULL[1], *busy) as (url, _), join(url) as session:
        session.edit("one", "import time\ntime.sleep(30)\nprint('done')")
        session.run("one")
        assert "done" in str(session.outputs("one"))


def test_a_server_that_is_edited_is_active(tmp_path: Path) -> None:
    limit = "--ServerApp.shutdown_no_activity_timeout=120"
    with jupyter(tmp_path, limit) as (url, process), join(url) as session:

        def active() -> str:
            status = httpx.get(f"{url}/api/status", headers=TOKEN, timeout=30)
            return str(status.json()["last_activity"])

        before = active()
        session.edit("one", "x = 2")
        until(lambda: active() > before, "an edit is no activity")
        assert process.poll() is None


async def test_the_kernel_of_a_deleted_notebook_ends(tmp_path: Path) -> None:
    with jupyter(tmp_path) as (url, _), join(url) as session:
        await asyncio.to_thread(session.run, "one")
        assert len(kernels(url)) == 1
        file_id = UUID(str(session.file.id))
        answer = httpx.delete(f"{url}/rtu/api/v1/files/{file_id}", headers=TOKEN, timeout=60)
        assert answer.status_code == 200
        until(lambda: not kernels(url), "the kernel runs on")


def test_who_runs_after_a_cull_is_told_of_it(tmp_path: Path) -> None:
    busy = ["--MappingKernelManager.cull_connected=True", *CULL]
    said: list[str] = []
    with jupyter(tmp_path, *busy) as (url, _), join(url) as session:
        session.run("one")
        until(lambda: session.kernel_culled, "nobody is told that the kernel was culled")
        session.say = said.append
        with contextlib.suppress(KernelError, RemoteCellError):  # it may be culled once more
            session.run("one")
    assert "the kernel was ended for idleness; its variables are gone" in said


def test_a_server_outlives_its_limit_while_somebody_edits(tmp_path: Path) -> None:
    limit = "--ServerApp.shutdown_no_activity_timeout=5"
    with jupyter(tmp_path, limit) as (url, process):
        with join(url) as session:
            for n in range(10):
                session.edit("one", f"x = {n}")
                time.sleep(1)
            assert process.poll() is None
        # Jupyter looks once a minute, or as often as the limit says.
        until(lambda: process.poll() is not None, "the limit does not end the server", 150)


def test_who_comes_after_a_cull_is_told_at_the_first_run_and_only_then(tmp_path: Path) -> None:
    note = "the kernel was ended for idleness; its variables are gone"
    with jupyter(tmp_path, *CULL) as (url, _):
        with join(url) as first:
            first.run("one")
            assert not first.kernel_culled
        until(lambda: not kernels(url), "a kernel without people stays for ever")
        said: list[str] = []
        with join(url) as later:
            until(lambda: later.kernel_culled, "who comes later is not told")
            later.say = said.append  # type: ignore[method-assign]
            later.run("one")
            assert said.count(note) == 1
            assert not later.kernel_culled
            later.run("one")
            assert said.count(note) == 1


def test_who_comes_after_somebody_stopped_the_kernel_is_told_of_no_cull(tmp_path: Path) -> None:
    with jupyter(tmp_path) as (url, _):
        with join(url) as first:
            first.run("one")
            first.kernel_stop()
        with join(url) as later:
            assert not later.kernel_culled


def test_a_notebook_counts_as_long_as_somebody_is_at_its_kernel(tmp_path: Path) -> None:
    """Left connected to another notebook of its server, it would keep the server for ever."""
    with jupyter(tmp_path) as (url, _):

        def active() -> str:
            status = httpx.get(f"{url}/api/status?no_track_activity=1", headers=TOKEN, timeout=30)
            return str(status.json()["last_activity"])

        def rests() -> bool:
            before = active()
            time.sleep(4)
            return active() == before

        made = httpx.post(f"{url}/api/kernels", headers=TOKEN, json={"name": "python3"}, timeout=60)
        kernel_id = made.json()["id"]
        client = BlockingKernelClient(
            connection_file=str(tmp_path / "runtime" / f"kernel-{kernel_id}.json")
        )
        client.load_connection_file()
        client.start_channels(hb=False)  # a busy machine's kernel would be taken for a dead one
        try:
            address = f"{url}/tree/a.ipynb"
            code = f"import rtu_magics\ns = rtu_magics.connect({address!r}, token='secret')"
            client.execute(code)
            reply = client.get_shell_msg(timeout=100)
            assert reply["content"]["status"] == "ok"
            until(rests, "it counts although nobody is there")
            channels = f"{url.replace('http', 'ws')}/api/kernels/{kernel_id}/channels"
            with connect(channels, additional_headers=TOKEN, proxy=None):
                until(lambda: not rests(), "whoever is there does not count")
            until(rests, "it counts although nobody is there any more")
        finally:
            client.stop_channels()
