"""Cells of a file that names them anew, taken for the cells that they were."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from rtu_magics.models import CodeCell, Notebook
from rtu_magics.server.file.merge import name_cells
from rtu_magics.server.file.snapshot import base_of


def _notebook(sources: Sequence[str], prefix: str) -> Notebook:
    cells = [CodeCell(id=f"{prefix}{at}", source=text) for at, text in enumerate(sources)]
    return Notebook(nbformat=4, nbformat_minor=5, cells=cells)


def _named(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """Return for every new cell, none of which has an id in the file, the place of its old one."""
    notebook = _notebook(new, "new")
    name_cells(notebook, [None] * len(new), base_of(_notebook(old, "old")))
    return [
        int(cell.id.removeprefix("old")) if cell.id.startswith("old") else None
        for cell in notebook.cells
    ]


_sources = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=9)


@given(_sources, _sources)
@example(["a", "a", "b"], ["b", "a", "a"])
def test_cells_keep_their_order_and_none_is_two(old: list[str], new: list[str]) -> None:
    found = [place for place in _named(old, new) if place is not None]
    assert found == sorted(set(found))


@given(_sources)
def test_what_did_not_change_keeps_every_name(sources: list[str]) -> None:
    assert _named(sources, sources) == list(range(len(sources)))


@given(_sources, st.data())
def test_cells_keep_their_names_around_a_new_one(sources: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sources)))
    found = _named(sources, [*sources[:place], "new", *sources[place:]])
    assert found == [*range(place), None, *range(place, len(sources))]


@given(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True), st.data())
def test_a_cell_of_another_source_keeps_its_name(sources: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sources) - 1))
    new = [*sources[:place], "new", *sources[place + 1 :]]
    assert _named(sources, new) == list(range(len(sources)))


def _calls(number: int) -> int:
    """Return how many functions are called for a number of cells, all alike."""
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    notebook, base = _notebook(["x"] * number, "new"), base_of(_notebook(["x"] * number, "old"))
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        name_cells(notebook, [None] * number, base)
    finally:
        sys.setprofile(before)
    return calls


def test_cells_that_are_all_alike_take_no_longer_than_their_number() -> None:
    assert _calls(4_000) < 5 * _calls(1_000)
