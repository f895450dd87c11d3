"""A driving kernel that is restarted finds its server and its remote kernel as they were."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ..ipython.kernels import Kernel
from .traces import recorded, server_pid

pytestmark = [pytest.mark.kernel, pytest.mark.server]


def restart(kernel: Kernel) -> None:
    kernel.manager.restart_kernel(now=False)
    kernel.client.wait_for_ready(timeout=30)


def test_the_server_stays(kernel: Kernel, work: Path) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new")
    kernel.ok("%%rtu_exec\nkept = 'since before'")
    pid = server_pid(work)
    restart(kernel)
    time.sleep(4)  # a person is slower than the wait after a lease that was just given back
    kernel.ok("%load_ext rtu_magics")
    connected = kernel.ok("%rtu_connect lesson.ipynb --new").text
    assert "starting" not in connected
    assert "kernel running" in connected
    assert server_pid(work) == pid
    assert kernel.ok("%%rtu_exec\nprint(kept)").text == "since before\n"
    traces = recorded(work)
    kernel.ok("%unload_ext rtu_magics")  # and from now on the short wait holds again
    traces.gone_within()


def test_killed_and_started_again_at_once(kernel: Kernel, work: Path) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new")
    kernel.ok("%%rtu_exec\nkept = 'since before'")
    traces = recorded(work)
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=30)
    kernel.ok("%load_ext rtu_magics")
    connected = kernel.ok("%rtu_connect lesson.ipynb --new").text
    # A machine that is fast enough keeps the server, any other gets a fresh one: never an error.
    run = kernel.ok("%%rtu_exec\nprint(globals().get('kept'))").text
    kept = traces.processes[0].is_running()
    assert ("starting" in connected) != kept
    assert ("since before" in run) == kept
