"""A notebook that nobody sits at (nbconvert, papermill) is told that the token is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ...helpers.cli import ready_line, serving

pytestmark = [pytest.mark.server, pytest.mark.kernel]

MISSING = "needs a token: set the environment variable RTU_TOKEN or give --token"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The address of a notebook on a server that wants a token, which nobody knows."""
    monkeypatch.delenv("RTU_TOKEN", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with serving("lesson.ipynb", "--new", "--json", cwd=tmp_path) as process:
        yield f"{ready_line(process)['url']}tree/lesson.ipynb"


def test_nbclient_asks_nothing(address: str, tmp_path: Path) -> None:
    cells = ["%load_ext rtu_magics", f"%rtu_connect {address}", "print('not reached')"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    with pytest.raises(CellExecutionError):
        client.execute()
    shown = "".join(
        o.get("text", "") + "".join(o.get("traceback", [])) for o in book.cells[1].outputs
    )
    assert MISSING in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("given", ["", "print('after')\n"], ids=["as an argument", "as a script"])
def test_ipython_without_a_terminal(address: str, tmp_path: Path, given: str) -> None:
    lines = f"%load_ext rtu_magics\n%rtu_connect {address}\n"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", *([] if given else ["-c", lines])],
        input=lines + given if given else None,
        stdin=None if given else subprocess.DEVNULL,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert MISSING in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if given:
        assert "after" in done.stdout
