"""One server per directory: two copies of one notebook would drift apart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..store import StoreError

__all__ = ["STATE_DIR", "DirectoryHeld", "DirectoryLock", "is_held"]

STATE_DIR = ".rtu_magics"
"""Directory below the served one that holds what a server keeps, its lock ``rtu.lock`` for one."""


class DirectoryHeld(StoreError):
    """Another server has the directory, be it for its last moments only."""


class DirectoryLock:
    """A lock that ends with the process that holds it.

    Parameters
    ----------
    path
        The lock file; it is made when missing and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        DirectoryHeld
            Another server has it.
        StoreError
            The directory cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise StoreError(
                f"cannot write {self._path.parent} ({exc.strerror}); serve a directory "
                "that you may write to"
            ) from exc
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            raise DirectoryHeld(
                f"another server of rtu_magics already serves {self._path.parent.parent}; "
                "connect to that one, or stop it"
            ) from None
        self._handle = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def is_held(path: Path) -> bool:
        """Return False: looking would take the lock."""
        return False

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_held(path: Path) -> bool:
        """Return whether a process holds the lock of a directory, by its file."""
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:  # there is none, or it is another user's
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as exc:
            return isinstance(exc, BlockingIOError)
        finally:
            os.close(handle)
        return False
