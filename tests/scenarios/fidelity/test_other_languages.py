"""Cells that are not Python: a real kernel of another language, and SQL."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.helpers.needs import missing, needed
from tests.scenarios.ipython.kernels import Kernel

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.server,
    pytest.mark.skipif(os.name != "posix", reason="bash"),
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A Python kernel here, connected to a bash kernel there."""
    needed("bash")
    if importlib.util.find_spec("bash_kernel") is None:
        missing("bash_kernel", "pip install bash_kernel")
    home = tmp_path_factory.mktemp("home")
    spec = home / "data" / "kernels" / "bash"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    described = {"argv": argv, "display_name": "Bash", "language": "bash", "env": {"PS1": "$"}}
    (spec / "kernel.json").write_text(json.dumps(described))
    env = dict(os.environ, IPYTHONDIR=str(home / "ipython"), JUPYTER_PATH=str(home / "data"))
    env.pop("RTU_TOKEN", None)
    work = tmp_path_factory.mktemp("work")
    # What a shell starts in the background ignores the signal, and bash hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        kernel = Kernel(work, env)
        try:
            kernel.ok("%load_ext rtu_magics")
            kernel.ok("%rtu_connect shell.ipynb --new")
            assert "kernel bash ready" in kernel.ok("%rtu_kernel start --name bash").text
            yield kernel
            kernel.ok("%unload_ext rtu_magics")
        finally:
            kernel.close()
    finally:
        signal.signal(signal.SIGINT, before)


def test_bash(kernel: Kernel) -> None:
    assert kernel.ok("%%rtu_exec\nx=5; for n in 1 2; do echo line $n; done").text == (
        "line 1\nline 2\n"
    )
    assert kernel.ok("%%rtu_exec\necho $x").text == "5\n"
    assert kernel.ok("%%rtu_exec --scratch\necho $x$x").text == "55\n"
    failed = kernel.run("%%rtu_exec\necho so far; false")
    assert failed.text == "so far\n"
    assert failed.error_line.endswith(" failed: 1")


def test_interrupt(kernel: Kernel) -> None:
    msg_id = kernel.start("%%rtu_exec\necho begun; sleep 60")
    time.sleep(1.5)
    kernel.interrupt()
    run = kernel.finish(msg_id, timeout=60)
    assert run.error_line == "KeyboardInterrupt: the remote cell was interrupted"
    assert kernel.ok("%%rtu_exec\necho still here").text == "still here\n"


def test_what_only_python_can(kernel: Kernel) -> None:
    kernel.ok("x = 1")
    for magic in ("%rtu_push x", "%rtu_get x"):
        assert kernel.run(magic).error_line == (
            "RTUError: the remote kernel bash speaks bash; data can be copied to and from Python "
            "kernels only"
        )
    assert "variables are shown for Python kernels only" in kernel.run("%rtu_vars").error_line


def test_sql_is_answered_at_once(kernel: Kernel) -> None:
    kernel.ok("%%rtu_add --type sql\nselect 1")
    run = kernel.run("%rtu_exec -1")
    assert "raised NoDataSource: no data source is connected to this notebook; change the cell" in (
        run.error_line
    )
    assert kernel.ok("%%rtu_exec\necho on").text == "on\n"
