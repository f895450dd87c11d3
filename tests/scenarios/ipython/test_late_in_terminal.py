"""What remote cells put out late, and what their replies ask, in plain terminal IPython."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .terminals import Terminal

pytestmark = [pytest.mark.kernel, pytest.mark.server]

LATE = """%%rtu_exec
import asyncio, os
async def work():
    while not os.path.exists("gate"): await asyncio.sleep(0.05)
    print("late", "text")
task = asyncio.get_running_loop().create_task(work())
print("in time")
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    work = tmp_path / "work"
    work.mkdir()
    terminal = Terminal(work, tmp_path / "ipython")
    terminal.run("%load_ext rtu_magics")
    terminal.run("%rtu_connect late.ipynb --new")
    yield terminal
    terminal.close()


def test_late_text_appears_and_the_prompt_goes_on(terminal: Terminal, tmp_path: Path) -> None:
    assert "in time" in terminal.run(LATE)
    (tmp_path / "work" / "gate").touch()
    terminal.child.expect("late text", timeout=60)
    assert "42" in terminal.run("6 * 7")
    assert "late text" in terminal.run("%rtu_show -1")


def test_help_and_code_for_the_next_cell(terminal: Terminal) -> None:
    assert "number of items" in terminal.run("%%rtu_exec\nlen?\n")
    missing = terminal.run("%%rtu_exec\n%load missing_file.py\n")
    assert "missing_file.py" in missing
    assert "rtu_magics/" not in missing, missing
