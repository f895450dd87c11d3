"""Names that people would take for one another."""

from __future__ import annotations

import unicodedata

__all__ = ["likeness"]

# Letters of other scripts that look like a Latin one, after `str.casefold` (Unicode TR 39 has all).
_ALIKE = str.maketrans(
    "авекмнорстухіјѕԁԛԝӏһαβεικνορτυχ01|",
    "abekmhopctyxijsdqwlhabeikvoptuxoll",
)


def likeness(name: str) -> str:
    """Return what two names share that look alike: case, width, spaces and lookalikes aside.

    Examples
    --------
    >>> likeness("Ann Lee") == likeness("ａｎｎ  lee") == likeness("Аnn\u200b Lee")
    True
    >>> likeness("Ann") == likeness("Anna")
    False
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    seen = (c for c in folded if unicodedata.category(c) not in ("Mn", "Cf", "Zs", "Cc"))
    return "".join(seen).translate(_ALIKE).replace("i", "l")
