"""Options of magics and commands are written out, and a slip is told what it may have meant.

argparse takes the beginning of an option's name for the option. With one that runs, deletes or
revokes all there is, half a word must not be enough. Pure: names in, a name out.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["meant"]


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the option that somebody may have meant.

    Parameters
    ----------
    word
        What was given: ``--al``, ``-all``, ``--all=yes``.
    known
        The options that there are, in the order of their declaration.

    Examples
    --------
    >>> meant("--al", ["-s", "--all", "--after"])
    '--all'
    >>> meant("--k", ["--all", "--keep-going"])
    '--keep-going'
    >>> meant("--color", ["--all"]) is None
    True
    """
    name = word.partition("=")[0].strip("-").lower()
    long = {option.strip("-"): option for option in known if option.startswith("--")}
    begin = [option for bare, option in long.items() if name and bare.startswith(name)]
    if begin:
        return begin[0]
    from difflib import get_close_matches  # loading the extension needs none of it

    close = get_close_matches(name, long, n=1)
    return long[close[0]] if close else None
