"""Where the database of a served directory lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from .db import StoreError

__all__ = ["place_of"]


def place_of(root: Path, state: Path, wanted: str) -> Path:
    """Return the directory of a served directory's database.

    Parameters
    ----------
    root
        The directory that is served.
    state
        The server's own directory below it.
    wanted
        Where databases are to lie; empty for `state`.

    Raises
    ------
    StoreError
        The place is relative, or a database lies in `state` already: it would be forgotten.
    """
    if not wanted:
        return state
    base = Path(wanted).expanduser()
    if not base.is_absolute():
        raise StoreError(f"the place of the database has to be a whole path, and {wanted!r} is not")
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    place = base / f"{root.name[:40] or 'root'}-{digest}"
    if (state / "rtu.db").exists() and not (place / "rtu.db").exists():
        raise StoreError(
            f"the database of {root} lies in {state}; move rtu.db and invite.key from there to "
            f"{place}, or leave the setting out"
        )
    return place
