"""A cell that was edited since it ran says so, for everybody and after a restart."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import rtu_magics
from rtu_magics.session import sessions

from ...helpers.cli import ready_line, serving
from .kernels import Kernel
from .shells import Shell

pytestmark = [pytest.mark.server, pytest.mark.kernel]


def test_edited_since_it_ran(lab: Shell) -> None:
    session = sessions.get("lab")
    lab.ok("%%rtu_exec\nprint(1)")
    lab.ok("%%rtu_exec\nprint(2)")
    assert "changed since" not in lab.ok("%rtu_cells")
    lab.ok("%%rtu_edit 1\nprint(10)")
    assert re.search(r"^1 .*ok, changed since \[\d+\] .*print\(10\)", lab.ok("%rtu_cells"), re.M)
    assert "changed since they ran: 1" in lab.ok("%rtu_status --text")
    assert [view.is_outdated for view in session.cells()] == [True, False]
    with rtu_magics.connect("lab.ipynb", name="late", say=lambda _: None) as late:
        assert [view.is_outdated for view in late.cells()] == [True, False]
        late.edit(1, "print(1)")  # back again: the output is of this very text
        assert [view.is_outdated for view in late.cells()] == [False, False]
    lab.ok("%rtu_show 1")
    lab.ok("%%rtu_edit 1\nprint(3)")
    lab.ok("%rtu_exec 1")
    assert "changed since" not in lab.ok("%rtu_cells")


def test_after_a_restart_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for again in (False, True):
        with serving(".", "--json", cwd=tmp_path) as process:
            ready_line(process)
            with rtu_magics.connect("lesson.ipynb", new=True, say=lambda _: None) as session:
                if not again:
                    ran = [session.add(f"print({n})").id for n in range(2)]
                    for cell_id in ran:
                        session.run(cell_id)
                    session.edit(ran[0], "print(10)")
                assert [view.is_outdated for view in session.cells()] == [True, False]


def test_a_failed_one_too(lab: Shell) -> None:
    lab.line("%%rtu_exec\n1 / 0")
    lab.ok("%%rtu_edit -1\n1 / 1")
    assert "failed, changed since" in lab.ok("%rtu_cells")


def test_the_same_local_cell_is_the_same_remote_one(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    kernel = Kernel(work, dict(os.environ, IPYTHONDIR=str(tmp_path / "ipython")))

    def cell(code: str, cell_id: str) -> str:
        message = kernel.client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            },
            metadata={"cellId": cell_id},
        )
        kernel.client.shell_channel.send(message)
        run = kernel.finish(message["header"]["msg_id"], timeout=120)
        assert run.status == "ok", (run.text, run.reply)
        return run.text

    def sources() -> list[str]:
        text = kernel.ok(
            "print([v.cell.source for v in rtu_magics.session.sessions.get().cells()])"
        )
        found: list[str] = eval(text.text)
        return found

    try:
        kernel.ok("%load_ext rtu_magics\nimport rtu_magics, rtu_magics.session")
        kernel.ok("%rtu_connect a.ipynb --new --no-widget")
        assert cell("%%rtu_exec\nx = 1\nprint(x)", "one").endswith("1\n")
        assert cell("%%rtu_exec\nprint('other')", "two") == "other\n"
        assert cell("%%rtu_exec\nx = 2\nprint(x)", "one") == "2\n"
        assert sources() == ["x = 2\nprint(x)", "print('other')"]
        assert cell("%%rtu_exec\nx = 2\nprint(x)", "one") == "2\n"
        assert len(sources()) == 2
        kernel.ok("%rtu_delete 1")
        assert cell("%%rtu_exec\nx = 3\nprint(x)", "one") == "3\n"
        assert sources() == ["print('other')", "x = 3\nprint(x)"]
        loop = "for n in range(2): get_ipython().run_cell_magic('rtu_exec', '', f'print({n})')"
        assert cell(loop, "three") == "0\n1\n"
        assert sources()[2:] == ["print(0)", "print(1)"]
        cell("%%rtu_exec --cell 1\nprint('replaced')", "four")
        assert sources()[0] == "print('replaced')"
        # A front end that does not say which cell it is: one line says what came of it.
        kernel.ok("%%rtu_exec\nprint('again')")
        text = kernel.ok("%%rtu_exec\nprint('again')").text
        assert re.search(r"note: this text made cell 5 \(\w+\) before, and another cell now", text)
        kernel.ok("%rtu_remote on")
        cell("y = 1", "five")
        cell("y = 2", "five")
        kernel.ok("%rtu_remote off")
        assert sources()[-1] == "y = 2"
        assert "y = 1" not in sources()
    finally:
        kernel.close()
