"""Making one text of another by few changes."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.bridge.splices import splices


def spliced(old: str, new: str) -> str:
    data = old.encode()
    for start, end, text in splices(old, new):
        data = data[:start] + text.encode() + data[end:]
    return data.decode()


TEXT = st.text(st.sampled_from("ab \né😀e\u0301👨‍👩‍👧ß"), max_size=60)


@given(TEXT, TEXT)
def test_any_text_becomes_any_other(old: str, new: str) -> None:
    assert spliced(old, new) == new


@given(TEXT, TEXT, TEXT)
def test_what_is_common_at_both_ends_is_left_alone(head: str, tail: str, new: str) -> None:
    found = splices(head + tail, head + new + tail)
    assert sum(end - start for start, end, _ in found) == 0 or new == ""
    assert spliced(head + tail, head + new + tail) == head + new + tail


def test_changes_come_from_right_to_left_and_do_not_overlap() -> None:
    old = "import numpy as np\nx = np.arange(10)\nprint(x)\n"
    new = "import numpy as np\nxs = np.arange(20)\nprint(xs)\n"
    found = splices(old, new)
    assert len(found) == 3
    assert all(left.end <= right.start for right, left in pairwise(found))
    assert spliced(old, new) == new


@pytest.mark.parametrize("size", [3_000, 60_000])
def test_large_texts(size: int) -> None:
    chooser = random.Random(size)
    old = "\n".join("x" * chooser.randrange(30) for _ in range(size // 15))
    new = old.replace("xxxx\n", "yé\n", 40)
    assert spliced(old, new) == new
    assert spliced(old, "") == ""
    assert spliced("", old) == old
