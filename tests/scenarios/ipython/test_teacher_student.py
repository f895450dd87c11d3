"""A teacher and a student, each in a kernel of their own: invited, refused, let in, shown out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...helpers.cli import ready_line, serving
from .kernels import CellRun, Kernel

pytestmark = [pytest.mark.server, pytest.mark.kernel]

JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[Kernel, Kernel, str]]:
    """Their kernels, connected to nothing, and the address of a notebook that is served."""
    served, home = tmp_path / "served", tmp_path / "home"
    served.mkdir()
    home.mkdir()
    env = {key: value for key, value in os.environ.items() if key != "RTU_TOKEN"}
    env["IPYTHONDIR"] = str(tmp_path / "ipython")
    with serving("lesson.ipynb", "--new", "--json", cwd=served) as process:
        server = ready_line(process)
        teacher = Kernel(home, {**env, "RTU_TOKEN": server["token"]})
        student = Kernel(home, env)
        try:
            for kernel in (teacher, student):
                kernel.ok("%load_ext rtu_magics")
            yield teacher, student, server["link"]
        finally:
            teacher.close()
            student.close()


def until(kernel: Kernel, code: str, text: str) -> CellRun:
    """Run a cell until it says something, which another one's cell has set off."""
    deadline = time.monotonic() + 20
    while True:
        run = kernel.run(code)
        if text in run.text:
            return run
        assert time.monotonic() < deadline, run.text
        time.sleep(0.05)


def test_invited_refused_let_in_and_shown_out(people: tuple[Kernel, Kernel, str]) -> None:
    teacher, student, address = people
    assert "connected to lesson.ipynb" in teacher.ok(f"%rtu_connect {address}").text
    teacher.ok("%%rtu_add\nanswer = 6 * 6\nanswer")
    text = teacher.ok("%rtu_share --name Ann --expires 1h").text
    link = re.search(r"%rtu_connect (\S+)", text)
    assert link is not None, text

    joined = student.ok(f"%rtu_connect {link[1]}")
    assert "1 cell" in joined.text
    assert "you are a viewer here: you can read" in joined.text
    edit = "%%rtu_edit 1\nanswer = 6 * 7\nanswer"
    assert student.run(edit).error_line == (
        "PermissionDenied: you are a viewer here; to edit, ask an owner to make you a contributor"
    )
    assert "to run cells, ask an owner to make you an" in student.run("%rtu_exec 1").error_line
    assert "answer = 6 * 6" in teacher.ok("%rtu_show 1").text
    assert re.search(r"^Ann +viewer +cell 1 \(", until(teacher, "%rtu_who", "Ann").text, re.M)

    teacher.ok("%rtu_share --change Ann --role contributor")
    until(student, "%rtu_cells", "note: you are a contributor here now")
    assert "edited cell 1" in student.ok(edit).text
    assert "42" in student.ok("%rtu_exec 1").bundles("text/plain")
    until(teacher, "%rtu_show 1", "answer = 6 * 7")
    history = teacher.ok("%rtu_history").text
    assert re.search(r"Ann\S*  edited cell 1 \(", history), history
    assert "- answer = 6 * 6" in history
    assert "+ answer = 6 * 7" in history

    teacher.ok("%rtu_revoke Ann")
    said = until(student, "%rtu_cells", "note: ")
    assert "ask an owner" in said.text
    assert student.run("%rtu_cells").status == "error"
    assert "ask an owner" in student.run(edit).error_line
    again = student.run(f"%rtu_connect {link[1]}")
    assert again.error_line == (
        "AuthenticationFailed: the invitation was revoked; ask an owner for a new one"
    )
    assert not JWT.search(again.text + joined.text + said.text)
    assert "Ann" not in teacher.ok("%rtu_who").text
    assert "answer = 6 * 7" in teacher.ok("%rtu_show 1").text
