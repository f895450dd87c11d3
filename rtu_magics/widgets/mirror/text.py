"""What one text has to become another: few splices, cheap for a keystroke in a long cell."""

from __future__ import annotations

from ...document.common import common_end, common_start

__all__ = ["Splice", "splices"]

Splice = tuple[int, int, str]
"""Place and number of code points that go, both in the old text, and what comes there."""

_WORTH_A_DIFF = 200  # code points between the first and the last difference
_DIFF_SECONDS = 0.05


def splices(old: str, new: str) -> list[Splice]:
    r"""Return the splices that make `new` of `old`, ascending and apart from each other.

    Examples
    --------
    >>> splices("x = 1\n", "x = 12\n")
    [(5, 0, '2')]
    >>> splices("same", "same")
    []
    """
    if old == new:
        return []
    start = common_start(old, new)
    most = min(len(old), len(new)) - start
    end = min(most, common_end(old, new))
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if len(gone) < _WORTH_A_DIFF or len(come) < _WORTH_A_DIFF:
        return [(start, len(gone), come)]
    return _diff(start, gone, come)


def _diff(start: int, old: str, new: str) -> list[Splice]:
    from diff_match_patch import diff_match_patch

    differ = diff_match_patch()
    differ.Diff_Timeout = _DIFF_SECONDS
    found: list[Splice] = []
    at, gone, come = start, 0, ""
    for operation, text in differ.diff_main(old, new, True):
        if operation == 0:
            if gone or come:
                found.append((at, gone, come))
            at += gone + len(text)
            gone, come = 0, ""
        elif operation < 0:
            gone += len(text)
        else:
            come += text
    if gone or come:
        found.append((at, gone, come))
    return found
