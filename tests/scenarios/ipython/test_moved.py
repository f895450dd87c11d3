"""A session goes where its notebook goes, and a name means what lies there now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

import rtu_magics
from rtu_magics.session import Session, sessions

from .shells import Shell

pytestmark = [pytest.mark.server]


def write(path: Path, source: str) -> None:
    cell = nbformat.v4.new_code_cell(source)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def eventually(check: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def hw(shell: Shell) -> Iterator[Session]:
    write(Path("hw.ipynb"), "mine = 1")
    shell.ok("%rtu_connect hw.ipynb")
    yield sessions.get("hw")
    for session in list(sessions):
        session.close()


def test_renamed_by_another_program(shell: Shell, hw: Session) -> None:
    Path("hw.ipynb").rename("hw-ann.ipynb")
    write(Path("hw.ipynb"), "theirs = 2")
    text = shell.ok("%rtu_connect hw.ipynb")
    assert "already connected" not in text
    assert "connected to hw.ipynb as 'hw-2'" in text
    assert hw.path == "hw-ann.ipynb"
    assert hw.local_path == Path("hw-ann.ipynb").resolve()
    assert shell.ok("%rtu_show 1").find("theirs = 2") >= 0
    shell.ok("%%rtu_add\nnew = 3")
    shell.ok("%rtu_save")
    assert "new = 3" in Path("hw.ipynb").read_text()
    assert "new = 3" not in Path("hw-ann.ipynb").read_text()
    table = shell.ok("%rtu_sessions")
    assert "hw-ann.ipynb" in table
    assert "already connected to hw-ann.ipynb as 'hw'" in shell.ok("%rtu_connect hw-ann.ipynb")


def test_renamed_by_somebody_else(shell: Shell, hw: Session) -> None:
    with rtu_magics.connect(f"{hw.server_url}/rtu/f/{hw.file.id}", name="b") as other:
        other.rename("week1/hw.ipynb")
    eventually(lambda: hw.path == "week1/hw.ipynb")
    assert "hw.ipynb has been renamed, it is week1/hw.ipynb now" in shell.ok(
        "%rtu_status -s hw"
    ) + shell.ok("%rtu_cells -s hw")
    assert "already connected to week1/hw.ipynb" in shell.ok("%rtu_connect week1/hw.ipynb")
    assert "did you mean week1/hw.ipynb?" in shell.line("%rtu_connect hw.ipynb")
    assert shell.ok("%rtu_share --name Ann").count(str(hw.file.id)) == 1


def test_two_sessions_swap(shell: Shell, hw: Session) -> None:
    write(Path("other.ipynb"), "other = 1")
    shell.ok("%rtu_connect other.ipynb")
    other = sessions.get("other")
    Path("hw.ipynb").rename("x")
    Path("other.ipynb").rename("hw.ipynb")
    Path("x").rename("other.ipynb")
    assert "already connected to hw.ipynb as 'other'" in shell.ok("%rtu_connect hw.ipynb")
    assert "already connected to other.ipynb as 'hw'" in shell.ok("%rtu_connect other.ipynb")
    assert (hw.path, other.path) == ("other.ipynb", "hw.ipynb")


def test_deleted_and_made_anew(shell: Shell, hw: Session) -> None:
    Path("hw.ipynb").unlink()
    write(Path("hw.ipynb"), "fresh = 1")
    shell.ok("%rtu_connect hw.ipynb")
    assert "fresh = 1" in shell.ok("%rtu_show 1")


def test_a_rename_of_ones_own_is_no_news(shell: Shell, hw: Session) -> None:
    shell.ok("%rtu_rename ./later.ipynb")
    assert hw.path == "later.ipynb"
    assert "renamed" not in shell.ok("%rtu_cells")
