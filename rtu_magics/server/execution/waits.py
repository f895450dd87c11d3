"""Kernels that wait for one another: a run that would close a circle is refused.

A cell that runs others and waits for them keeps its kernel busy meanwhile. Where their kernel waits
for that one, over however many others, none of them ever goes on. Who asks for a run says which
kernels wait for it: its own, and those that wait for the cell in which it asks. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

__all__ = ["circle"]


def circle(target: str, waiting: Sequence[str], waits: Iterable[tuple[str, str]]) -> bool:
    """Return whether a kernel waits for one of those that are about to wait for it.

    Parameters
    ----------
    target
        The kernel that is to run something.
    waiting
        The kernels that will wait for that.
    waits
        Pairs of kernels of which the first waits for the second.

    Examples
    --------
    >>> circle("a", ["c"], [("a", "b"), ("b", "c")])
    True
    >>> circle("a", ["c"], [("b", "a"), ("b", "c")])
    False
    """
    followed = defaultdict(list)
    for one, other in waits:
        followed[one].append(other)
    seen, ahead = {target}, [target]
    while ahead:
        for other in followed[ahead.pop()]:
            if other not in seen:
                seen.add(other)
                ahead.append(other)
    return not seen.isdisjoint(waiting)
