from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.errors import AmbiguousCell, CellNotFound
from rtu_magics.protocol import resolve_cell

CELLS = ["a1f0", "a2c4", "b7d2", "3e00"]


@pytest.mark.parametrize(
    ("ref", "cell_id"),
    [
        ("a2c4", "a2c4"),
        ("b", "b7d2"),
        ("a1", "a1f0"),
        ("1", "a1f0"),
        ("3", "b7d2"),  # a position before the beginning of an id
        ("4", "3e00"),
        ("+2", "a2c4"),
        ("-1", "3e00"),
        ("-4", "a1f0"),
        ("3e", "3e00"),
        (" b ", "b7d2"),
    ],
)
def test_names(ref, cell_id):
    assert resolve_cell(ref, CELLS) == cell_id


def test_a_whole_id_goes_before_a_position():
    assert resolve_cell("1", ["x", "y", "1"]) == "1"


def test_a_long_number_that_is_no_position_may_begin_an_id():
    assert resolve_cell("7712", ["771234", "b"]) == "771234"
    assert resolve_cell("77", ["77", "b"]) == "77"


def test_a_short_number_that_is_no_position_names_nothing():
    with pytest.raises(CellNotFound, match="no cell at position 77: positions are 1 to 2"):
        resolve_cell("77", ["771234", "b"])


def test_the_dot_is_the_cell_last_touched():
    assert resolve_cell(".", CELLS, "b7d2") == "b7d2"


@pytest.mark.parametrize(
    ("ref", "cells", "last", "message"),
    [
        (".", CELLS, None, "no cell was touched yet"),
        (".", CELLS, "gone", "has been deleted"),
        ("zz", CELLS, None, "%rtu_cells lists"),
        ("0", CELLS, None, "positions are 1 to 4, or -1 to -4"),
        ("5", CELLS, None, "positions are 1 to 4"),
        ("-5", CELLS, None, "positions are 1 to 4"),
        ("", CELLS, None, "no cell ''"),
        ("1", [], None, "the notebook is empty"),
    ],
)
def test_what_names_no_cell(ref, cells, last, message):
    with pytest.raises(CellNotFound) as caught:
        resolve_cell(ref, cells, last)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_ambiguous_prefix_names_the_candidates():
    with pytest.raises(AmbiguousCell, match="fits 2 cells \\(a1f0, a2c4\\): give more"):
        resolve_cell("a", CELLS)


def test_many_candidates_are_cut_short():
    with pytest.raises(AmbiguousCell, match=r"fits 9 cells .*, …"):
        resolve_cell("x", [f"x{i}" for i in range(9)])


@given(st.integers(1, 30), st.data())
def test_every_id_and_every_position_finds_its_cell(n, data):
    cells = [str(uuid4()) for _ in range(n)]
    index = data.draw(st.integers(0, n - 1))
    assert resolve_cell(cells[index], cells) == cells[index]
    assert resolve_cell(str(index + 1), cells) == cells[index]
    assert resolve_cell(str(index - n), cells) == cells[index]
