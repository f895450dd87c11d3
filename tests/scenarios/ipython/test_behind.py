"""What somebody else has just made is there for whoever names it."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rtu_magics
from rtu_magics.errors import CellNotFound
from rtu_magics.session import Session, sessions

from .shells import Shell

pytestmark = [pytest.mark.server]


@pytest.fixture
def student(lab: Shell) -> Iterator[Session]:
    teacher = sessions.get("lab")
    invite = teacher.share("contributor", name="Ada")
    with rtu_magics.connect(invite.url, name="student", say=lambda _: None) as session:
        yield session


def test_shown_right_after_it_was_added(lab: Shell, student: Session) -> None:
    for n in range(40):
        lab.ok(f"%%rtu_add -s lab\nnumber = {n}")
        assert f"number = {n}" in lab.ok(f"%rtu_show {n + 1} -s student")
        lab.ok(f"%%rtu_add -s lab\nlast = {n}")
        assert f"last = {n}" in lab.ok("%rtu_show -1 -s student")
        lab.ok("%rtu_delete -1 -s lab")
        assert len(student.cells()) == n + 1


def test_by_its_id_and_as_a_neighbour(lab: Shell, student: Session) -> None:
    teacher = sessions.get("lab")
    for n in range(20):
        cell = teacher.add(f"a{n} = 0")
        assert student.resolve(cell.id) == cell.id
        cell = teacher.add(f"b{n} = 0")
        below = student.add("below", after=cell.id)
        assert teacher.cells()[-1].id == below.id
        cell = teacher.add(f"c{n} = 0")
        student.edit(cell.id[:12], f"c{n} = 1")
        assert teacher.cell(-1).source == f"c{n} = 1"
    with pytest.raises(CellNotFound):
        student.resolve("nothing")


def test_all_of_a_notebook_that_was_empty(lab: Shell, student: Session) -> None:
    teacher = sessions.get("lab")
    for n in range(10):
        for view in teacher.cells():
            teacher.delete(view.id)
        cell = teacher.add(f"print({n})")
        assert student.select(run_all=True) == [cell.id]


def test_ranges(lab: Shell) -> None:
    session = sessions.get("lab")
    ids = [session.add(f"n = {n}").id for n in range(5)]
    assert session.resolve_all(["2-4"]) == ids[1:4]
    assert session.resolve_all(["1,3-4", "-1"]) == [ids[0], ids[2], ids[3], ids[4]]
    for ref, words in {
        "4-2": "write 2-4",
        "2:4": "write 2-4 for the cells",
        "2-9": "no cell at position 6",
    }.items():
        with pytest.raises(CellNotFound, match=words):
            session.resolve_all([ref])
    assert "names several cells" in lab.line("%rtu_show 2-3")
    assert "names several cells" in lab.line("%rtu_delete 2,3")
    lab.ok("%rtu_clear 2-3")


@pytest.mark.kernel
def test_a_range_runs(lab: Shell) -> None:
    for n in range(4):
        lab.ok(f"%%rtu_add\nprint('cell', {n})")
    lab.ok("%rtu_kernel start")
    text = lab.ok("%rtu_exec -q 2-3")
    assert text == "cell 1\ncell 2\n"
    assert Path("lab.ipynb").exists()


@pytest.mark.kernel
def test_what_a_position_names_runs_whatever_was_put_above_it(lab: Shell, student: Session) -> None:
    teacher = sessions.get("lab")
    for view in teacher.cells():
        teacher.delete(view.id)
    lab.ok("%rtu_kernel start -s lab")
    for n in range(15):
        teacher.add(f"print('last', {n})")
        assert lab.ok("%rtu_exec -q -1 -s student") == f"last {n}\n"
        teacher.add(f"print('first', {n})", first=True)
        assert lab.ok("%rtu_exec -q 1 -s student") == f"first {n}\n"


def test_connecting_again_tells_how_many_cells_there_are_now(lab: Shell) -> None:
    session = sessions.get("lab")
    assert "0 cells" in lab.ok("%rtu_connect lab.ipynb --no-widget")
    session.add("1")
    assert "1 cell, kernel" in lab.ok("%rtu_connect lab.ipynb --no-widget")
    with rtu_magics.connect("lab.ipynb", name="other", say=lambda _: None) as other:
        other.add("2")
        other.add("3")
    deadline = time.monotonic() + 20
    while len(session.cells()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    text = lab.ok("%rtu_connect lab.ipynb --no-widget")
    assert "already connected to lab.ipynb as 'lab'" in text
    assert "3 cells" in text


def refused(make: Callable[[], object]) -> bool:
    try:
        make()
    except Exception:
        return True
    return False


def test_a_view_that_could_not_be_made_leaves_nothing(
    lab: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rtu_magics.widgets import History, Mirror

    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: left.append(found.exc_value))
    session, bad = sessions.get("lab"), object()
    lab.line("%rtu_mirror 99")
    assert refused(lambda: Mirror(session, ["99"]))
    assert refused(lambda: Mirror(session, height=bad))  # type: ignore[arg-type]
    assert refused(lambda: History(session, 0))
    gc.collect()
    assert left == []
