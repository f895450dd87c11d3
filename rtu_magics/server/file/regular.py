"""Opening what may be no file any more: a pipe would keep its reader for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["NotRegular", "open_regular", "read_regular"]

_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_KINDS = (
    (stat.S_ISDIR, "Is a directory"),
    (stat.S_ISFIFO, "Is a pipe"),
    (stat.S_ISSOCK, "Is a socket"),
)


class NotRegular(OSError):
    """What lies at a path is no file that holds anything."""


def open_regular(path: Path, *, write: bool = False) -> BinaryIO:
    """Open a file to read its bytes, and with `write` to change them.

    Raises
    ------
    NotRegular
        It is a directory, a pipe, a device.
    OSError
        It cannot be opened.
    """
    try:
        descriptor = os.open(path, _FLAGS | (os.O_RDWR if write else os.O_RDONLY))
    except OSError as exc:
        if exc.errno in (errno.EISDIR, errno.ENXIO, errno.ENODEV):  # ENXIO: a socket
            raise _refusal(path, exc.errno) from exc
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _refusal(path, errno.EINVAL, mode)
    return os.fdopen(descriptor, "r+b" if write else "rb", buffering=0 if write else -1)


def read_regular(path: Path) -> bytes:
    """Return the bytes of a file; raises as `open_regular`."""
    with open_regular(path) as file:
        return file.read()


def _refusal(path: Path, number: int, mode: int | None = None) -> NotRegular:
    if mode is None:
        mode = path.stat().st_mode
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "Is a device")
    return NotRegular(number, kind, str(path))
