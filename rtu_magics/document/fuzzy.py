"""diff-match-patch itself, for patches that do not meet the text that they were made for.

What it searches for can be made to cost as much as somebody likes: one message may hold twenty
thousand hunks, each searched for and none quite there. Whoever decides about a patch (a server
before it accepts one, a client before it sends one) therefore bounds the work. It is counted in
steps of the library's own loops, never in seconds, so everybody comes to the same decision; and a
patch that was accepted is applied by everybody without a bound, to the same text.

The library's clock (``Diff_Timeout``) is out of play for the same reason: a comparison that ran
into it would give another text on a slower machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from diff_match_patch import diff_match_patch

from ..errors import PatchFailed

__all__ = ["MOST_STEPS", "TOO_MUCH", "apply_with_library", "too_many"]

MOST_STEPS = 80_000
"""Steps that a patch may cost that is still to be decided about: some 40 ms
of processor. A hunk whose text is
nowhere near costs up to 17,000, one that has merely moved a few hundred."""

_PER_PIECE = 30  # steps that taking one piece of a patch apart costs
_COPIED_PER_STEP = 4_000  # characters
_LISTED_PER_STEP = 100  # numbers in a list
_REACH = 600  # characters that a search strays from where it begins, and more than a pattern has

TOO_MUCH = (
    "the text has changed too much since the text patch was made for it to be fitted in; look at "
    "the present text and edit again"
)


class _Pieces(list[Any]):
    """The library's patches, each remembering which hunk it was cut from.

    Attributes
    ----------
    numbers
        The 1-based number of each piece's hunk.
    at
        The place of the piece that was taken last by a loop over them.
    """

    def __init__(self, patches: list[Any]) -> None:
        super().__init__(patches)
        self.numbers = list(range(1, len(patches) + 1))
        self.at = 0
        self._cut = 0

    def __iter__(self) -> Iterator[Any]:
        for self.at, piece in enumerate(super().__iter__()):
            yield piece

    def __delitem__(self, index: Any) -> None:
        self._cut = self.numbers.pop(index)
        super().__delitem__(index)

    def insert(self, index: Any, patch: Any) -> None:
        self.numbers.insert(index, self._cut)
        super().insert(index, patch)

    @property
    def hunk(self) -> int:
        return self.numbers[self.at] if self.numbers else 0


class _Alphabet(dict[str, int]):
    """What a search looks up at each of its steps."""

    def __init__(self, found: dict[str, int], spend: Callable[[int], None]) -> None:
        super().__init__(found)
        self._spend = spend

    def get(self, char: str, default: int = 0) -> int:  # type: ignore[override]
        self._spend(1)
        return super().get(char, default)


class _Library(diff_match_patch):  # type: ignore[misc]  # the library is not typed
    """The library, which counts its steps and stops at the first hunk that does not apply."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.pieces = _Pieces([])
        self._left = steps

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise PatchFailed(TOO_MUCH, self.pieces.hunk)

    def patch_deepCopy(self, patches: list[Any]) -> _Pieces:
        self.pieces = _Pieces(super().patch_deepCopy(patches))
        return self.pieces

    def match_main(self, text: str, pattern: str, loc: int) -> int:
        found = int(super().match_main(text, pattern, loc))
        if found == -1:
            raise PatchFailed(
                f"hunk {self.pieces.hunk} of the text patch does not apply: the text there has "
                "changed; look at the present text and edit again",
                self.pieces.hunk,
            )
        return found

    def match_bitap(self, text: str, pattern: str, loc: int) -> int:
        # For each number of errors that it may allow, it makes a list as long as the text.
        ahead = text.find(pattern, loc)
        worst = self.Match_Threshold
        if ahead != -1:
            worst = min(worst, (ahead - loc) / self.Match_Distance)
        rounds = 1 + int(worst * len(pattern))
        self.spend(rounds * (1 + min(len(text), loc + _REACH) // _LISTED_PER_STEP))
        return int(super().match_bitap(text, pattern, loc))

    def match_alphabet(self, pattern: str) -> _Alphabet:
        return _Alphabet(super().match_alphabet(pattern), self.spend)

    def diff_main(
        self, text1: str, text2: str, checklines: bool = True, deadline: float | None = None
    ) -> Any:
        return super().diff_main(
            text1, text2, checklines, sys.maxsize if deadline is None else deadline
        )

    def diff_compute(self, text1: str, text2: str, checklines: bool, deadline: float) -> Any:
        if text1 and text2:
            self.spend(len(text1) * len(text2))
        return super().diff_compute(text1, text2, checklines, deadline)


def _steps_for(pieces: int, length: int) -> int:
    # Each piece copies the text, and the rest of the patch.
    return pieces * (_PER_PIECE + length // _COPIED_PER_STEP)


def too_many(pieces: int, length: int) -> bool:
    """Return whether so many pieces alone cost more than `MOST_STEPS`.

    Parameters
    ----------
    pieces
        How many there are at least.
    length
        Characters of the text and the patch.
    """
    return _steps_for(pieces, length) > MOST_STEPS


def apply_with_library(text: str, patch_text: str, size: int, parts: int, bounded: bool) -> str:
    """Apply a patch as the library does.

    Parameters
    ----------
    text, patch_text
        The present text, and the patch.
    size, parts
        How many characters the patch expects to find piece by piece, and in how many parts (equal,
        deleted or inserted) it is written.
    bounded
        Whether to refuse what costs more than `MOST_STEPS`.

    Raises
    ------
    PatchFailed
        A hunk does not apply, the library stumbles over the patch, or it costs too much.
    """
    library = _Library(MOST_STEPS if bounded else sys.maxsize)
    pieces = parts + size // (library.Match_MaxBits - 2 * library.Patch_Margin)
    library.spend(_steps_for(pieces, len(text) + len(patch_text)))
    try:
        patched, applied = library.patch_apply(library.patch_fromText(patch_text), text)
    except PatchFailed:
        raise
    except Exception as exc:  # a patch can be built so that the library stumbles over it
        raise PatchFailed(f"the text patch is malformed ({type(exc).__name__})") from exc
    if not all(applied):
        hunk = library.pieces.numbers[applied.index(False)]
        raise PatchFailed(
            f"hunk {hunk} of the text patch does not apply: the text there has changed; "
            "look at the present text and edit again",
            hunk,
        )
    return str(patched)
