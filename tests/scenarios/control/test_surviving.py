"""A run survives the kernel that started it, and says so when it does not survive its server."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ..ipython.kernels import CellRun, Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.server]


def kill(kernel: Kernel) -> None:
    """What nobody can prepare for."""
    pid = kernel.manager.provisioner.pid
    os.kill(pid, signal.SIGKILL)
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)
    kernel.manager.cleanup_resources()


@pytest.fixture
def second(work: Path, env: dict[str, str]) -> Iterator[list[Kernel]]:
    started: list[Kernel] = []
    yield started
    for kernel in started:
        kernel.ok("%unload_ext rtu_magics")
        kernel.close()


def server_pid(work: Path) -> int:
    return int(json.loads((work / ".rtu_magics" / "server.json").read_text())["pid"])


def test_a_run_survives_its_client(work: Path, env: dict[str, str], second: list[Kernel]) -> None:
    first = Kernel(work, env)
    first.ok("%load_ext rtu_magics\n%rtu_connect long.ipynb --new")
    first.ok(
        "%%rtu_exec --bg\nimport pathlib, time\nfor n in range(16):\n"
        "    while n == 10 and not pathlib.Path('go').exists():\n        time.sleep(0.05)\n"
        "    print('step', n, flush=True)\n    time.sleep(0.1)\nprint('the end')",
    )
    pid = server_pid(work)
    kill(first)
    time.sleep(4)  # longer than a server without anybody would stay
    assert psutil.pid_exists(pid)
    kernel = Kernel(work, env)
    second.append(kernel)
    kernel.ok("%load_ext rtu_magics\n%rtu_connect long.ipynb --new")
    assert server_pid(work) == pid
    assert "running" in kernel.ok("%rtu_runs").text

    def go_on(run: CellRun) -> None:
        if "step 9\n" in run.text:  # what was missed has come, and the run goes on only now
            (work / "go").touch()

    run = kernel.finish(kernel.start("%rtu_attach"), on_turn=go_on)
    assert run.status == "ok"
    steps = "".join(f"step {n}\n" for n in range(16))
    assert run.text.endswith(f"{steps}the end\n")
    assert kernel.ok("%%rtu_exec\nn").bundles("text/plain") == ["15"]


def test_without_background_the_server_ends(work: Path, env: dict[str, str]) -> None:
    kernel = Kernel(work, env)
    kernel.ok("%load_ext rtu_magics\n%rtu_connect long.ipynb --new")
    kernel.ok("%rtu_kernel start")
    msg_id = kernel.start("%%rtu_exec\nimport time\ntime.sleep(60)")
    time.sleep(1)
    assert msg_id
    pid = server_pid(work)
    kill(kernel)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.1)


def test_the_server_ends_once_the_run_has(work: Path, env: dict[str, str]) -> None:
    kernel = Kernel(work, env)
    kernel.ok("%load_ext rtu_magics\n%rtu_connect long.ipynb --new")
    kernel.ok("%%rtu_exec --bg\nimport time\ntime.sleep(4)\nprint('done')")
    pid = server_pid(work)
    began = time.monotonic()
    kill(kernel)
    while psutil.pid_exists(pid):
        assert time.monotonic() - began < 60, "the server is still there"
        time.sleep(0.1)
    assert "done" in (work / "long.ipynb").read_text()
