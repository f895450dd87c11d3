"""How far texts are the same."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.document.common import common_end, common_start

TEXT = st.text(alphabet="ab\n😀", max_size=12)


def counted(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@given(TEXT, TEXT, TEXT)
def test_both_ends_as_counted_one_by_one(same: str, one: str, other: str) -> None:
    for left, right in ((same + one, same + other), (one, other), (same, same)):
        assert common_start(left, right) == counted(left, right)
    for left, right in ((one + same, other + same), (one, other)):
        assert common_end(left, right) == counted(left[::-1], right[::-1])
