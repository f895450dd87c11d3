"""One text made into another by few changes, as a shared text takes them; pure.

Who types elsewhere in the same text keeps what was typed, and the cursor where it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from ...document.common import common_end, common_start

__all__ = ["Splice", "splices"]

_TOKEN = re.compile(r"\w+|[^\w\n]|\n")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MANY_TOKENS = 2_000  # on both sides together; comparing is quadratic
_MANY_LINES = 4_000


class Splice(NamedTuple):
    """What stands from one place to another becomes a text. Places are bytes of UTF-8 (pycrdt)."""

    start: int
    end: int
    text: str


def splices(old: str, new: str) -> list[Splice]:
    """Return what makes one text of another, from right to left: each leaves the next in place.

    Examples
    --------
    >>> splices("naïve = 1", "naïve = 2")
    [Splice(start=9, end=10, text='2')]
    >>> splices("same", "same")
    []
    """
    if old == new:
        return []
    head = common_start(old, new)
    tail = common_end(old[head:], new[head:])
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    found: list[Splice] = []
    at = len(old[:head].encode())
    for before, after in _changes(gone, come):
        length = len(before.encode())
        if before != after:
            found.append(Splice(at, at + length, after))
        at += length
    return found[::-1]


def _changes(gone: str, come: str) -> list[tuple[str, str]]:
    """Return pieces of both texts in order, each with what becomes of it."""
    if not gone or not come:
        return [(gone, come)]
    for pattern, most in ((_TOKEN, _MANY_TOKENS), (_LINE, _MANY_LINES)):
        old, new = pattern.findall(gone), pattern.findall(come)
        if len(old) + len(new) <= most:
            return _aligned(old, new)
    return [(gone, come)]


def _aligned(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        ("".join(old[i1:i2]), "".join(new[j1:j2])) for _, i1, i2, j1, j2 in matcher.get_opcodes()
    ]
