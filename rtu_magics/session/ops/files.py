"""The other notebooks of a session's server, and this one's file."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...errors import FileUnknown, TargetError
from ..context import SessionBase

if TYPE_CHECKING:
    from ...models import File, FileStateData

__all__ = ["NotebookVerbs"]


class NotebookVerbs(SessionBase):
    """The part of a `Session` that deals with files."""

    def notebooks(self) -> list[File]:
        """Return the notebooks of the session's server, by path."""

        async def listed() -> list[File]:
            return sorted(await self.api.list_notebooks(), key=lambda file: file.path)

        return self.call(listed())

    def new_notebook(self, path: str) -> File:
        """Make an empty notebook on the session's server and return its file.

        Parameters
        ----------
        path
            With slashes, relative to the server's directory.

        Raises
        ------
        TargetError
            There is one already, or the path names no notebook.
        """
        _check(path)

        async def make() -> File:
            try:
                found = await self.api.open_file(path)
            except FileUnknown:
                return await self.api.open_file(path, create=True)
            raise TargetError(
                f"there is a notebook {found.path} already; %rtu_connect "
                f"{self.target(found.path)} opens it"
            )

        return self.call(make())

    def target(self, path: str) -> str:
        """Return what ``%rtu_connect`` takes for a notebook of this session's server.

        Parameters
        ----------
        path
            The notebook's path below the server's directory.
        """
        if self.root is None:
            return f"{self.server_url}/lab/tree/{quote(path)}"
        found = self.root / path
        here = Path.cwd().resolve()
        shown = str(found.relative_to(here) if here in found.parents else found)
        return f'"{shown}"' if " " in shown else shown

    def rename(self, path: str) -> str:
        """Give the notebook another path on its server; returns the new one.

        Parameters
        ----------
        path
            With slashes, relative to the server's directory.

        Raises
        ------
        TargetError
            It names no notebook.
        """
        _check(path)

        async def rename() -> str:
            self._renaming_to = posixpath.normpath(path)
            self.file = await self.api.rename_file(self.file.id, path)
            return self.file.path

        return self.call(rename())

    def save(self) -> str:
        """Have the notebook written to its file now; returns the path.

        Raises
        ------
        RTUError
            The file does not hold the notebook; why, and what to do, in one line.
        """
        return self.call(self._save())

    def ask_file_state(self) -> FileStateData:
        """Return whether the file on the server's disk holds the notebook now, and if not, why."""

        async def ask() -> FileStateData:
            return await self.api.get_file_state(self.file.id)

        return self.call(ask())

    async def _save(self) -> str:
        saved: Any = await self.api.save_file(self.file.id)
        return str(saved["path"]) if isinstance(saved, dict) else self.path


def _check(path: str) -> None:
    if not path.endswith(".ipynb"):
        raise TargetError(f"the name of a notebook ends in .ipynb, and {path!r} does not")
