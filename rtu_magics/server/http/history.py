"""The log of a notebook, going back to a version, another name, and the kernel's variables."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from ...models import Model
from ..access.people import Action
from ..access.roles import may
from ..history import MAX_LOG, LogGone, log_as_json, restore
from ..kernel.variables import NotAnswered, NotPython
from ..service import BadPath
from ..store.files import FileRow
from .base import fail, signed_in, uuid_of
from .files import FileHandler
from .shapes import file_of, version_of

__all__ = ["FileLog", "FileVariables", "RenameFile", "RestoreVersion"]

_USUAL_LOG = 500


class RestoreVersion(FileHandler):
    """Going back to a version."""

    @signed_in(Action.MANAGE)
    async def post(self, file_id: str, version_id: str) -> None:
        """Make the notebook what a version holds; answers with the version that it now is."""
        room = await self.room(file_id)
        try:
            version = await restore(
                room, room.executor, room.versions, uuid_of(version_id), self.person
            )
        except LookupError as exc:
            raise fail(404, str(exc)) from exc
        file = file_of(self.service, self.file(file_id))
        self.answer(version_of(self.service, file, version, self.base, self.person.id))


class FileLog(FileHandler):
    """What became of a notebook."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """Answer with deltas in chain order, and the notebook just before the first of them."""
        room = await self.room(file_id)
        limit, before = self._limit(), self._before()
        try:
            async with self.reading():
                parts = await log_as_json(
                    room.chain, self.service.people, self.service.slices, limit, before
                )
        except LogGone as exc:
            raise fail(404, str(exc)) from exc
        await self.answer_large(parts)

    def _limit(self) -> int:
        text = self.query("limit")
        if not text:
            return _USUAL_LOG
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_LOG):
            raise fail(422, f"limit: a number from 1 to {MAX_LOG}")
        return int(text)

    def _before(self) -> UUID | None:
        text = self.query("before_delta_id")
        try:
            return UUID(text) if text else None
        except ValueError:
            raise fail(422, "before_delta_id: the id of a delta") from None


class _NewPath(Model):
    path: str = Field(max_length=1024)


class RenameFile(FileHandler):
    """Another path for a file."""

    @signed_in(Action.MANAGE)
    async def post(self, file_id: str) -> None:
        """Move the file, on disk too; answers with it as it is now."""
        row = self.file(file_id)
        if not row.ready:
            raise fail(409, f"{row.path} is not complete yet; upload its content first")
        if row.type == "notebook":
            await self.open_room(row)  # so that the file on disk is the notebook
            row = self.file(file_id)
        path = self._new_path(row)
        try:
            await self.service.relocation.rename(row, path, by_owner=self.person.is_owner)
        except FileExistsError:
            raise fail(409, f"{path} exists already; choose another path") from None
        except PermissionError as exc:
            raise fail(403, f"{path} cannot be used: {exc.strerror or exc}") from exc
        except OSError as exc:
            raise fail(422, f"{path} cannot be used: {exc.strerror or exc}") from exc
        self.answer_file(self.file(file_id))

    def _new_path(self, row: FileRow) -> str:
        try:
            path = self.service.workspace.clean_path(self.body(_NewPath).path)
            if path != row.path:
                self.service.workspace.check_new(path)
        except BadPath as exc:
            raise fail(400, str(exc)) from exc
        if row.type == "notebook" and not path.endswith(".ipynb"):
            raise fail(422, f"{path}: the name of a notebook ends in .ipynb")
        with self.service.database.transaction() as connection:
            project_id = self.service.workspace.project_in(connection, path)
        role = self.service.people.rights.on(self.person, "projects", project_id)
        if not (self.person.is_owner or project_id == row.project_id or may(role, Action.EDIT)):
            raise fail(403, f"{path} is in a directory that you may not write to")
        return path


class FileVariables(FileHandler):
    """The variables of a notebook's kernel."""

    @signed_in(Action.EXECUTE)
    async def get(self, file_id: str) -> None:
        """Answer with names, types, shapes, sizes and the beginning of each value."""
        room = await self.room(file_id)
        try:
            self.answer(await room.variables.read())
        except NotPython as exc:
            raise fail(422, str(exc)) from exc
        except NotAnswered as exc:
            raise fail(409, str(exc)) from exc
