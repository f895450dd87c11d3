"""Reading and replacing the files of notebooks."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from ...document import normalise_notebook
from ...errors import InvalidMessage
from ...models import Notebook
from .access import write_atomically
from .format import DiskBase, hash_of
from .merge import distance, name_cells
from .regular import NotRegular, open_regular, read_regular

__all__ = [
    "MISSING",
    "ChangedMeanwhileError",
    "Seen",
    "Stamp",
    "look",
    "notebooks_below",
    "put_aside",
    "read_notebook",
    "replace",
    "stamp_of",
    "write_atomically",
]

logger = logging.getLogger(__name__)

MISSING = "it is not there"
MAX_BYTES = 512 * 1024 * 1024  # of a notebook that is read

Stamp = tuple[int, int, int]
"""Of a file: changes when somebody writes or replaces it."""


class ChangedMeanwhileError(Exception):
    """The file is not the one that was looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the file found.

    Attributes
    ----------
    stamp
        Of the file, None when there is none.
    hash
        Of its content.
    notebook, base
        What it holds, and the earlier state that it was made from; no notebook when the file is
        as we know it, or none.
    trouble
        Why it is no notebook, "" if it is one.
    failed
        Whether it could not be read at all: nothing is known of what it holds.
    cut_off
        Whether it ends in the middle, as a file does that is written slowly.
    """

    stamp: Stamp | None = None
    hash: str = ""
    notebook: Notebook | None = None
    base: DiskBase | None = None
    trouble: str = ""
    failed: bool = False
    cut_off: bool = False


def look(
    path: Path,
    known_hash: str | None,
    bases: list[DiskBase],
    room_ids: Set[str] = frozenset(),
    forbidden: Callable[[Path], str] = lambda _: "",
) -> Seen:
    """Read a notebook's file.

    Parameters
    ----------
    path
        The file.
    known_hash
        Of its content as we know it.
    bases
        What it held lately, the newest first. Another program may have read it before our last
        write and written it after: its change has to be seen against what it had read.
    room_ids
        The ids of the room's cells.
    forbidden
        Returns why a file must not be touched, "" if it may.
    """
    why = forbidden(path)
    if why:
        return Seen(trouble=why, failed=True)
    try:
        with open_regular(path) as file:
            stamp = _stamp(os.fstat(file.fileno()))
            if stamp[1] > MAX_BYTES:
                return Seen(stamp, trouble=f"it is larger than {MAX_BYTES >> 20} MiB")
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return Seen(trouble=MISSING)
    except NotRegular as exc:
        return Seen(stamp_of(path), trouble=f"it cannot be read: {exc.strerror or exc}")
    except (OSError, MemoryError) as exc:  # it says nothing of what the file holds
        return Seen(trouble=getattr(exc, "strerror", None) or str(exc) or "no memory", failed=True)
    found = hash_of(content)
    if found == known_hash and (not bases or bases[0].is_complete):
        return Seen(stamp, found)
    if not content.strip() and bases and bases[0].cells:
        return Seen(stamp, found, trouble="it is empty")
    best: tuple[int, Notebook, DiskBase | None] | None = None
    candidates: list[DiskBase | None] = [*bases] or [None]
    try:
        for base in candidates:
            notebook = read_notebook(content, base, room_ids)
            changes = 0 if base is None else distance(notebook, base)
            # Exactly an earlier state: somebody put that back, nobody wrote it by mistake.
            if best is None or 0 < changes < best[0]:
                best = changes, notebook, base
    except (InvalidMessage, ValueError, RecursionError) as exc:
        return Seen(stamp, found, trouble=str(exc), cut_off=_cut_off(content))
    assert best is not None
    return Seen(stamp, found, best[1], best[2])


def _cut_off(content: bytes) -> bool:
    text = content.strip()
    return text.startswith(b"{") and not text.endswith(b"}")


def read_notebook(
    content: bytes, base: DiskBase | None = None, room_ids: Set[str] = frozenset()
) -> Notebook:
    """Return the notebook in a file's bytes.

    Cells without an id, or with one that nobody knows, get those that they had in `base`.

    Raises
    ------
    InvalidMessage
        It is no notebook; the message says why.
    """
    notebook = normalise_notebook(content if content.strip() else b'{"cells": []}')
    if base is not None:
        cells = json.loads(content.decode("utf-8-sig") or "{}").get("cells") or []
        name_cells(notebook, [cell.get("id") for cell in cells], base, room_ids)
    return notebook


def replace(
    path: Path,
    content: bytes,
    expected: Stamp | None,
    forbidden: Callable[[Path], str] = lambda _: "",
    journal: Path | None = None,
) -> Stamp | None:
    """Replace a file, unless it is not the one that was looked at; returns the new stamp.

    `forbidden` as in `look`, asked at the last moment; `journal` as in `write_atomically`.

    Raises
    ------
    ChangedMeanwhileError
        It is not; nothing was done.
    OSError
        It cannot be written.
    """

    def check() -> None:
        present = stamp_of(path)
        if present is not None and present != expected:
            raise ChangedMeanwhileError
        why = forbidden(path)
        if why:
            raise PermissionError(errno.EACCES, why, str(path))

    check()
    write_atomically(path, content, check, journal)
    return stamp_of(path)


def put_aside(path: Path) -> str | None:
    """Keep a copy of what lies at a path, beside it; returns its hash, None if there is none.

    Raises
    ------
    OSError
        It cannot be read, or the copy not be written.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return None
    kept = path.with_name(f"{path.name[:50]}.{hash_of(content)[:8]}.bak")
    write_atomically(kept, content)
    logger.warning("kept what was there as %s", kept.name)
    return hash_of(content)


def stamp_of(path: Path) -> Stamp | None:
    """Return a file's stamp, None if there is none."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_mtime_ns, found.st_size, found.st_ino


def notebooks_below(root: Path) -> Iterable[Path]:
    """Yield the notebooks below a directory, hidden and checkpoint directories left out."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith(".") and n != "node_modules")
        for name in sorted(files):
            if name.endswith(".ipynb") and not name.startswith("."):
                yield Path(directory) / name
