"""Reading and replacing the files of notebooks."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from ..document import normalise_notebook
from ..errors import InvalidMessage
from ..models import Notebook
from .disk_format import DiskBase, hash_of
from .disk_merge import distance, name_cells

__all__ = [
    "MISSING",
    "ChangedMeanwhileError",
    "Seen",
    "Stamp",
    "look",
    "notebooks_below",
    "read_notebook",
    "replace",
    "stamp_of",
    "write_atomically",
]

MISSING = "it is not there"

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
    """

    stamp: Stamp | None = None
    hash: str = ""
    notebook: Notebook | None = None
    base: DiskBase | None = None
    trouble: str = ""


def look(
    path: Path, known_hash: str | None, bases: list[DiskBase], room_ids: Set[str] = frozenset()
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
    """
    try:
        with path.open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            content = file.read()
    except FileNotFoundError:
        return Seen(trouble=MISSING)
    except OSError as exc:
        return Seen(stamp_of(path), trouble=f"it cannot be read: {exc.strerror or exc}")
    found = hash_of(content)
    if found == known_hash:
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
    except (InvalidMessage, ValueError) as exc:
        return Seen(stamp, found, trouble=str(exc))
    assert best is not None
    return Seen(stamp, found, best[1], best[2])


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
        cells = json.loads(content or b"{}").get("cells") or []
        name_cells(notebook, [cell.get("id") for cell in cells], base, room_ids)
    return notebook


def replace(path: Path, content: bytes, expected: Stamp | None) -> Stamp | None:
    """Replace a file, unless it is not the one that was looked at; returns the new stamp.

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

    check()
    write_atomically(path, content, check)
    return stamp_of(path)


def write_atomically(path: Path, content: bytes, check: Callable[[], None] | None = None) -> None:
    """Replace a file in one step, keeping its mode; a symbolic link stays one.

    Parameters
    ----------
    path, content
        What to write where.
    check
        Called at the last moment; what it raises leaves the file as it is.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    handle, temporary = tempfile.mkstemp(
        prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        if check is not None:
            check()
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


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
