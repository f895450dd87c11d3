"""Files: opening by path, uploads, downloads, versions."""

from __future__ import annotations

import asyncio
import posixpath
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field

from ...errors import InvalidMessage
from ...models import Model
from ..access.people import Action, authorise, refusal
from ..file.failure import NotOnDisk
from ..file.first_version import FirstVersion
from ..file.io import notebooks_below, write_atomically
from ..room import Room
from ..service import BadPath, NotANotebook
from ..store import deltas as delta_queries
from ..store import files as queries
from ..store.files import FileRow
from ..store.schema import files
from .base import Handler, fail, signed_in, uuid_of, when
from .shapes import file_of, version_of

__all__ = [
    "CompleteUpload",
    "FileHandler",
    "FileItem",
    "FileVersions",
    "Files",
    "SaveFile",
]

MAX_UPLOAD_BYTES = 100 * 1024 * 1024


# As Jupyter Server answers what may not be written; what another program holds is a conflict.
_NOT_SAVED = {"read-only": 403, "held": 409}


class FileHandler(Handler):
    """Base of handlers of one file."""

    def file(self, file_id: str, action: Action | None = None) -> FileRow:
        """Return a file's row if the asker may do that with it; by default, what the method does.

        Raises
        ------
        tornado.web.HTTPError
            404 or 403.
        """
        row = self.service.workspace.file(uuid_of(file_id))
        if row is None or not authorise(self.person, Action.READ, row.id):
            raise fail(404, "there is no such file")
        if not authorise(self.person, action or self.action, row.id):
            raise fail(403, refusal(self.person.role_in(row.id), action or self.action))
        return row

    async def room(self, file_id: str, action: Action | None = None) -> Room:
        """Return the room of a notebook if the asker may do that there; see `file`."""
        return await self.open_room(self.file(file_id, action))

    async def open_room(self, row: FileRow) -> Room:
        """Return the room of a file.

        Raises
        ------
        tornado.web.HTTPError
            404 or 422: there is no such notebook, or it is none.
        """
        try:
            room = await self.service.room(row.id, by_owner=self.person.is_owner)
        except NotANotebook as exc:
            raise fail(422, str(exc)) from exc
        except OSError as exc:
            raise fail(404, f"{row.path} cannot be read: {exc.strerror or exc}") from exc
        if room is None:
            raise fail(404, "there is no such notebook")
        return room

    def may_use(self, path: str, file_id: UUID | None = None) -> Path:
        """Return where a path below the root lies, if the asker may make something there.

        Raises
        ------
        tornado.web.HTTPError
            403: it leads out of the root.
        """
        place = self.service.workspace.absolute(path)
        try:
            paths = self.service.workspace.paths
            paths.admit(place, by_owner=self.person.is_owner, file_id=file_id)
        except PermissionError as exc:
            raise fail(403, f"{path} cannot be used: {exc.strerror}") from exc
        return place

    def answer_file(self, row: FileRow, status: int = 200) -> None:
        """Answer with a file and a link to its content."""
        role = self.role_in(row.id)
        self.answer(file_of(self.service, row, role, self.base, self.person.id), status)

    def role_in(self, file_id: UUID) -> str | None:
        """Return what the asker is in a file, as the API says it."""
        role = self.person.role_in(file_id)
        return None if role is None else role.value


class _NewFile(Model):
    project_id: UUID
    path: str = Field(max_length=1024)
    type: Literal["file", "notebook"]
    file_size_bytes: int | None = Field(default=None, ge=0)


class Files(FileHandler):
    """All files."""

    @signed_in(Action.READ)
    async def get(self) -> None:
        """List the notebooks below the root; new ones get their ids here."""
        if self.person.file_id is not None:  # a guest has one
            row = self.service.workspace.file(self.person.file_id)
            found = [] if row is None else [row]
            self.answer([file_of(self.service, row, self.role_in(row.id)) for row in found])
            return
        paths = await asyncio.to_thread(
            lambda: [
                p.relative_to(self.service.workspace.root).as_posix()
                for p in notebooks_below(self.service.workspace.root)
            ]
        )
        found = []
        for path in paths:
            try:
                owner = self.person.is_owner
                found.append(await self.service.open_path(path, by_owner=owner))
            except (ValueError, OSError):
                continue
        self.answer(
            [
                file_of(self.service, row, self.role_in(row.id))
                for row in found
                if authorise(self.person, Action.READ, row.id)
            ]
        )

    @signed_in(Action.EDIT)
    async def post(self) -> None:
        """Reserve a file and say where its content goes."""
        wanted = self.body(_NewFile)
        if (wanted.file_size_bytes or 0) > MAX_UPLOAD_BYTES:
            raise fail(413, f"a file may have at most {MAX_UPLOAD_BYTES} bytes")
        project = self.resource("projects", wanted.project_id)
        try:
            path = self.service.workspace.clean_path(posixpath.join(project.directory, wanted.path))
            self.service.workspace.check_new(self.service.workspace.clean_path(wanted.path))
        except BadPath as exc:
            raise fail(422, str(exc)) from exc
        self.may_use(path)
        if self.service.workspace.absolute(path).exists():
            raise fail(409, f"{wanted.path} exists already; choose another path")
        with self.service.database.transaction() as connection:
            before = queries.file_by_path(connection, path)
            if before is not None:
                queries.mark_deleted(connection, files, before.id)
            row = queries.create_file(
                connection,
                project.id,
                path,
                wanted.type,
                ready=False,
                created_by_id=self.person.id,
                size=wanted.file_size_bytes,
                mimetype=self.service.workspace.mimetype(path),
            )
            upload_id = queries.create_upload(connection, row.id)
        file = file_of(self.service, row, self.role_in(row.id), self.base, self.person.id)
        upload_url = self.service.links.upload(upload_id, self.base, self.person.id)
        info = {
            "upload_id": str(upload_id),
            "key": f"files/{row.id}",
            "parts": [{"part_number": 1, "upload_url": upload_url}],
        }
        answer = {**file.model_dump(mode="json"), "presigned_upload_url_info": info}
        self.answer(answer, 201)


class _Part(Model):
    etag: str
    part_number: int = 1


class _Complete(Model):
    upload_id: UUID
    key: str
    parts: list[_Part] = Field(min_length=1)


class CompleteUpload(FileHandler):
    """The end of an upload."""

    @signed_in(Action.EDIT)
    async def post(self, file_id: str) -> None:
        """Make the uploaded content the file's; a notebook gets its version 0."""
        row = self.file(file_id)
        if row.ready:
            raise fail(409, f"{row.path} is complete already; reserve another upload")
        wanted = self.body(_Complete)
        with self.service.database.transaction() as connection:
            upload = queries.get_upload(connection, wanted.upload_id)
        if upload is None or upload.file_id != row.id:
            raise fail(404, "there is no such upload of this file")
        if upload.etag is None or wanted.parts[0].etag.strip('"') != upload.etag:
            raise fail(422, "the part's etag is not that of the uploaded content")
        staged = self.service.workspace.staged_upload(upload.id)
        content = await asyncio.to_thread(staged.read_bytes)
        target = self.may_use(row.path, row.id)
        try:
            if row.type == "notebook":
                found, on_disk = await asyncio.to_thread(FirstVersion.of_upload, content)
            if target.exists():
                raise fail(409, f"{row.path} exists by now; choose another path")
            if row.type == "notebook":
                await asyncio.to_thread(write_atomically, target, on_disk)
                await self.service.workspace.register(row, found, self.person.id)
            else:
                await asyncio.to_thread(write_atomically, target, content)
        except InvalidMessage as exc:
            raise fail(422, str(exc)) from exc
        except OSError as exc:
            raise fail(422, f"{row.path} cannot be written: {exc.strerror or exc}") from exc
        with self.service.database.transaction() as connection:
            queries.delete_upload(connection, upload.id)
            queries.update_file(connection, row.id, ready=True, size=len(content))
        await asyncio.to_thread(staged.unlink, missing_ok=True)
        self.nothing()


class FileItem(FileHandler):
    """One file."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """Answer with the file and a link to its current content."""
        row = self.file(file_id)
        if row.ready and row.type == "notebook":
            await self.open_room(row)
            row = self.file(file_id)
        self.answer_file(row)

    @signed_in(Action.MANAGE)
    async def delete(self, file_id: str) -> None:
        """Delete the file, also on disk."""
        row = self.file(file_id)
        file = file_of(self.service, row, self.role_in(row.id))
        try:
            at = await self.service.delete_file(row, by_owner=self.person.is_owner)
        except PermissionError as exc:
            raise fail(403, f"{row.path} cannot be deleted: {exc.strerror or exc}") from exc
        file.deleted_at = when(at)
        self.answer(file)


class SaveFile(FileHandler):
    """Saving to disk."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """Answer with whether the file holds the notebook, and if not, why."""
        self.answer((await self.room(file_id)).disk.shown())

    @signed_in(Action.EDIT)
    async def post(self, file_id: str) -> None:
        """Bring the file on disk up to date; the answer is good only if it then is."""
        room = await self.room(file_id)
        try:
            await room.disk.save()
        except NotOnDisk as exc:
            status = _NOT_SAVED.get(room.disk.state.condition, 507)
            raise fail(status, f"not saved: {exc}") from exc
        self.answer({"path": room.path, "saved_at": datetime.now(timezone.utc).isoformat()})


class _NewVersion(Model):
    name: str | None = Field(default=None, max_length=200)


class FileVersions(FileHandler):
    """The versions of a file."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """List them, newest first."""
        row = self.file(file_id)
        file = file_of(self.service, row)
        async with self.reading():
            rows = await self.service.database.read(
                lambda connection: delta_queries.list_versions(connection, row.id)
            )
            whose, base = self.person.id, self.base
            self.answer([version_of(self.service, file, one, base, whose) for one in rows])

    @signed_in(Action.EDIT)
    async def post(self, file_id: str) -> None:
        """Save the notebook as it is as the next version."""
        wanted = self.body(_NewVersion)
        room = await self.room(file_id)
        version = await room.save_version(wanted.name, self.person)
        file = file_of(self.service, self.file(file_id))
        self.answer(version_of(self.service, file, version, self.base, self.person.id), 201)
