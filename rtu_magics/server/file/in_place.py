"""Changing a file's bytes where they are, so that neither a full disk nor a crash loses anything.

Old and new bytes are noted beside before the first of them is changed. A file that was left half
old and half new is brought to an end from there by the next server: half a file is nobody's edit.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from .regular import open_regular

__all__ = ["finish", "finish_all", "is_torn", "overwrite"]

logger = logging.getLogger(__name__)

_NO_FALLOCATE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_AT_ONCE = 4096  # bytes that are compared in one step


def overwrite(
    path: Path, content: bytes, check: Callable[[], None] | None, journal: Path | None
) -> None:
    """Change a file's bytes; what fails leaves it as it was.

    The space is taken first, so that a full disk is noticed before anything is lost; where it
    cannot be taken (macOS, some network file systems) the old bytes are put back.

    Parameters
    ----------
    path, content
        What to write where.
    check
        Called at the last moment; what it raises leaves the file as it is.
    journal
        Where old and new bytes are noted meanwhile; None: nowhere.

    Raises
    ------
    OSError
        It cannot be written, or not be noted.
    """
    with open_regular(path, write=True) as file:
        if check is not None:
            check()
        before = file.read()
        if journal is not None:
            _note(journal, before, content)
        try:
            _change(file, before, content)
        except OSError:
            _put(file, before)  # if that fails, too, the note stays: `finish` is for that
            if journal is not None:
                journal.unlink()
            raise
        if journal is not None:
            journal.unlink()


def finish(journal: Path, path: Path) -> None:
    """Bring to an end what `overwrite` was interrupted in; without a journal nothing is done.

    Parameters
    ----------
    journal
        As it was given to `overwrite`.
    path
        Where the file is now.

    Raises
    ------
    OSError
        It cannot be done now.
    """
    try:
        before, content = _noted(journal)
    except FileNotFoundError:
        return
    except ValueError:  # nobody but us writes there, and we put it there whole
        logger.warning("%s is no note of a write; it is not used", journal.name)
        journal.unlink()
        return
    with contextlib.suppress(FileNotFoundError), open_regular(path, write=True) as file:
        found = file.read()
        if found not in (before, content) and is_torn(found, before, content):
            _put(file, content)
            logger.warning("%s was half written when the server ended; it is whole now", path.name)
    journal.unlink()


def finish_all(journals: Path, place_of: Callable[[UUID], Path | None]) -> None:
    """Bring to an end what a server before this one was interrupted in.

    Parameters
    ----------
    journals
        The directory of the journals, each named by its notebook's id.
    place_of
        Returns where a notebook lies, None if there is none any more.
    """
    for journal in journals.glob("[!.]*") if journals.is_dir() else ():
        try:
            place = place_of(UUID(journal.name))
            if place is None:
                journal.unlink()
            else:
                finish(journal, place)
        except ValueError:  # one that was not complete: its file was not touched
            journal.unlink(missing_ok=True)
        except OSError as exc:  # whoever opens the notebook tries again
            logger.error("%s is half written: %s", place, exc.strerror or exc)


def is_torn(found: bytes, before: bytes, content: bytes) -> bool:
    r"""Return whether a file is one content half written over another: all of it is of the two.

    Examples
    --------
    >>> is_torn(b"NEW old\0", b"old old", b"NEW NEW!"), is_torn(b"another", b"old old", b"NEW NEW!")
    (True, False)
    """
    length = max(len(before), len(content))
    if len(found) > length:
        return False
    old, new = before.ljust(length, b"\0"), content.ljust(length, b"\0")
    for start in range(0, len(found), _AT_ONCE):
        end = min(start + _AT_ONCE, len(found))
        here, one, other = found[start:end], old[start:end], new[start:end]
        if here not in (one, other) and any(
            byte not in pair for byte, *pair in zip(here, one, other, strict=True)
        ):
            return False
    return True


def _change(file: BinaryIO, before: bytes, content: bytes) -> None:
    size = len(before)
    if len(content) > size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), size, len(content) - size)
        except OSError as exc:
            file.truncate(size)
            if exc.errno not in _NO_FALLOCATE:
                raise
    _put(file, content)


def _put(file: BinaryIO, content: bytes) -> None:
    file.seek(0)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    file.truncate()
    os.fsync(file.fileno())


def _note(journal: Path, before: bytes, content: bytes) -> None:
    journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = journal.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(b"%d %d\n" % (len(before), len(content)))
            file.write(before)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, journal)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _noted(journal: Path) -> tuple[bytes, bytes]:
    head, _, body = journal.read_bytes().partition(b"\n")
    old, new = (int(size) for size in head.split())
    if len(body) != old + new:
        raise ValueError("its length is another")
    return body[:old], body[old:]
