"""Three-way merging: exact where edits are apart, refused where they touch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.document.three_way import three_way

BASE = "import numpy\nx = 1\ny = 2\nprint(x)\n"


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged"),
    [
        (BASE, BASE.replace("x = 1", "x = 5"), BASE, BASE.replace("x = 1", "x = 5")),
        (
            BASE,
            BASE.replace("x = 1", "x = 5"),
            BASE.replace("y = 2", "y = 7"),
            BASE.replace("x = 1", "x = 5").replace("y = 2", "y = 7"),
        ),
        (BASE, BASE + "mine\n", "# theirs\n" + BASE, "# theirs\n" + BASE + "mine\n"),
        ("a b c", "x b c", "a b y", "x b y"),
        ("a b", "a c", "a c", "a c"),  # both made the same edit
        ("", "mine", "", "mine"),
    ],
)
def test_merges(base: str, mine: str, theirs: str, merged: str) -> None:
    assert three_way(base, mine, theirs) == merged


@pytest.mark.parametrize(
    ("base", "mine", "theirs"),
    [
        ("x = 1", "x = 2", "x = 3"),
        ("a\n", "a\nmine\n", "a\ntheirs\n"),
        ("", "mine", "theirs"),
        ("one two", "one", "one two three"),
    ],
)
def test_conflicts(base: str, mine: str, theirs: str) -> None:
    assert three_way(base, mine, theirs) is None
    assert three_way(base, theirs, mine) is None


texts = st.lists(st.sampled_from(["a", "bc", " ", "\n", "é", "🙂", "x1"]), max_size=12).map("".join)


@given(texts, texts)
def test_only_one_side_changed(base: str, other: str) -> None:
    assert three_way(base, other, base) == other
    assert three_way(base, base, other) == other
    assert three_way(base, other, other) == other


@given(texts, texts, texts)
def test_order_of_the_sides_is_no_matter(base: str, one: str, other: str) -> None:
    assert three_way(base, one, other) == three_way(base, other, one)


def test_long_texts_are_compared_by_line() -> None:
    base = "".join(f"line {n}\n" for n in range(2000))
    mine = base.replace("line 10\n", "line ten\n")
    theirs = base.replace("line 1990\n", "")
    assert three_way(base, mine, theirs) == mine.replace("line 1990\n", "")


def test_texts_whose_lines_are_all_alike_are_merged_without_comparing_each_with_each() -> None:
    base = "\n" * 60_000
    mine, theirs = "x = 1\n" + base, base + "y = 1\n"
    assert three_way(base, mine, theirs) == f"x = 1\n{base}y = 1\n"
    # Both in the middle of it, at places far apart: which of the lines stayed would be a guess.
    left, right = "\n" * 20_000, "\n" * 40_000
    many = left + "a\n" + left + "b\n" + left
    assert three_way(base, many, left + "c\n" + right) is None
    assert three_way(base, many, many) == many
