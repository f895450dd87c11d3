"""Which entries of a list may stay where they are when it is put into another order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["longest_rising"]


def longest_rising(numbers: Sequence[int]) -> set[int]:
    """Return the members of a longest rising subsequence.

    Examples
    --------
    >>> sorted(longest_rising([3, 0, 1, 4, 2]))
    [0, 1, 2]
    """
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = [-1] * len(numbers)
    for at, number in enumerate(numbers):
        place = bisect_left(tails, number)
        before[at] = ends[place - 1] if place else -1
        if place == len(tails):
            tails.append(number)
            ends.append(at)
        else:
            tails[place] = number
            ends[place] = at
    found: set[int] = set()
    at = ends[-1] if ends else -1
    while at >= 0:
        found.add(numbers[at])
        at = before[at]
    return found
