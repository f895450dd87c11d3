"""The main job in plain terminal IPython."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from .terminals import Terminal

pexpect = pytest.importorskip("pexpect")

pytestmark = [pytest.mark.kernel, pytest.mark.server]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    work = tmp_path / "work"
    work.mkdir()
    terminal = Terminal(work, tmp_path / "ipython")
    yield terminal
    terminal.close()


def test_the_main_job(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("%load_ext rtu_magics")
    assert "connected to lesson.ipynb as 'lesson': 0 cells" in terminal.run(
        "%rtu_connect lesson.ipynb --new"
    )
    added = terminal.run(
        "%%rtu_add\nimport time\nfor n in range(4):\n    print('line', n)\n    time.sleep(0.4)\n"
    )
    assert "added cell 1" in added
    assert "edited cell 1" in terminal.run(
        "%%rtu_edit 1\nimport time\nfor n in range(5):\n    print('line', n)\n    time.sleep(0.4)\n"
    )
    terminal.run("%%rtu_add\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\n")

    terminal.send("%rtu_exec --all")
    terminal.child.expect("line 0", timeout=60)
    terminal.child.expect("line 4", timeout=60)
    assert "Line2D" in terminal.finish()

    failed = terminal.run("%%rtu_exec\n1 / 0\n")
    assert "ZeroDivisionError" in failed
    assert re.search(
        r"RemoteCellError: cell 3 \(\w{8}\) raised ZeroDivisionError: division by zero", failed
    )
    assert "rtu_magics/" not in failed
    assert "kernel      python3, idle" in terminal.run("%rtu_status")

    terminal.send("%%rtu_exec\nimport time\nprint('begun')\ntime.sleep(60)\n")
    terminal.child.expect("begun", timeout=60)
    terminal.child.sendintr()
    assert "KeyboardInterrupt: the remote cell was interrupted" in terminal.finish(60)
    assert "still fine" in terminal.run("%%rtu_exec\nprint('still', 'fine')\n")

    assert "saved lesson.ipynb" in terminal.run("%rtu_save")
    notebook = nbformat.read(tmp_path / "work" / "lesson.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].outputs[0]["text"] == "".join(f"line {n}\n" for n in range(5))
    assert any("image/png" in output.get("data", {}) for output in notebook.cells[1].outputs)
    assert notebook.cells[2].outputs[0]["ename"] == "ZeroDivisionError"

    assert "UsageError: unrecognized arguments: --loud; see %rtu_cells?" in terminal.run(
        "%rtu_cells --loud"
    )


def test_remote_mode(terminal: Terminal) -> None:
    terminal.run("%load_ext rtu_magics")
    terminal.run("%rtu_connect lesson.ipynb --new")
    terminal.run("where = 'here'")
    assert "every following cell runs" in terminal.run("%rtu_remote on")
    assert "── on the remote kernel of lesson.ipynb (lesson) ──" in terminal.run("where = 'there'")
    # A statement of several lines can be typed: the prompt goes on until it is whole.
    terminal.child.sendline("for n in range(2):")
    terminal.child.expect(r"\.\.\.: ")
    terminal.child.sendline("    print(where, n * 11)")
    terminal.child.expect(r"\.\.\.: ")
    terminal.child.sendline("")
    assert "there 0\nthere 11" in terminal.finish()
    assert "cells run here again" in terminal.run("%rtu_remote off")
    assert "'here'" in terminal.run("where")


def test_pull_fills_the_prompt(tmp_path: Path) -> None:
    env = dict(os.environ, IPYTHONDIR=str(tmp_path / "ipython"), TERM="xterm")
    env["PROMPT_TOOLKIT_NO_CPR"] = "1"
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--colors=NoColor", "--no-banner", "--no-confirm-exit"],
        cwd=str(tmp_path),
        env=env,
        encoding="utf-8",
        timeout=60,
        dimensions=(50, 200),
    )
    try:
        child.expect(r"In \[\S*1\S*\]")
        child.send("%load_ext rtu_magics\r")
        child.expect(r"In \[\S*2\S*\]")
        child.send("%rtu_connect a.ipynb --new\r")
        child.expect("connected to a.ipynb")
        child.expect(r"In \[\S*3\S*\]")
        child.send("get_ipython().run_cell_magic('rtu_add', '-q', 'pulled_name = 1')\r")
        child.expect(r"In \[\S*4\S*\]")
        child.send("%rtu_pull 1\r")
        child.expect("is in the next cell")
        child.expect("rtu_edit")
        child.expect("pulled_name")
        child.sendcontrol("c")
        child.sendcontrol("d")
        child.expect(pexpect.EOF, timeout=20)
    finally:
        child.close(force=True)
