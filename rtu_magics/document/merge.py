"""Making text patches, and merging two edits of one text."""

from __future__ import annotations

from diff_match_patch import diff_match_patch

from ..errors import PatchFailed
from .patch import apply_patch

__all__ = ["make_patch", "merge_text"]

# After this a comparison settles for a coarser patch, which says the same.
_DIFF_SECONDS = 0.25


def make_patch(old: str, new: str) -> str:
    r"""Return the patch that turns one text into another, in diff-match-patch's text format.

    Applied to ``old`` it always gives ``new``; applied to a text that others changed elsewhere, it
    makes the same change there.

    Parameters
    ----------
    old
        The text that the user saw.
    new
        What the user made of it.

    Examples
    --------
    >>> make_patch("x = 1", "x = 2")
    '@@ -1,5 +1,5 @@\n x = \n-1\n+2\n'
    >>> make_patch("same", "same")
    ''
    """
    if old == new:
        return ""
    library = diff_match_patch()
    library.Diff_Timeout = _DIFF_SECONDS
    patch = str(library.patch_toText(library.patch_make(old, new)))
    try:
        if apply_patch(old, patch, bounded=True) == new:
            return patch
    except PatchFailed:
        pass
    # The library's choice of context can mislead its own matching (control characters, repeated
    # text). One hunk over the whole text cannot be misunderstood.
    whole = [(operation, text) for operation, text in ((-1, old), (1, new)) if text]
    return str(library.patch_toText(library.patch_make(old, whole)))


def merge_text(base: str, mine: str, theirs: str) -> str:
    r"""Merge two edits of one text.

    Parameters
    ----------
    base
        The text that both started from.
    mine, theirs
        What each made of it.

    Returns
    -------
    str
        ``theirs`` with the change from ``base`` to ``mine`` made in it.

    Raises
    ------
    PatchFailed
        The edits touch the same place, or it takes too much work to fit them into each other.

    Examples
    --------
    >>> merge_text("import numpy\nx = 1\n", "import numpy\nx = 2\n", "import scipy\nx = 1\n")
    'import scipy\nx = 2\n'
    >>> merge_text("", "x = 1", "x = 12")
    'x = 12'
    """
    if theirs in (base, mine):
        return mine
    # One of them went on with what both have typed: a patch would put it there twice.
    if _is_insertion(base, mine) and _is_insertion(mine, theirs):
        return theirs
    if _is_insertion(base, theirs) and _is_insertion(theirs, mine):
        return mine
    return apply_patch(theirs, make_patch(base, mine), bounded=True)


def _is_insertion(old: str, new: str) -> bool:
    """Whether a text is another one with something put in at one place."""
    if len(new) <= len(old):
        return False
    pairs = enumerate(zip(old, new, strict=False))
    start = next((n for n, (one, other) in pairs if one != other), len(old))
    return new.endswith(old[start:])
