"""Characters that word processors, chats and web pages put for those that a program reads.

Pure. A dash for the ``-`` of an option and ``“…”`` around a name come along with what is copied
from a page; what is typed looks right, so the answer has to name the character.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

__all__ = ["slip"]

_DASHES = "‐‑‒–—―−﹘﹣－"
_QUOTES = "“”„‟«»‘’‚‛＂＇"
_WORDS = r"""(?:"[^"]*"|'[^']*'|[^ \t\n"'])+"""
_NO_SPACE = r"[\xa0\u2007\u202f]+(?P<option>-+[A-Za-z][\w-]*)"
_OPTION = rf"[-{_DASHES}]+(?P<name>[A-Za-z][\w{_DASHES}-]*)(?P<value>=.*)?"
_PLACE = rf"[{_DASHES}](?P<last>\d+)|(?P<first>\d+)[{_DASHES}](?P<to>\d+)"
_compiled = functools.cache(re.compile)  # with the first magic: loading the extension needs none


def slip(line: str, options: Collection[str], *, places: bool) -> str | None:
    """Return what to say of the first word that a typographic character spoils, if one does.

    Parameters
    ----------
    line
        A magic's line. What stands in straight quotes is meant as it is.
    options
        The options that there are, with their dashes.
    places
        Whether the magic takes cells, so that ``–1`` and ``2–4`` are positions.

    Examples
    --------
    >>> slip("–all", ["--all"], places=True)
    '–all begins with a typographic dash; write --all'
    >>> slip("2–4", ["--all"], places=True)
    '2–4 has a typographic dash; write 2-4'
    >>> slip("--name “before class”", ["--name"], places=False)
    '“ is a typographic quote; write straight ones: "before class"'
    >>> slip("'–all' – --all", ["--all"], places=True) is None
    True
    """
    for found in _compiled(_WORDS).finditer(line):
        word = found[0]
        if word[0] in _QUOTES:
            inside = re.match(rf"[{_QUOTES}]+([^{_QUOTES}]*)", line[found.start() :])
            name = inside[1].strip() if inside is not None else ""
            return f'{word[0]} is a typographic quote; write straight ones: "{name or "…"}"'
        joined = _compiled(_NO_SPACE).search(word) if word[0] not in "\"'" else None
        if joined is not None:
            return f"the space before {joined['option']} is a non-breaking one; type it anew"
        if re.search(f"[{_DASHES}]", word) is None:
            continue
        meant = _straight_option(word, options)
        if meant is not None:
            return f"{word} begins with a typographic dash; write {meant}"
        place = _compiled(_PLACE).fullmatch(word) if places else None
        if place is not None:
            meant = f"-{place['last']}" if place["last"] else f"{place['first']}-{place['to']}"
            return f"{word} has a typographic dash; write {meant}"
    return None


def _straight_option(word: str, options: Collection[str]) -> str | None:
    found = _compiled(_OPTION).fullmatch(word)
    if found is None:
        return None
    name = re.sub(f"[{_DASHES}]", "-", found["name"])
    for option in (f"--{name}", f"-{name}"):
        if option in options:
            return option + (found["value"] or "")
    return None
