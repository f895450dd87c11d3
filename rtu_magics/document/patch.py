"""Applying text patches in diff-match-patch's format.

Every copy of a notebook applies the same patch, so all have to come to the same text, to the
character. The measure is ``patch_apply`` of diff-match-patch 20200713 with its default settings;
later releases on PyPI up to 20241021 changed nothing in it.

Most patches meet exactly the text that they were made for. Then all that the library's padding,
splitting and fuzzy matching come to is a splice, which `_splice` does directly. Anything else, and
every doubt, goes to the library.

Why a splice is the same: ``patch_apply`` surrounds the text with four control characters, extends
the first and last hunk by them where these have less than four characters of context, and cuts long
hunks into pieces that overlap by four characters. If a hunk's old text (as extended) stands exactly
at its place, then so does each piece's in the text as the pieces before it left it, for a piece's
leading overlap is what its predecessor wrote and its trailing overlap is not yet touched. Each
piece is then replaced where it stands, without a search. The one exception is a hunk that changes
nothing: splitting drops it from the list while it is walked, which can end in an error.

Offsets count code points.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import PatchFailed
from .fuzzy import TOO_MUCH, apply_with_library, too_many

__all__ = ["Hunk", "apply_patch", "parse_patch"]

_HEADER = re.compile(r"@@ -(\d+),?(\d*) \+(\d+),?(\d*) @@")
# What nearly every keystroke gives: one hunk, one change, context around it.
_ONE_CHANGE = re.compile(
    r"@@ -[0-9]{1,9}(?:,[0-9]{1,9})? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@\n"
    r"(?: ([^\n]*)\n)?(?:-([^\n]*)\n)?(?:\+([^\n]*)\n)?(?: ([^\n]*)\n)?"
).fullmatch
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+").sub
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_MANY_ESCAPES = 200
_unescaped: dict[str, str] = {}  # "%0A" → "\n", …: the same few come again and again
_MOST_LINES = 20_000  # of a patch; line ends of the text are escaped in it
_MOST_HUNKS = 4_000
_PASSES = 50  # over the text, for hunks that are out of order
_MARGIN = 4  # Patch_Margin of diff-match-patch: the context that it wants around a change

_DELETE, _INSERT, _EQUAL = -1, 1, 0
_OPERATIONS = {"-": _DELETE, "+": _INSERT, " ": _EQUAL}


class Hunk(NamedTuple):
    """One hunk of a patch.

    Attributes
    ----------
    start1, start2
        0-based place in the text before the patch, and in the text as the hunks before this one
        left it; -1 if the header has a 0 where that makes no sense.
    length1, length2
        Lengths according to the header, which may lie.
    diffs
        ``(-1 | 0 | 1, text)``: deleted, equal, inserted.
    """

    start1: int
    length1: int
    start2: int
    length2: int
    diffs: list[tuple[int, str]]


def _span(start: str, length: str) -> tuple[int, int]:
    # "7" is one character at 7, "7,0" is the gap after 7, "7,5" five from 7; counted from 1.
    if length == "0":
        return int(start), 0
    return int(start) - 1, int(length) if length else 1


def _unescape(run: re.Match[str]) -> str:
    escaped = run[0]
    found = _unescaped.get(escaped)
    if found is None:
        found = bytes.fromhex(escaped.replace("%", "")).decode("utf-8", "replace")
        if len(_unescaped) < 4096:
            _unescaped[escaped] = found
    return found


def _unquote(text: str) -> str:
    """Return what `urllib.parse.unquote` returns, sooner.

    It decodes escapes together with the ASCII around them, which decodes to itself whatever stands
    next to it, so a run of escapes can be taken alone. Few runs occur; they are remembered. For the
    same reason the commonest escapes can be replaced before: what they stand for is ASCII, and can
    be no part of another escape.
    """
    text = text.replace("%0A", "\n")
    if "%" in text:
        text = text.replace("%5B", "[").replace("%5D", "]").replace("%22", '"')
        if text.count("%") > _MANY_ESCAPES and not _STRAY(text):
            return _unquote_many(text)
        if "%" in text:
            return _ESCAPED(_unescape, text)
    return text


def _unquote_many(text: str) -> str:
    """Do the same for a text full of escapes that are all complete.

    They are those of quoted-printable (RFC 2045) but for the sign, and its decoder is in C. A
    character that was not escaped begins with no byte that could continue an escaped one.
    """
    try:
        data = text.replace("=", "%3D").replace("%", "=").encode()
    except UnicodeEncodeError:  # a lone surrogate
        return _ESCAPED(_unescape, text)
    return binascii.a2b_qp(data).decode("utf-8", "replace")


def parse_patch(patch_text: str) -> list[Hunk]:
    r"""Parse a patch as diff-match-patch's ``patch_fromText`` does.

    Raises
    ------
    PatchFailed
        The text is no patch; ``hunk`` is 0.

    Examples
    --------
    >>> [hunk] = parse_patch("@@ -1,5 +1,6 @@\n hell\n+%C3%B6\n o\n")
    >>> hunk.diffs
    [(0, 'hell'), (1, 'ö'), (0, 'o')]
    """
    return list(_hunks(patch_text.split("\n"))) if patch_text else []


def _hunks(lines: list[str]) -> Iterator[Hunk]:
    """Take one hunk after the other; whoever is content with the first need not parse the rest."""
    hunk: Hunk | None = None
    diffs: list[tuple[int, str]] = []
    for line in lines:
        sign = line[:1]
        if sign == "@" or hunk is None:
            header = _HEADER.fullmatch(line)
            if header is None:
                raise PatchFailed("not a text patch: a hunk has no valid header; make it anew")
            try:
                start1, length1 = _span(header[1], header[2])
                start2, length2 = _span(header[3], header[4])
            except ValueError:  # Python refuses numbers of thousands of digits
                raise PatchFailed("not a text patch: an offset is absurd; make it anew") from None
            if hunk is not None:
                yield hunk
            diffs = []
            hunk = Hunk(start1, length1, start2, length2, diffs)
        elif sign:
            operation = _OPERATIONS.get(sign)
            if operation is None:
                raise PatchFailed("not a text patch: a line has no valid sign; make it anew")
            diffs.append((operation, _unquote(line[1:])))
    if hunk is not None:
        yield hunk


def _splice_one_change(text: str, patch_text: str) -> str | None:
    """Do `_splice`'s work for the commonest form of patch, without taking it apart first."""
    found = _ONE_CHANGE(patch_text)
    if found is None:
        return None
    at, length, before, deleted, inserted, after = found.groups("")
    if not (deleted or inserted):
        return None
    start = int(at) if length == "0" else int(at) - 1
    if "%" in before:
        before = _unquote(before)
    if "%" in inserted:
        inserted = _unquote(inserted)
    if "%" in after:
        after = _unquote(after)
    if deleted:
        old = before + (_unquote(deleted) if "%" in deleted else deleted) + after
    else:
        old = before + after
    end = start + len(old)
    if (
        start < 0
        or not text.startswith(old, start)
        or (start and len(before) < _MARGIN)
        or (end != len(text) and len(after) < _MARGIN)
    ):
        return None
    return f"{text[:start]}{before}{inserted}{after}{text[end:]}"


def _splice(text: str, hunks: Iterable[Hunk]) -> str | None:
    """Apply hunks that stand exactly where they should; None if one does not.

    Hunks come in ascending order, so what lies before one is done with, but for the context that
    it may share with its neighbour: the work is in proportion to the text and the patch. One that
    goes back further begins another pass, and there are few of these.
    """
    done: list[str] = []  # pieces of the new text, `length` characters, up to `at` of `text`
    length = at = passes = 0
    diffs: list[tuple[int, str]] = []
    for number, (_, _, start, _, diffs) in enumerate(hunks):
        old, new, changes = _sides(diffs)
        if not changes or start < 0:
            return None
        back = length - start
        if back > 0:
            shared = done[-1][-back:]
            if len(shared) == back and old.startswith(shared):
                done[-1] = done[-1][:-back]
                old = old[back:]
            else:
                passes += 1
                if passes > _PASSES:
                    return None
                text = "".join(done) + text[at:]
                done, at, length = [], 0, 0
            length = min(length, start)
        here = at + start - length
        if not text.startswith(old, here):
            return None
        # Too little context at the ends of the patch is allowed only at the ends of the text.
        if number == 0 and start and not _has_context(diffs[0]):
            return None
        done += (text[at:here], new)
        length = start + len(new)
        at = here + len(old)
    if diffs and at != len(text) and not _has_context(diffs[-1]):
        return None
    return "".join(done) + text[at:]


def _sides(diffs: list[tuple[int, str]]) -> tuple[str, str, bool]:
    """Return a hunk's text before and after, and whether they differ by its own account."""
    old = new = ""
    changes = False
    for operation, piece in diffs:
        if operation == _EQUAL:
            old += piece
            new += piece
        else:
            changes = True
            if operation == _DELETE:
                old += piece
            else:
                new += piece
    return old, new, changes


def _has_context(diff: tuple[int, str]) -> bool:
    return diff[0] == _EQUAL and len(diff[1]) >= _MARGIN


def apply_patch(text: str, patch_text: str, *, bounded: bool = False) -> str:
    r"""Apply a patch to a text.

    Parameters
    ----------
    text
        The present text.
    patch_text
        A patch in diff-match-patch's text format; an empty one changes nothing.
    bounded
        Whether to refuse what takes too much work to fit in (`rtu_magics.document.fuzzy`), as who
        decides about a patch does. One that was accepted is applied without a bound.

    Raises
    ------
    PatchFailed
        The patch cannot be parsed (``hunk`` 0), or a hunk does not apply (its 1-based number).

    Examples
    --------
    >>> apply_patch("x = 1", "@@ -1,5 +1,5 @@\n x = \n-1\n+2\n")
    'x = 2'
    >>> apply_patch("print('unrelated')", "@@ -1,5 +1,5 @@\n x = \n-1\n+2\n")
    Traceback (most recent call last):
    ...
    rtu_magics.errors.PatchFailed: hunk 1 of the text patch does not apply: ...
    """
    spliced = _splice_one_change(text, patch_text)
    if spliced is not None:
        return spliced
    if bounded and patch_text.count("\n") > _MOST_LINES:
        raise PatchFailed(f"the text patch has more than {_MOST_LINES} lines; replace the text")
    if bounded and patch_text.count("\n@@") > _MOST_HUNKS:
        raise PatchFailed(f"the text patch has more than {_MOST_HUNKS} hunks; replace the text")
    lines = patch_text.split("\n") if patch_text else []
    spliced = _splice(text, _hunks(lines))
    if spliced is not None:
        return spliced
    if bounded and too_many(len(list(filter(None, lines))), len(text) + len(patch_text)):
        raise PatchFailed(TOO_MUCH)
    hunks = list(_hunks(lines))
    # A long deletion stays in one piece.
    most = {_EQUAL: len(patch_text), _DELETE: 100, _INSERT: 0}
    size = sum(min(len(piece), most[sign]) for hunk in hunks for sign, piece in hunk.diffs)
    parts = sum(len(hunk.diffs) + 1 for hunk in hunks)
    return apply_with_library(text, patch_text, size, parts, bounded)
