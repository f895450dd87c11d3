"""Settings."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest
from traitlets.config import Config

import rtu_magics
from rtu_magics.errors import RTUError
from rtu_magics.ipython.completion import MagicCompleter
from rtu_magics.ipython.nested_asyncio import allow_nesting

from .kernels import Kernel
from .shells import Shell


def test_alone_it_lists(shell: Shell) -> None:
    lines = shell.ok("%rtu_config").splitlines()
    assert lines[0].split() == ["setting", "value", "what", "it", "does"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["default_session", '""'],
        ["grace_period", "5"],
        ["nested_asyncio", "off"],
        ["progress_delay", "3"],
        ["status_widget", "on"],
        ["transfer_limit", "100"],
        ["trust_outputs", "auto"],
    ]


def test_set_and_show(shell: Shell) -> None:
    assert shell.ok("%rtu_config grace_period 2.5").splitlines()[1].split()[:2] == [
        "grace_period",
        "2.5",
    ]
    assert shell.ok("%config RtuMagics.grace_period = 7") == ""
    assert "  7  " in shell.ok("%rtu_config grace_period")
    assert "RtuMagics.grace_period=<Float>" in shell.ok("%config RtuMagics")
    shell.ok("%rtu_config default_session mine")
    assert "no session is open" in shell.line("%rtu_cells")
    assert '""' in shell.ok('%rtu_config default_session ""')


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("grace_period -1", "UsageError: grace_period is a number of seconds from 0 to 3600"),
        ("grace_period nan", "UsageError: grace_period is a number of seconds from 0 to 3600"),
        ("progress_delay -1", "UsageError: progress_delay is a number of seconds from 0 to 3600"),
        ("grace_period soon", "UsageError: grace_period is a number, not 'soon'"),
        ("nested_asyncio maybe", "UsageError: nested_asyncio is on or off, not 'maybe'"),
    ],
)
def test_bad_values(shell: Shell, line: str, says: str) -> None:
    before = shell.ok("%rtu_config")
    assert shell.line(f"%rtu_config {line}") == says
    assert shell.ok("%rtu_config") == before


def test_unknown_setting(shell: Shell) -> None:
    line = shell.line("%rtu_config colour blue")
    assert "invalid choice: 'colour'" in line
    assert "grace_period" in line


def test_from_a_configuration_file(shell: Shell) -> None:
    shell.ok("%unload_ext rtu_magics")
    shell.ip.config.merge(Config({"RtuMagics": {"grace_period": 9}}))
    shell.ok("%load_ext rtu_magics")
    assert "  9  " in shell.ok("%rtu_config grace_period")


def test_reload_leaves_one_object_to_configure(shell: Shell) -> None:
    shell.ok("%reload_ext rtu_magics")
    ours = [c for c in shell.ip.configurables if type(c).__name__ == "RtuMagics"]
    assert len(ours) == 1
    shell.ok("%config RtuMagics.grace_period = 8")
    assert "  8  " in shell.ok("%rtu_config grace_period")


def test_loops_that_cannot_be_nested() -> None:
    class Loop:
        __module__ = "uvloop.loop"

    with pytest.raises(RTUError) as info:
        allow_nesting(Loop())
    assert str(info.value) == (
        "the event loop here is one of uvloop, which cannot be nested; write 'await …' instead of "
        "asyncio.run(…), or start the kernel without uvloop"
    )
    assert not hasattr(asyncio, "_nest_patched")


@pytest.mark.server
@pytest.mark.kernel
def test_default_session_and_grace(lab: Shell) -> None:
    with rtu_magics.connect("other.ipynb", say=lambda _: None, new=True):
        assert "%%rtu_add" in lab.ok("%rtu_cells")
        lab.ok("%%rtu_add\nx = 1")
        assert "x = 1" not in lab.ok("%rtu_cells -s lab")
        lab.ok("%rtu_config default_session lab")
        try:
            lab.ok("%%rtu_add\ny = 1")
            assert "y = 1" in lab.ok("%rtu_cells -s lab")
            found = MagicCompleter(lab.ip).match("%rtu_show ", "")["completions"]
            assert found[0].text == "1"
        finally:
            lab.ok('%rtu_config default_session ""')
    lab.ok("%rtu_config grace_period 0.3")
    lab.ok("%%rtu_exec -q\nimport time")  # the kernel runs before it is interrupted
    stubborn = (
        "%%rtu_exec\nimport time\nend = time.time() + 3\nwhile time.time() < end:\n"
        "    try:\n        time.sleep(0.1)\n    except KeyboardInterrupt:\n        pass"
    )
    threading.Timer(0.7, signal.raise_signal, [signal.SIGINT]).start()
    assert lab.line(stubborn) == (
        "KeyboardInterrupt: the remote cell did not stop within 0.3 s; stopped waiting; the remote "
        "cell still runs, %rtu_kernel interrupt stops it, %rtu_attach shows it again"
    )
    lab.ok("%rtu_config grace_period 5")
    assert lab.ok("%%rtu_exec\nprint('usable')") == "usable\n"


CLIENT = """
import asyncio, time
import rtu_magics
from rtu_magics.client import APIClient

known = rtu_magics.connect("nested.ipynb", new=True)

async def work():
    api = APIClient(known.api.authorization_token, known.api.api_base_url)
    client = await api.connect_realtime(await api.open_file("nested.ipynb"))
    cell = await client.add_cell(source="print('from', 'asyncio.run')")
    await client.shutdown()
    await api.aclose()
    return cell.id

cell_id = asyncio.run(work())
while cell_id not in known.client.cell_ids:  # another connection told the server
    time.sleep(0.01)
"""


@pytest.mark.server
@pytest.mark.kernel
def test_nested_asyncio_in_a_kernel(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    kernel = Kernel(work, dict(os.environ, IPYTHONDIR=str(tmp_path / "ipython")))
    try:
        kernel.ok("%load_ext rtu_magics\nimport sys")
        assert kernel.ok("print('nest_asyncio' in sys.modules)").text == "False\n"
        assert "cannot be called from a running event loop" in str(kernel.run(CLIENT).reply)
        assert "on" in kernel.ok("%rtu_config nested_asyncio on").text
        kernel.ok(CLIENT)
        # The magics go on working on their own thread, and the kernel, too.
        assert kernel.ok("%rtu_exec {cell_id}").text.endswith("from asyncio.run\n")
        kernel.ok("await asyncio.sleep(0)")
        assert kernel.run("%rtu_config nested_asyncio off").error_line == (
            "UsageError: asyncio stays patched until the kernel restarts; restart it to undo"
        )
        kernel.ok("%unload_ext rtu_magics")
    finally:
        kernel.close()
