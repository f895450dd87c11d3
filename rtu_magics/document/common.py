"""How far two texts are the same, by halves: slices are compared in C. Pure."""

from __future__ import annotations

__all__ = ["common_end", "common_start"]


def common_start(one: str, other: str) -> int:
    """Return with how many characters two texts begin in common.

    Examples
    --------
    >>> common_start("print(1)", "print(2)")
    6
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_end(one: str, other: str) -> int:
    """Return with how many characters two texts end in common.

    Examples
    --------
    >>> common_end("print(1)", "print(2)")
    1
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low
