"""Looking back: changes, versions, restoring, renaming, the kernel's variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu_magics.session import Session, sessions

from .shells import Shell

pytestmark = [pytest.mark.server]


@pytest.fixture
def session(lab: Shell) -> Iterator[Session]:
    session = sessions.get("lab")
    session._undo.forget()
    yield session
    if session.path != "lab.ipynb":
        session.rename("lab.ipynb")


def test_history_says_who_did_what(lab: Shell, session: Session) -> None:
    lab.ok("%%rtu_add\nx = 1\ny = 2")
    lab.ok("%%rtu_add --type markdown\n# Title")
    lab.ok("%rtu_move 2 --first")
    lab.ok("%rtu_type 1 code")
    first, second = (view.id[:8] for view in session.cells())
    text = lab.ok("%rtu_history -n 4")
    clock = r"\d\d:\d\d:\d\d  you  "
    assert re.fullmatch(
        rf"{clock}added cell 2 \({second}\)\n    \+ x = 1\n    \+ y = 2\n"
        rf"{clock}added cell 1 \({first}\)\n    \+ # Title\n"
        rf"{clock}moved cell 1 \({first}\) to the top\n"
        rf"{clock}made cell 1 \({first}\) a code cell\n",
        text,
    ), text
    lab.ok("%rtu_delete 1")
    text = lab.ok(f"%rtu_history {first}")
    assert text.splitlines()[-2].endswith(f"deleted cell {first}")
    assert text.splitlines()[-1] == "    - # Title"
    assert "# Title" not in lab.ok("%rtu_history 1")


def test_what_is_not_there_is_one_line(lab: Shell, session: Session) -> None:
    assert lab.line("%rtu_history nothere").startswith("CellNotFound: no cell 'nothere'")
    assert lab.line("%rtu_rename ../x.ipynb").endswith("leads out of the directory that is served")
    assert lab.line("%rtu_vars") == (
        "KernelNotStarted: no remote kernel runs; %rtu_kernel start starts one"
    )
    assert "there is no version 'never'" in lab.line("%rtu_restore never")


def test_what_others_wrote_gives_no_orders_to_the_terminal(lab: Shell, session: Session) -> None:
    session.add("print('\x1b[2J\x07 gone')\n\u202eright to left")
    text = lab.ok("%rtu_history -n 1")
    assert "+ print('·[2J· gone')" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_restore_brings_back_and_loses_nothing(lab: Shell, session: Session) -> None:
    lab.ok("%%rtu_add\nkept = 1")
    saved = lab.ok('%rtu_save --name "before class"')
    number = re.fullmatch(r"saved lab\.ipynb as version (\d+) \(before class\)\n", saved)
    assert number is not None, saved
    lab.ok("%%rtu_edit 1\nspoiled = 1")
    lab.ok("%%rtu_add\nmore = 2")
    text = lab.ok('%rtu_restore "before class"')
    latest = re.fullmatch(
        rf"lab\.ipynb is what it was in version {number[1]} \(before class\); what it was until "
        r"now is version (\d+)\n",
        text,
    )
    assert latest is not None, text
    assert [view.cell.source for view in session.cells()] == ["kept = 1"]
    assert "there is nothing to undo" in lab.line("%rtu_undo")
    table = lab.ok("%rtu_versions")
    assert re.search(rf"^{number[1]} +before class +saved", table, re.M)
    lab.ok(f"%rtu_restore {latest[1]}")
    assert [view.cell.source for view in session.cells()] == ["spoiled = 1", "more = 2"]
    history = lab.ok("%rtu_history")
    assert re.search(rf"  you  saved: version {number[1]} \(before class\)$", history, re.M)
    assert re.search(
        rf"  you  restored: version \d+ \(Version {number[1]} restored\)$", history, re.M
    )
    lab.ok("%%rtu_edit 2\nmore = 3")  # and life goes on
    assert session.cell(2).source == "more = 3"


def test_rename_keeps_who_is_there(lab: Shell, session: Session) -> None:
    lab.ok("%%rtu_add\nx = 1")
    assert lab.ok("%rtu_rename week1/first.ipynb") == "lab.ipynb is now week1/first.ipynb\n"
    assert Path("week1/first.ipynb").exists()
    assert not Path("lab.ipynb").exists()
    lab.ok("%%rtu_edit 1\nx = 2")
    lab.ok("%rtu_save")
    assert "x = 2" in Path("week1/first.ipynb").read_text()
    assert "already connected" in lab.ok("%rtu_connect week1/first.ipynb")
    Path("taken.ipynb").write_text(Path("week1/first.ipynb").read_text())
    assert "taken.ipynb" in lab.line("%rtu_rename taken.ipynb")
    assert session.path == "week1/first.ipynb"


@pytest.mark.kernel
def test_variables(lab: Shell, session: Session) -> None:
    lab.ok("%%rtu_exec\nnumbers = list(range(1000))\nname = 'Ann'")
    table = lab.ok("%rtu_vars")
    assert re.search(r"^name +type +shape +size +value$", table, re.M)
    assert re.search(r"^name +str +\S* .*'Ann'$", table, re.M)
    assert re.search(r"^numbers +list +1000 +[\d.]+ kB +\[0, 1, 2", table, re.M)
    session.kernel_stop()


def test_history_goes_back_page_by_page(
    lab: Shell, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rtu_magics.session.ops import history

    monkeypatch.setattr(history, "_PAGE", 2)
    for number in range(6):
        session.add(f"cell_{number} = 0")
    everything = [change.after for change in session.history(limit=6)]
    assert everything == [f"cell_{number} = 0" for number in range(6)]
    (first,) = session.history(1)
    assert (first.what, first.after) == ("added", "cell_0 = 0")
    assert len(session.history(limit=3)) == 3
