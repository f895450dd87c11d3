"""``%rtu_kernel interrupt`` and ``--all``, by role."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...helpers.cli import ready_line, serving
from .kernels import Kernel

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]

SLOW = "import time\nfor _ in range(600): time.sleep(0.1)"
ROLES = ("viewer", "executor", "contributor")


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel with a session of each role on one notebook: ``owner``, ``viewer`` …"""
    env = {key: value for key, value in os.environ.items() if key != "RTU_TOKEN"}
    env["IPYTHONDIR"] = str(tmp_path / "ipython")
    served = tmp_path / "served"
    served.mkdir()
    with serving("n.ipynb", "--new", "--json", cwd=served) as process:
        server = ready_line(process)
        found = Kernel(tmp_path, {**env, "RTU_TOKEN": server["token"]})
        try:
            found.ok("%load_ext rtu_magics")
            found.ok(f"%rtu_connect {server['link']} -s owner --no-widget")
            for role in ROLES:
                said = found.ok(f"%rtu_share --role {role} --name {role}s -s owner").text
                link = re.search(r"%rtu_connect (\S+)", said)
                assert link is not None, said
                found.ok(f"%rtu_connect {link[1]} -s {role} --no-widget")
            found.ok(f"%%rtu_add -s owner\n{SLOW}")
            found.ok("%%rtu_add -s owner\nprint('quick')")
            yield found
        finally:
            found.close()


def begin(kernel: Kernel, name: str = "long") -> None:
    kernel.ok(f"%rtu_exec 1 --bg -o {name} -s owner")
    kernel.ok(f"import time\nwhile {name}.state != 'running': time.sleep(0.05)\ntime.sleep(0.5)")


def test_who_may_end_what(kernel: Kernel) -> None:
    begin(kernel)
    refused = kernel.run("%rtu_kernel interrupt -s viewer").error_line
    assert "you are a viewer here; to run cells, ask an owner" in refused
    refused = kernel.run("%rtu_kernel interrupt -s executor").error_line
    assert re.search(
        r"a cell of .+ runs, which only they, a contributor or an owner may interrupt; "
        r"%rtu_kernel interrupt ends what waits of yours",
        refused,
    ), refused
    kernel.ok("%rtu_exec 2 --bg -o mine -s executor")
    said = kernel.ok("%rtu_kernel interrupt -s executor").text
    assert re.search(r"1 cell of yours will not run; the cell that runs is .+'s", said), said
    assert "executors ended the run" in kernel.run("%rtu_wait mine").error_line
    for role in ("executor", "contributor"):
        refused = kernel.run(f"%rtu_kernel interrupt --all -s {role}").error_line
        assert "only an owner may end everybody's runs; without --all, yours are ended" in refused
    assert kernel.ok("print(long.state)").text == "running\n"
    said = kernel.ok("%rtu_kernel interrupt -s contributor").text
    assert re.search(r"interrupt sent; the cell was .+'s", said), said
    assert "was interrupted" in kernel.run("%rtu_wait long").error_line


def test_all_ends_everybodys(kernel: Kernel) -> None:
    begin(kernel)
    for role in ("executor", "contributor"):
        kernel.ok(f"%rtu_exec 2 --bg -o of_{role} -s {role}")
    said = kernel.ok("%rtu_kernel interrupt --all -s owner").text
    assert said == "interrupt sent; 2 cells that waited will not run\n"
    for name in ("long", "of_executor", "of_contributor"):
        assert "nterrupted" in kernel.run(f"%rtu_wait {name}").error_line or (
            "ended all runs" in kernel.run(f"%rtu_wait {name}").error_line
        )
    # One's own only: somebody else's that waits runs afterwards.
    begin(kernel, "again")
    kernel.ok("%rtu_exec 2 --bg -o theirs -s executor")
    assert kernel.ok("%rtu_kernel interrupt -s owner").text == "interrupt sent\n"
    kernel.ok("%rtu_wait theirs")
    assert kernel.ok("print(theirs.result.text)").text == "quick\n\n"
    # Nothing runs: it says so much, and harms nobody.
    assert "interrupt sent" in kernel.ok("%rtu_kernel interrupt -s owner").text
    assert kernel.run("%rtu_kernel status --all -s owner").error_line.endswith(
        "--all goes with interrupt"
    )
