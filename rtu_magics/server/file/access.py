"""Whether the system lets this server write a file, and how it is replaced without losing anything.

As a rule a file is replaced in one step, so that nobody ever reads half of it. Where that would
lose something that belongs to the file and not to its content (hard links, an owner or access list
that this user cannot give away, a directory that takes no new files) its bytes are changed in
place, as Jupyter Server does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from .in_place import overwrite

__all__ = ["why_not_writable", "write_atomically"]

_NO_XATTRS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENODATA, errno.ENOSYS)


class _CannotKeep(OSError):
    """A new file would not have what the old one has."""


def why_not_writable(path: Path) -> str:
    """Return why an existing file may not be written, in a few words; "" if it may or is missing.

    The superuser may write whatever its mode says, here as in Jupyter Server.
    """
    effective = os.access in os.supports_effective_ids
    try:
        found = path.stat()
    except OSError:
        return ""
    if stat.S_ISDIR(found.st_mode) or os.access(path, os.W_OK, effective_ids=effective):
        return ""
    if hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY:
        return "its file system is mounted read-only"
    return f"mode {stat.S_IMODE(found.st_mode):04o}, owned by {_owner(found)}"


def _owner(found: os.stat_result) -> str:
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return pwd.getpwuid(found.st_uid).pw_name
    return f"user {found.st_uid}"


def write_atomically(
    path: Path,
    content: bytes,
    check: Callable[[], None] | None = None,
    journal: Path | None = None,
) -> None:
    """Give a file another content, keeping all else that it is; a symbolic link stays one.

    Parameters
    ----------
    path, content
        What to write where.
    check
        Called at the last moment; what it raises leaves the file as it is.
    journal
        As in `in_place.overwrite`, where the file's bytes have to be changed in place.

    Raises
    ------
    PermissionError
        The file may not be written, though its directory may.
    OSError
        It cannot be written.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    if old is not None:
        why = why_not_writable(path)
        if why:
            raise PermissionError(errno.EACCES, f"it is read-only: {why}", str(path))
        if old.st_nlink > 1:
            overwrite(path, content, check, journal)
            return
    try:
        _replace(path, content, old, check)
    except _CannotKeep:
        overwrite(path, content, check, journal)
    except PermissionError:  # of the directory: the file itself may be written
        if old is None:
            raise
        overwrite(path, content, check, journal)


def _replace(
    path: Path, content: bytes, old: os.stat_result | None, check: Callable[[], None] | None
) -> None:
    prefix = f".{path.name[:40]}."
    handle, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            if old is not None:
                _keep(path, temporary, old)
            else:
                umask = os.umask(0)
                os.umask(umask)
                os.chmod(temporary, 0o666 & ~umask)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check()
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _keep(path: Path, temporary: str, old: os.stat_result) -> None:
    """Give a new file the owner, mode, access list and attributes of the old one."""
    made = os.stat(temporary)
    if hasattr(os, "chown") and (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.chown(temporary, old.st_uid, old.st_gid)
        except OSError as exc:
            raise _CannotKeep("its owner or group") from exc
    os.chmod(temporary, stat.S_IMODE(old.st_mode))  # after chown, which may take bits away
    if not hasattr(os, "listxattr"):
        return
    try:
        for name in os.listxattr(path):
            os.setxattr(temporary, name, os.getxattr(path, name))
    except OSError as exc:
        if exc.errno not in _NO_XATTRS:
            raise _CannotKeep("its attributes") from exc
