"""What other threads see of the document while the loop squashes into it.

The interleavings are forced: a change is made at a chosen point *within* a read, as a thread switch
there would let the loop make it; and then two threads race with switches as often as they go.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.document import NotebookBuilder, still_cell
from rtu_magics.document.order import CellOrder
from rtu_magics.errors import CellNotFound
from rtu_magics.models import CodeCell, Notebook
from rtu_magics.session import background, on_loop, stop_background
from rtu_magics.session.positions import LatestPositions, Positions

FILE_ID = uuid4()


def add(cell_id: str, after: str | None) -> m.FileDeltaBase:
    new = {"id": cell_id, "cell": {"cell_type": "code"}, "after_id": after}
    return m.NBCellsAdd(file_id=FILE_ID, properties=new)


def delete(cell_id: str) -> m.FileDeltaBase:
    return m.NBCellsDelete(file_id=FILE_ID, properties={"id": cell_id})


def move(cell_id: str, after: str | None) -> m.FileDeltaBase:
    return m.NBCellsMove(file_id=FILE_ID, properties={"id": cell_id, "after_id": after})


def retype(cell_id: str) -> m.FileDeltaBase:
    new = {"type": "markdown", "language": None}
    return m.CellMetadataReplace(file_id=FILE_ID, resource_id=cell_id, properties=new)


CHANGES: dict[str, Callable[[], m.FileDeltaBase]] = {
    "add": lambda: add("new", "b"),
    "add on top": lambda: add("new", None),
    "delete": lambda: delete("c"),
    "move down": lambda: move("a", "d"),
    "move up": lambda: move("e", None),
    "type": lambda: retype("c"),
}


def lesson() -> NotebookBuilder:
    return NotebookBuilder(Notebook(cells=[CodeCell(id=i, source=i) for i in "abcde"]))


class Client:
    """What positions need of a client."""

    def __init__(self, builder: NotebookBuilder) -> None:
        self.builder = builder


@pytest.fixture
def change_within_walk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a change happen when a walk through the cells has come to one of them, once."""

    def arrange(at: int, change: Callable[[], None]) -> None:
        plain = CellOrder.__iter__
        waiting = [change]

        def walk(order: CellOrder) -> Iterator[Any]:
            for index, cell in enumerate(plain(order)):
                if index == at and waiting:
                    waiting.pop()()
                yield cell

        monkeypatch.setattr(CellOrder, "__iter__", walk)

    return arrange


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_within_a_read(
    name: str, at: int, change_within_walk: Callable[..., None]
) -> None:
    builder, expected = lesson(), lesson()
    delta = CHANGES[name]()
    before = expected.cell_ids
    expected.apply_delta(delta)
    after = expected.cell_ids
    builder.apply_delta(move("a", None))  # what was known of the order is out of date
    change_within_walk(at, lambda: builder.apply_delta(delta))

    assert builder.cell_ids in (before, after)
    assert builder.cell_ids == after, "and no older order is kept for the next reader"
    assert [builder.index_of(cell_id) for cell_id in after] == list(range(len(after)))
    assert [cell.cell_type for cell in builder.cells] == [c.cell_type for c in expected.cells]


@pytest.mark.parametrize("name", CHANGES)
def test_an_older_order_kept_after_a_newer_one_is_not_believed(name: str) -> None:
    builder = lesson()
    assert builder.cell_ids
    stale = builder._last_view
    builder.apply_delta(CHANGES[name]())
    now = builder.cell_ids
    builder._last_view = stale  # what a thread does that was suspended just before
    assert builder.cell_ids == now
    assert [builder.index_of(cell_id) for cell_id in now] == list(range(len(now)))


def test_a_cell_that_goes_while_its_place_is_asked_for_is_not_found_in_words(
    change_within_walk: Callable[..., None],
) -> None:
    builder = lesson()
    builder.apply_delta(move("b", None))
    change_within_walk(4, lambda: builder.apply_delta(delete("c")))
    with pytest.raises(CellNotFound, match="'c' was deleted"):
        builder.index_of("c")


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads switch as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def race(squash: Callable[[int], None], read: Callable[[], None], rounds: int = 400) -> None:
    """Squash on one thread while another reads, until there is nothing left to squash."""
    over = threading.Event()
    failed: list[BaseException] = []

    def reader() -> None:
        try:
            while not over.is_set():
                read()
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for n in range(rounds):
            squash(n)
            if failed:
                break
    finally:
        over.set()
        thread.join(60)
    if failed:
        raise failed[0]


@pytest.mark.usefixtures("often")
def test_readers_see_each_cell_once_while_others_are_moved() -> None:
    builder = NotebookBuilder(Notebook(cells=[CodeCell(id=f"c{n}") for n in range(30)]))
    everything = sorted(builder.cell_ids)

    def squash(n: int) -> None:
        builder.apply_delta(move(f"c{n % 30}", f"c{(n * 7 + 1) % 30}" if n % 3 else None))

    def read() -> None:
        assert sorted(builder.cell_ids) == everything
        assert builder.index_of("c3") >= 0
        at, cell = builder.get_cell("c4")
        assert cell.id == "c4"
        assert 0 <= at < 30

    def squash_unless_itself(n: int) -> None:
        if (n * 7 + 1) % 30 != n % 30 or not n % 3:
            squash(n)

    race(squash_unless_itself, read)
    assert sorted(builder.cell_ids) == everything


@pytest.mark.usefixtures("often")
def test_positions_are_whole_while_cells_come_and_go() -> None:
    builder = lesson()
    positions = LatestPositions(Client(builder))  # type: ignore[arg-type]
    numbers = itertools.count()

    def squash(n: int) -> None:
        name = f"n{next(numbers)}"

        def change() -> None:
            builder.apply_delta(add(name, "b"))
            if n % 2:
                builder.apply_delta(move("e", "a"))
            builder.apply_delta(delete(name))

        on_loop(change)

    def read() -> None:
        found = positions()
        assert set("abcde") <= set(found.ids)
        assert len(set(found.ids)) == len(found.ids)
        assert [found.index[i] for i in found.ids] == list(range(len(found.ids)))
        assert found.label("c").endswith(" (c)")

    assert background().loop.is_running()  # from here on its thread is what squashes
    try:
        race(squash, read, rounds=150)
        assert positions().ids == tuple(builder.cell_ids)
    finally:
        stop_background()


def test_positions_are_read_on_the_loop_and_only_when_the_order_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder = lesson()
    client = Client(builder)
    positions = LatestPositions(client)  # type: ignore[arg-type]
    walks: list[str] = []
    plain = CellOrder.__iter__

    def walk(order: CellOrder) -> Iterator[Any]:
        walks.append(threading.current_thread().name)
        return plain(order)

    monkeypatch.setattr(CellOrder, "__iter__", walk)
    loop = background().loop
    try:
        assert loop.is_running()
        first = positions()
        assert walks == ["rtu-magics"]
        builder.apply_delta(
            m.CellContentsReplace(file_id=FILE_ID, resource_id="a", properties={"source": "x"})
        )
        assert positions() is first, "an edit within a cell makes no new ones"
        builder.apply_delta(add("new", "a"))
        assert positions().ids == ("a", "new", "b", "c", "d", "e")
        assert first.ids == tuple("abcde"), "what somebody holds is not changed"
        client.builder = lesson()
        assert positions().ids == tuple("abcde"), "another copy of the notebook is another one"
        assert set(walks) == {"rtu-magics"}
    finally:
        stop_background()
    builder.apply_delta(delete("new"))
    assert positions().ids == tuple("abcde"), "without a loop nothing moves: read at once"


def test_a_cell_that_is_handed_out_stands_still() -> None:
    builder = NotebookBuilder(
        Notebook(cells=[CodeCell(id="a", source="x = 1", metadata={"tags": ["t"]})])
    )
    still = still_cell(builder.cell("a"))
    for delta in (
        m.CellContentsReplace(file_id=FILE_ID, resource_id="a", properties={"source": "y"}),
        m.CellMetadataUpdate(
            file_id=FILE_ID, resource_id="a", properties={"path": ["name"], "value": "n"}
        ),
        m.CellMetadataUpdate(
            file_id=FILE_ID, resource_id="a", properties={"path": ["tags"], "value": []}
        ),
        retype("a"),
    ):
        builder.apply_delta(delta)
    assert (still.source, still.metadata, still.cell_type) == ("x = 1", {"tags": ["t"]}, "code")


def test_labels() -> None:
    positions = Positions(("0123456789ab", "0123456799ab", "1"))
    assert positions.label("0123456799ab") == "2 (012345679)"
    assert positions.label("1") == "3 (1)"
    assert positions.label("gone-and-its-id-is-long") == "gone-and"
