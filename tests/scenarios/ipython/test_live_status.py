"""``%rtu_status --live``: the status in a terminal, kept up to date until Ctrl-C."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu_magics.session import connect

from .shells import Shell
from .terminals import Terminal

pytestmark = [pytest.mark.kernel, pytest.mark.server]

WAITS = """import pathlib, time
while not pathlib.Path('go').exists():
    time.sleep(0.02)"""
END = r"Ctrl-C ends this; the session stays"


def row(name: str, value: str) -> re.Pattern[str]:
    """Match a line of the picture, whatever its colours are."""
    return re.compile(rf"{name}\s+(\x1b\[[\d;]*m)*{value}")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


@pytest.fixture
def terminal(work: Path, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(work, tmp_path / "ipython", "xterm")
    yield terminal
    (work / "go").touch()  # also when a test fails
    terminal.child.sendintr()
    terminal.close()


def test_it_follows_the_session_until_ctrl_c(terminal: Terminal, work: Path) -> None:
    terminal.run("%load_ext rtu_magics")
    terminal.run("%rtu_connect lesson.ipynb --new")
    for source in (WAITS, "1 / 0", "'never run'"):
        terminal.run(f"%%rtu_add\n{source}\n")
    terminal.run("%rtu_exec --bg 1")
    terminal.send("%rtu_status --live")
    terminal.child.expect(row("connection", "live"))
    terminal.child.expect(row("notebook", "lesson.ipynb at 127"))
    terminal.child.expect(row("kernel", "python3 busy"))
    terminal.child.expect(row("cells", "◑ .*○ .*○ "))
    terminal.child.expect(END)
    # It changes in its place, with what others do, too.
    with_it = connect(str(work / "lesson.ipynb"), say=lambda line: None)
    try:
        queued = with_it.start("2")
        terminal.child.expect(row("cells", "◑ .*◔ .*○ "))
        (work / "go").touch()
        terminal.child.expect(row("kernel", "python3 idle"))
        terminal.child.expect(row("cells", "● .*✗ .*○ "))
        list(queued)  # until it has ended
    finally:
        with_it.close()
    terminal.child.sendintr()
    after = terminal.finish(10)
    assert "Traceback" not in after
    assert "KeyboardInterrupt" not in after
    assert "kernel      python3, idle" in terminal.run("%rtu_status")


def test_it_ends_with_the_session(lab: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtu_magics.session import sessions

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lab.ok("%rtu_connect other.ipynb --new")
    session = sessions.get("other")
    closing = threading.Timer(0.5, session.close)
    closing.start()
    try:
        text = lab.ok("%rtu_status --live -s other")
    finally:
        closing.join()
    assert not session.open
    assert "other.ipynb at 127" in text
    assert END in text


def test_what_is_no_terminal_has_it_once(lab: Shell) -> None:
    once = lab.ok("%rtu_status --live")
    assert once == lab.ok("%rtu_status --text")
    assert END not in once


def test_text_and_live_exclude_each_other(lab: Shell) -> None:
    line = lab.line("%rtu_status --text --live")
    assert line == "UsageError: --text and --live exclude each other"
