"""Whichever way a kernel leaves, nothing of the embedded server is left 5 s later."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
import pytest

from ..ipython.kernels import Kernel
from .traces import WITHIN, descriptors, recorded, server_pid

pytestmark = [pytest.mark.kernel, pytest.mark.server]

FORK = """
import os, time
_child = os.fork()
if not _child:
    time.sleep(60)
    os._exit(0)
print(_child)
"""

POOL = """
import multiprocessing, time
_pool = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
_pool.start()
print(_pool.pid)
"""

BUSY = "%%rtu_exec\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + (
    "while True:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass"
)


def connect(kernel: Kernel) -> None:
    """Connect to a notebook and run something remotely."""
    kernel.ok("%rtu_connect lesson.ipynb --new")
    assert kernel.ok("%%rtu_exec\nprint(6 * 7)").text.endswith("42\n")


def driver_pid(kernel: Kernel) -> int:
    return int(kernel.ok("import os; print(os.getpid())").text)


def threads(kernel: Kernel) -> set[str]:
    code = "import threading; print(*(t.name for t in threading.enumerate()), sep='|')"
    return set(kernel.ok(code).text.strip().split("|"))


def report(record: Callable[[str, object], None], took: float) -> None:
    record("gone_after_s", round(took, 2))
    print(f"gone after {took:.2f} s")


@pytest.mark.parametrize("how", ["%unload_ext rtu_magics", "%rtu_disconnect"])
def test_unload_and_disconnect(
    kernel: Kernel, work: Path, how: str, record_property: Callable[[str, object], None]
) -> None:
    kernel.ok("import rtu_magics.session, rtu_magics.client")  # modules keep nothing open
    pid = driver_pid(kernel)
    before = descriptors(pid), threads(kernel)
    connect(kernel)
    during = descriptors(pid) - before[0]
    assert during
    assert "rtu-magics" in threads(kernel) - before[1]
    traces = recorded(work)
    began = time.monotonic()
    kernel.ok(how)
    traces.gone_within(WITHIN - (time.monotonic() - began))
    report(record_property, time.monotonic() - began)
    after = descriptors(pid) & during
    if how == "%rtu_disconnect":  # the thread waits for the next connection: loop and nothing else
        assert not [one for one in after if "socket" in one and one not in loop_of(kernel)]
        kernel.ok("%unload_ext rtu_magics")
    assert not descriptors(pid) & during
    wait_threads(kernel, before[1])
    nbformat.validate(nbformat.read(work / "lesson.ipynb", as_version=4))


def loop_of(kernel: Kernel) -> set[str]:
    """The descriptors with which the background loop wakes itself."""
    code = (
        "from rtu_magics.session.thread import background as _b; _l = _b().loop\n"
        "import os as _o; print(*(f'{n} {_o.readlink(f\"/proc/self/fd/{n}\")}' for n in "
        "(_l._ssock.fileno(), _l._csock.fileno())), sep='|')"
    )
    return set(kernel.ok(code).text.strip().split("|"))


def wait_threads(kernel: Kernel, expected: set[str]) -> None:
    deadline = time.monotonic() + 30
    while more := threads(kernel) - expected:
        assert time.monotonic() < deadline, f"threads are left: {more}"
        time.sleep(0.1)


def test_clean_shutdown_of_the_kernel(
    kernel: Kernel, work: Path, record_property: Callable[[str, object], None]
) -> None:
    connect(kernel)
    traces = recorded(work)
    traces.processes.append(psutil.Process(driver_pid(kernel)))
    began = time.monotonic()
    kernel.manager.shutdown_kernel(now=False)
    traces.gone_within(WITHIN - (time.monotonic() - began))
    report(record_property, time.monotonic() - began)


def killed(kernel: Kernel, work: Path) -> float:
    """Kill the driving kernel; returns the seconds until nothing was left."""
    traces = recorded(work)
    os.kill(driver_pid(kernel), signal.SIGKILL)
    return traces.gone_within()


def test_kill_of_the_kernel(
    kernel: Kernel, work: Path, record_property: Callable[[str, object], None]
) -> None:
    connect(kernel)
    kernel.ok("%%rtu_add\nwritten = 'soon'")  # is on disk in the end, whoever dies
    report(record_property, killed(kernel, work))
    notebook = nbformat.read(work / "lesson.ipynb", as_version=4)
    assert notebook.cells[-1].source == "written = 'soon'"
    assert not (work / ".rtu_magics" / "server.json").exists()


@pytest.mark.parametrize("fork", [FORK, POOL], ids=["os.fork", "multiprocessing"])
def test_kill_of_a_kernel_with_a_forked_worker(
    kernel: Kernel, work: Path, fork: str, record_property: Callable[[str, object], None]
) -> None:
    connect(kernel)
    worker = psutil.Process(int(kernel.ok(fork).text))
    try:
        report(record_property, killed(kernel, work))
        assert worker.is_running(), "the worker has to outlive the kernel for this to mean anything"
        assert worker.status() != psutil.STATUS_ZOMBIE
    finally:
        worker.kill()


def test_a_forked_worker_that_ends_takes_nothing_along(kernel: Kernel, work: Path) -> None:
    connect(kernel)
    kernel.ok(FORK.replace("time.sleep(60)", "import atexit; atexit._run_exitfuncs()"))
    kernel.ok(
        "import multiprocessing as _m; _p = _m.get_context('fork').Process(target=print)\n"
        "_p.start(); _p.join()"
    )
    time.sleep(3.5)  # longer than a server without a lease stays
    assert kernel.ok("%%rtu_exec\nprint(7 * 6)").text == "42\n"


def test_kill_while_a_cell_runs_that_does_not_want_to_end(
    kernel: Kernel, work: Path, record_property: Callable[[str, object], None]
) -> None:
    connect(kernel)
    pid = driver_pid(kernel)
    kernel.start(BUSY)
    time.sleep(1)
    traces = recorded(work)
    os.kill(pid, signal.SIGKILL)
    took = traces.gone_within()
    report(record_property, took)


def test_the_last_of_two_kernels_ends_the_server(
    kernel: Kernel,
    start_kernel: Callable[[], Kernel],
    work: Path,
    record_property: Callable[[str, object], None],
) -> None:
    connect(kernel)
    second = start_kernel()
    assert "starting" not in second.ok("%rtu_connect lesson.ipynb --new").text
    traces = recorded(work)
    pid = server_pid(work)
    kernel.manager.shutdown_kernel(now=False)
    time.sleep(4)  # longer than a server without a lease stays
    assert server_pid(work) == pid
    assert second.ok("%%rtu_exec\nprint(6 * 7)").text.endswith("42\n")
    os.kill(driver_pid(second), signal.SIGKILL)
    report(record_property, traces.gone_within())
