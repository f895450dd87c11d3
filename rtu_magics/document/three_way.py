"""Three texts of one cell: what the user saw, what they made of it, what it has become meanwhile.

Pure. A fuzzy patch could put two edits of one line into each other; here edits merge only where
they touch different places, and otherwise the user decides.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

from ..errors import DeltaRejected

__all__ = ["EditConflict", "three_way"]

_TOKEN = re.compile(r"\w+|[^\w\n]|\n")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MANY_TOKENS = 4_000  # above this, texts are compared by line: comparing is quadratic
_MANY_PAIRS = 300_000  # the same, where every line is like every other

Edit = tuple[int, int, tuple[str, ...]]  # tokens from … to … of the base become these


class EditConflict(DeltaRejected):
    """Somebody else changed the same place of the cell; nothing was sent.

    Parameters
    ----------
    message
        One line, with the next step.
    base, mine, theirs
        What the user saw, the user's text, and the cell's text now.
    """

    def __init__(self, message: str, *, base: str, mine: str, theirs: str) -> None:
        super().__init__(message)
        self.base = base
        self.mine = mine
        self.theirs = theirs


def three_way(base: str, mine: str, theirs: str) -> str | None:
    r"""Merge two edits of one text, exactly; None when they touch the same place.

    Parameters
    ----------
    base
        The text that both started from.
    mine, theirs
        What each made of it.

    Examples
    --------
    >>> three_way("a = 1 + b\n", "a = 2 + b\n", "a = 1 + c\n")
    'a = 2 + c\n'
    >>> three_way("a = 1\n", "a = 2\n", "a = 3\n") is None
    True
    """
    if theirs in (base, mine):
        return mine
    if mine == base:
        return theirs
    pattern = _LINE if max(len(t) for t in (base, mine, theirs)) > _MANY_TOKENS else _TOKEN
    tokens = pattern.findall(base)
    ours = _edits(tokens, pattern.findall(mine))
    others = _edits(tokens, pattern.findall(theirs))
    merged = sorted({*ours, *others})  # the same edit made by both counts once
    result: list[str] = []
    position = 0
    for index, (start, end, new) in enumerate(merged):
        # Edits that only touch are in each other's way too: their order would be a guess.
        if index and start <= merged[index - 1][1]:
            return None
        result += tokens[position:start]
        result += new
        position = end
    result += tokens[position:]
    return "".join(result)


def _edits(old: list[str], new: list[str]) -> list[Edit]:
    """Return what was changed; between the first and the last change as one, if there is much."""
    start = _same(old, new)
    end = _same(old[start:][::-1], new[start:][::-1])
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if _pairs(gone, come) > _MANY_PAIRS:
        return [(start, start + len(gone), tuple(come))]
    matcher = SequenceMatcher(None, gone, come, autojunk=False)
    return [
        (start + i1, start + i2, tuple(come[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _same(one: list[str], other: list[str]) -> int:
    """Return how many tokens two lists begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _pairs(one: list[str], other: list[str]) -> int:
    """Return how many pairs of equal tokens there are, each of which `SequenceMatcher` looks at."""
    counts = Counter(other)
    return sum(counts[token] for token in one)
