"""An IPython shell in this process, with the magics loaded."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from .shells import Shell


@contextlib.contextmanager
def interactive_shell(home: Path) -> Iterator[InteractiveShell]:
    """A shell with the magics, taken away again at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(home))
        patch.delenv("RTU_TOKEN", raising=False)
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        InteractiveShell.clear_instance()
        ip = InteractiveShell.instance(config=config)
        ip.run_line_magic("load_ext", "rtu_magics")
        try:
            yield ip
        finally:
            ip.run_line_magic("unload_ext", "rtu_magics")
            atexit.unregister(ip.atexit_operations)
            InteractiveShell.clear_instance()


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    """A shell in an empty directory."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with interactive_shell(tmp_path / "ipython") as ip:
        yield Shell(ip, capsys)


@pytest.fixture(scope="module")
def lab_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """A shell that is connected to ``lab.ipynb``; one for all tests of a module."""
    work = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch, interactive_shell(work / "ipython") as ip:
        patch.chdir(work)
        result = ip.run_cell("%rtu_connect lab.ipynb --new")
        assert result.success
        yield ip


@pytest.fixture
def lab(lab_shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The connected shell, and the notebook emptied."""
    from rtu_magics.session import sessions

    for extra in [s for s in sessions if s.name != "lab"]:
        extra.close()
    session = sessions.get("lab")
    for view in session.cells():
        session.delete(view.id)
    return Shell(lab_shell, capsys)
