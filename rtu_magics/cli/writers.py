"""Who else writes the notebooks of a directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..embedded import Offer, ask, find_server, serving
from ..errors import EmbeddedServerError

__all__ = ["writers"]

_BESIDE = "install rtu_magics beside it (pip install rtu_magics) and restart it"
_WHAT = {
    Offer.OURS: ("with rtu_magics: notebooks there are joined", ""),
    Offer.CLOSED: (
        "with rtu_magics, and its token is not known here",
        "connect to the address of a notebook there: %rtu_connect {url}lab/tree/NAME.ipynb",
    ),
    Offer.LIVE: ("with live collaboration and without rtu_magics: what a page has open is its", ""),
    Offer.PLAIN: ("without rtu_magics: its pages do not show what others do", _BESIDE),
    Offer.SILENT: ("and does not answer", "see whether it still runs"),
}


def writers(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield each server that writes what lies in a directory, and what to do about it.

    Parameters
    ----------
    directory
        Without symbolic links.

    Yields
    ------
    tuple of str
        One line, and one that says what to do; "" where there is nothing.
    """
    known = None
    with contextlib.suppress(EmbeddedServerError):  # it does not answer
        known = find_server(directory)
    if known is not None:
        whose = f"{known.url} (process {known.pid})"
        yield f"the notebooks of {known.root_dir} live on rtu_magics at {whose}", ""
    others = [one for one in serving() if known is None or one.pid != known.pid]
    found = known is not None
    for one in others:
        related = one.root_dir in (directory, *directory.parents) or directory in (
            one.root_dir.parents
        )
        offer = ask(one) if related else None
        if offer is None:
            continue
        found = True
        what, todo = _WHAT[offer]
        if offer is Offer.LIVE:
            todo = _BESIDE
        line = f"the Jupyter Server at {one.url} (process {one.pid}) serves {one.root_dir} {what}"
        yield line, todo.format(url=one.url)
    if not found:
        yield f"no other server writes notebooks in {directory}", ""
