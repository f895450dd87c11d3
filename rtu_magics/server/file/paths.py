"""Which place a path from outside names, and whether it may be touched.

Names are checked when they come in, links whenever they are used: both a directory and a notebook
can become a symbolic link at any time, by anybody whose code a kernel here runs.

A link within the root to a place within the root is a place like any other. Beyond the root, this
server's owner may go as with Jupyter's own contents manager: what an owner opens there or renames
to there is let out, for as long as it leads to that very place. Nobody else leaves the root, be it
a guest by invitation or a user of a hub; and a notebook that *becomes* such a link while it is open
is followed for nobody, until all have left it and an owner opens it anew.
"""

from __future__ import annotations

import errno
import mimetypes
import os
import posixpath
from pathlib import Path
from uuid import UUID

__all__ = ["LEADS_OUT", "BadPath", "Paths", "mimetype_of"]

LEADS_OUT = "it leads out of the directory that is served"
_MAX_PATH = 1024
_LONGEST_NAME = 255  # bytes; of the file systems that are in use, none takes more
_LONGEST_NEW_NAME = 200  # leaves what is needed for what programs put before and after it


class BadPath(ValueError):
    """A path that cannot name a file below the root."""


class Paths:
    """The paths below one root.

    Parameters
    ----------
    root
        The directory that is served, its real path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._let_out: dict[UUID, Path] = {}  # file id → the real place beyond the root

    def clean(self, path: str) -> str:
        """Return a path below the root in its normal form.

        Raises
        ------
        BadPath
            It leads outside, into a hidden place, or is none.
        """
        if not path or len(path) > _MAX_PATH or any(c < " " or c == "\x7f" for c in path):
            raise BadPath("a path is 1 to 1024 characters, none of them NUL or a line break")
        if os.path.isabs(path):
            try:
                path = Path(os.path.realpath(path)).relative_to(self.root).as_posix()
            except ValueError:
                raise BadPath(
                    f"{path[:200]} is not below the directory that is served; give a path below it"
                ) from None
        # Elsewhere than on Windows a backslash is a character of a name like any other.
        clean = posixpath.normpath(path.replace("\\", "/") if os.sep == "\\" else path)
        parts = clean.split("/")
        if clean.startswith("/") or ".." in parts or clean in (".", ""):
            raise BadPath(f"{path[:200]} leads out of the directory that is served")
        if any(part.startswith(".") for part in parts):
            raise BadPath(f"{path[:200]} is hidden; choose a path without names that begin with .")
        if any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
            raise BadPath(f"a name in the path is longer than {_LONGEST_NAME} bytes")
        return clean

    @staticmethod
    def check_new(path: str) -> None:
        """Check that a path in its normal form makes a name that works everywhere.

        Names that are there already are opened as they are; nobody has to make more of that kind.

        Raises
        ------
        BadPath
            It does not.
        """
        if "\\" in path:
            raise BadPath(f"{path[:200]} has a backslash in it; folders are written with /")
        for part in path.split("/"):
            if part != part.strip() or part.endswith("."):
                raise BadPath(
                    f"{part[:200]!r} begins or ends with a space or ends with a dot, which not "
                    f"every system can store; choose another name"
                )
            if len(os.fsencode(part)) > _LONGEST_NEW_NAME:
                raise BadPath(f"{part[:40]}… is longer than {_LONGEST_NEW_NAME} bytes; shorten it")

    def absolute(self, path: str) -> Path:
        """Return where a path below the root lies on disk, links not followed."""
        return self.root.joinpath(*path.split("/"))

    # Links

    def why_outside(self, place: Path, file_id: UUID | None = None) -> str:
        """Return why a place is not to be touched, in a few words; "" if it may be.

        Parameters
        ----------
        place
            On disk; it need not exist.
        file_id
            Whose file it is, if it is one that is known: an owner may have let it out.
        """
        real = Path(os.path.realpath(place))
        if self._is_within(real) or (file_id is not None and self._let_out.get(file_id) == real):
            return ""
        return LEADS_OUT

    def admit(self, place: Path, *, by_owner: bool, file_id: UUID | None = None) -> None:
        """Check that somebody may open, make or move a file at a place; note what an owner opens.

        Parameters
        ----------
        place, file_id
            As in `why_outside`.
        by_owner
            Whether it is an owner of this server.

        Raises
        ------
        PermissionError
            It leads out, and they may not go there.
        """
        if not self.why_outside(place, file_id):
            return
        if not by_owner:
            raise PermissionError(
                errno.EACCES, f"{LEADS_OUT}, where only its owner may open anything"
            )
        if file_id is not None:
            self._let_out[file_id] = Path(os.path.realpath(place))

    def check(self, place: Path, file_id: UUID | None = None) -> None:
        """Check that a place may be touched at this moment.

        Raises
        ------
        PermissionError
            It leads out.
        """
        self.admit(place, by_owner=False, file_id=file_id)

    def _is_within(self, real: Path) -> bool:
        """Whether a real path is below the root, and not in what is hidden there."""
        try:
            parts = real.relative_to(self.root).parts
        except ValueError:
            return False
        return not any(part.startswith(".") for part in parts)


def mimetype_of(path: str) -> str:
    """Return the mimetype that a file's name suggests."""
    if path.endswith(".ipynb"):
        return "application/x-ipynb+json"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
