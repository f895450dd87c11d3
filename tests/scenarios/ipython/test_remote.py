"""The mode in which cells run remotely."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtu_magics.ipython.magics.remote import stays_here
from rtu_magics.session import sessions

from .kernels import Kernel
from .shells import Shell

MARK = "── on the remote kernel of lab.ipynb (lab) ──\n"


@pytest.mark.parametrize(
    ("cell", "here"),
    [
        ("x = 1", False),
        ("%pip install rich", False),
        ("!ls", False),
        ("%%bash\nls", False),
        ("x = %timeit -o 1", False),
        ("rtu_total = 1", False),
        ("rtu_total", False),
        ("rtu_cells = 3", False),
        ("rtu_cells == 3", False),
        ("print('%rtu_show')", False),
        ("%load_extra", False),
        ("", True),
        ("\n# nothing\n", True),
        ("%rtu_show 3", True),
        ("%%rtu_exec\nx", True),
        ("# first\n\n  %rtu_show 3", True),
        ("x = %rtu_exec 3", True),
        ("%rtu_exec?", True),
        ("?%rtu_exec", True),
        ("rtu_cells", True),
        ("rtu_cells -s a", True),
        ("rtu_cells?", True),
        ("%load_ext other", False),
        ("%reload_ext other", False),
        ("%unload_ext other", False),
        ("%config RtuMagics", True),
    ],
)
def test_what_stays_here(cell: str, here: bool) -> None:
    assert stays_here(cell.splitlines(keepends=True), {"rtu_cells"}) is here


def test_needs_a_session(shell: Shell) -> None:
    before = list(shell.ip.input_transformers_cleanup)
    assert shell.line("%rtu_remote on") == (
        "SessionError: no session is open; %rtu_connect opens one"
    )
    assert shell.ip.input_transformers_cleanup == before
    assert shell.ok("%rtu_remote off") == "cells run here already\n"
    assert shell.ok("%rtu_remote") == (
        "cells run here; %rtu_remote on sends them to the remote kernel\n"
    )
    assert shell.line("%%rtu_remote on\nx") == (
        "UsageError: %%rtu_remote sends its body; write %rtu_remote on"
    )
    assert shell.line("%%rtu_remote\n \n") == (
        "UsageError: the body of %%rtu_remote is empty; write the code below the magic"
    )


@pytest.mark.server
@pytest.mark.kernel
def test_on_and_off(lab: Shell) -> None:
    before = list(lab.ip.input_transformers_cleanup)
    lab.ok("where = 'here'")
    lab.ok("%%rtu_exec -q\nimport sys")
    assert lab.ok("%rtu_remote on") == (
        "every following cell runs on the remote kernel of lab.ipynb ('lab'); %rtu_remote off ends "
        "that\n"
    )
    try:
        assert lab.ok("where = 'there'\nprint(where)") == f"{MARK}there\n"
        assert lab.ok("%rtu_remote") == "cells run on the remote kernel of session 'lab'\n"
        assert "where = 'there' …" in lab.ok("%rtu_cells")
        assert lab.ok("%rtu_remote on -q") == ""  # once more is once
        assert lab.ok("await __import__('asyncio').sleep(0); {'a': 1}['a']") == f"{MARK}1\n"
        text = "print('''two\nlines \\\\ %s''' % '{where} $where')"
        assert lab.ok(text) == f"{MARK}two\nlines \\ {{where}} $where\n"
        # Without a session in the end, nothing runs by accident where it was not meant to.
        ran = lab.run("1 / 0")
        assert MARK in ran.out
        assert "RemoteCellError" in ran.line
        sources = [v.cell.source for v in sessions.get("lab").cells()]
        assert "1 / 0" in sources
    finally:
        assert lab.ok("%rtu_remote off") == "cells run here again\n"
    assert lab.ip.input_transformers_cleanup == before
    assert lab.ok("print(where)") == "here\n"
    assert lab.ok("%%rtu_remote\nprint(where)") == f"{MARK}there\n"


@pytest.mark.server
@pytest.mark.kernel
def test_extensions_and_configuration_go_along(lab: Shell) -> None:
    lab.ok("%rtu_remote on")
    try:
        text = lab.ok("%load_ext autoreload\n%autoreload 2\nwhere = 'there'")
        assert MARK in text
        assert "autoreload" not in lab.ip.extension_manager.loaded
        assert "where" not in lab.ip.user_ns or lab.ip.user_ns["where"] != "there"
        lab.ok("%config InlineBackend.figure_format = 'svg'\nprint(where)")
        assert "note: this ran here" not in lab.ok("%rtu_cells")
        text = lab.ok("%rtu_cells\nlocal_two = 2")
        assert "note: this ran here, not on the remote kernel: local_two = 2\n" in text
        assert lab.ip.user_ns["local_two"] == 2
    finally:
        lab.ok("%rtu_remote off")


@pytest.mark.server
@pytest.mark.kernel
def test_session_that_is_gone(lab: Shell) -> None:
    lab.ok("%rtu_connect second.ipynb --new")
    lab.ok("%rtu_remote on")
    try:
        lab.ok("%rtu_disconnect -s second")
        assert lab.line("x = 'nowhere'") == (
            "SessionError: no session is called 'second'; open are: lab; %rtu_remote off runs "
            "cells here again"
        )
        assert "x" not in lab.ip.user_ns or lab.ip.user_ns["x"] != "nowhere"
    finally:
        lab.ok("%rtu_remote off")


def test_unload_ends_it(shell: Shell) -> None:
    before = list(shell.ip.input_transformers_cleanup)
    shell.ip.magics_manager.registry["RemoteMagics"].mode.on("any")
    shell.ok("%unload_ext rtu_magics")
    assert shell.ip.input_transformers_cleanup == before
    shell.ok("%load_ext rtu_magics")


@pytest.mark.server
@pytest.mark.kernel
def test_in_a_kernel(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    kernel = Kernel(work, dict(os.environ, IPYTHONDIR=str(tmp_path / "ipython")))
    mark = MARK.replace("lab", "a")
    try:
        kernel.ok("%load_ext rtu_magics\nimport os")
        kernel.ok("%rtu_connect a.ipynb --new\nprint(1)")
        kernel.ok("%rtu_remote on")
        assert kernel.ok("import os; print(os.getpid())", timeout=90).text.count(mark) == 1
        there = kernel.ok("print(os.getpid())").text.removeprefix(mark)
        # What a front end asks for itself is about this kernel.
        for options in ({"silent": True}, {"store_history": False}):
            kernel.finish(kernel.client.execute("asked = os.getpid()", **options))
        # The mark outlives the cell's own clearing.
        cleared = kernel.ok(
            "import time, IPython.display as d\n"
            "print('gone'); time.sleep(0.5); d.clear_output(wait=True); print('left')"
        )
        after = [m for m in cleared.messages if m[1] == "clear_output"][-1]
        rest = cleared.messages[cleared.messages.index(after) + 1 :]
        assert "".join(c["text"] for _, _, c in rest) == f"{mark}left\n"
        kernel.ok("%rtu_remote off")
        assert kernel.ok("print(asked)").text == kernel.ok("print(os.getpid())").text != there
        kernel.ok("%unload_ext rtu_magics")
    finally:
        kernel.close()


@pytest.mark.parametrize(
    ("cell", "here"),
    [
        ("%load_ext autoreload\n%autoreload 2\nx = 1", False),
        ("%config InlineBackend.figure_format = 'svg'", False),
        ("%reload_ext line_profiler", False),
        ("%matplotlib inline", False),
        ("load_ext autoreload", False),
        ("%load_ext rtu_magics", True),
        ("%config RtuMagics.progress_delay = 3", True),
        ("exit", False),
    ],
)
def test_what_is_about_the_kernel_that_computes(cell: str, here: bool) -> None:
    assert stays_here(cell.splitlines(keepends=True), {"rtu_cells"}) is here


def test_a_terminal_can_still_be_left() -> None:
    assert stays_here(["exit\n"], in_terminal=True)
    assert stays_here(["quit()\n"], in_terminal=True)
    assert not stays_here(["exit = 3\n"], in_terminal=True)
