r"""Other people's text, as it may be shown: `shown`, the one way to a terminal or a table.

A terminal takes more than letters: escape sequences (ECMA-48) set its title, fill its clipboard,
move its cursor over what stands there already; a carriage return hides a line; bidirectional
controls (Unicode Standard Annex 9) let code read other than it runs. Names, sources, paths, causes,
versions, tracebacks and outputs come from whoever may write to a notebook, or from a server, so all
of them are shown through here. Pure: strings in, strings out.
"""

from __future__ import annotations

import functools
import re

__all__ = ["STAND_IN", "shown", "streamed"]

STAND_IN = "·"
"""What stands where something was that must not be shown."""

# C0 and C1 controls; soft hyphen, zero-width space, marks, embeddings, overrides and isolates,
# invisible operators, interlinear and tag characters, separators of lines and paragraphs; halves of
# surrogate pairs, which cannot be printed at all. Joiners stay: names and pictographs need them.
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff"
)
_ORDERS = f"[{_UNSEEN}]"
_SOME = f"[{_UNSEEN}\t\n]"
_BREAKS = "[\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]+"
_COLOUR = r"\x1b\[([0-9;:]{0,64})m"
_compiled = functools.cache(re.compile)  # with the first text: loading the extension needs none

_LOOKS = frozenset([0, 1, 2, 3, 4, 7, 9, *range(21, 28), 29, *range(30, 50), 59, *range(90, 108)])
"""Parameters of SGR (ECMA-48, 8.3.117) that change how text looks; neither hidden nor blinking."""


def shown(
    text: object, *, lines: bool = False, colours: bool = False, width: int | None = None
) -> str:
    r"""Return other people's text as what it is, not as orders to whatever shows it.

    Parameters
    ----------
    text
        The text; anything else counts as what ``str`` makes of it.
    lines
        Whether it may have several lines, and tabs; otherwise it comes as one line.
    colours
        Whether sequences that colour it stay, as in a traceback; what they began ends with it.
    width
        The most characters to show; the rest becomes ``…``.

    Examples
    --------
    >>> shown("a\x1b]0;title\x07b\r\nc"), shown("a\rb\nc", lines=True)
    ('a·]0;title·b c', 'a·b\nc')
    >>> shown("\x1b[31mred\x1b[2J", colours=True)
    '\x1b[31mred·[2J\x1b[0m'
    """
    text = text if isinstance(text, str) else str(text)
    if width is not None and len(text) > width:
        text = f"{text[: max(0, width - 1)]}…"
    if not lines:
        if _compiled(_SOME).search(text) is None:
            return text
        text = _compiled(_BREAKS).sub(" ", text)
    if _compiled(_ORDERS).search(text) is None:
        return text
    text = text.replace("\r\n", "\n")
    return _coloured(text) if colours else _compiled(_ORDERS).sub(STAND_IN, text)


def streamed(text: str) -> str:
    r"""Return a piece of a stream for a terminal: with colours, and with returns to a line's start.

    Progress bars need these returns. A colour may last over several pieces.

    Examples
    --------
    >>> streamed("50 %\r100 %\x1b[2K\n")
    '50 %\r100 %·[2K\n'
    """
    if _compiled(_ORDERS).search(text) is None:
        return text
    return "\r".join(_coloured(piece, close=False) for piece in text.split("\r"))


def _coloured(text: str, *, close: bool = True) -> str:
    """Return text with what only colours it, and with an end to what it leaves open."""
    parts, at, open_ = [], 0, False
    for found in _compiled(_COLOUR).finditer(text):
        parts.append(_compiled(_ORDERS).sub(STAND_IN, text[at : found.start()]))
        kept = _looks(found[1])
        if kept is not None:
            parts.append(f"\x1b[{kept}m")
            open_ = kept not in ("", "0")
        at = found.end()
    parts.append(_compiled(_ORDERS).sub(STAND_IN, text[at:]))
    if open_ and close:
        parts.append("\x1b[0m")
    return "".join(parts)


def _looks(parameters: str) -> str | None:
    """Return the parameters that only change looks, None if there are others alone."""
    given = re.split("[;:]", parameters)
    kept: list[str] = []
    while given:
        one = given.pop(0)
        if one in ("38", "48", "58"):  # a colour by number, or by its three parts
            count = {"5": 1, "2": 3}.get(given[0] if given else "", -1)
            if count < 0 or len(given) <= count:
                break
            kept += [one, *given[: count + 1]]
            del given[: count + 1]
        elif not one or int(one) in _LOOKS:
            kept.append(one)
    return ";".join(kept) if kept else None
