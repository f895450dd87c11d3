"""What signed links lead to: where an upload goes, and the content of versions and files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Hashable
from uuid import UUID

from ..access.people import Action, Person, authorise
from ..file.io import write_atomically
from ..file.regular import read_regular
from ..process.slices import parts_of
from ..store import deltas as delta_queries
from ..store import files as queries
from .base import Handler, fail, public, uuid_of
from .files import MAX_UPLOAD_BYTES

__all__ = ["Upload", "VersionContent"]


class _LinkHandler(Handler):
    """Base of what a signed link leads to."""

    @property
    def reader(self) -> Hashable:
        """For whom the link was made, or else where the request comes from."""
        whose = self.query("for")
        return uuid_of(whose) if whose else self.request.remote_ip

    def check_link(self, path: str, again: str) -> None:
        """Check that the request came by a link of ours.

        Parameters
        ----------
        path
            Below the REST API's prefix.
        again
            What to do if it did not.
        """
        given = (self.query(name) for name in ("expires", "sig", "for"))
        if not self.service.links.valid(path, *given):
            raise fail(403, f"the link is not valid or has expired; {again}")

    def check_reader(self, file_id: UUID, action: Action = Action.READ) -> Person | None:
        """Return whom the link was made for, if they still may: it outlives no invitation."""
        whose = self.query("for")
        person = self.service.people.find(uuid_of(whose)) if whose else None
        if whose and (person is None or not authorise(person, action, file_id)):
            raise fail(403, "the link is no longer good: what let its reader in has ended")
        return person


class Upload(_LinkHandler):
    """Where an upload goes."""

    @public
    async def put(self, upload_id: str) -> None:
        """Take the content of an upload; the link is the credential."""
        path = f"/v1/uploads/{upload_id}"
        self.check_link(path, "reserve the upload again")
        found = uuid_of(upload_id)
        content = self.request.body
        if len(content) > MAX_UPLOAD_BYTES:
            raise fail(413, f"a file may have at most {MAX_UPLOAD_BYTES} bytes")
        with self.service.database.transaction() as connection:
            upload = queries.get_upload(connection, found)
        if upload is None:
            raise fail(404, "the upload was completed already")
        self.check_reader(upload.file_id, Action.EDIT)
        etag = hashlib.sha256(content).hexdigest()[:32]
        target = self.service.workspace.staged_upload(found)
        await asyncio.to_thread(write_atomically, target, content)
        with self.service.database.transaction() as connection:
            queries.set_upload_etag(connection, found, etag)
        self.set_header("ETag", f'"{etag}"')
        self.nothing(200)

    def compute_etag(self) -> str | None:
        """Leave the header to `put`."""
        return None


class VersionContent(_LinkHandler):
    """The content behind a signed link."""

    @public
    async def get(self, kind: str, found_id: str) -> None:
        """Answer with a version's notebook, or a plain file's bytes."""
        path = f"/v1/{kind}/{found_id}/content"
        self.check_link(path, "ask for the file again")
        if kind == "versions":
            version_id = uuid_of(found_id)
            with self.service.database.transaction() as connection:
                version = delta_queries.get_version(connection, version_id)
            if version is None:
                raise fail(404, "there is no such version")
            self.check_reader(version.file_id)
            async with self.reading():
                found = await self.service.database.read(
                    lambda connection: delta_queries.version_content(connection, version_id)
                )
            if found is None:
                raise fail(404, "there is no such version")
            await self._send(found[0], "application/json")
        else:
            row = self.service.workspace.file(uuid_of(found_id))
            if row is None or not row.ready:
                raise fail(404, "there is no such file")
            reader = self.check_reader(row.id)
            by_owner = reader is not None and reader.is_owner
            place = self.service.workspace.absolute(row.path)
            try:
                self.service.workspace.paths.admit(place, by_owner=by_owner, file_id=row.id)
                content = await asyncio.to_thread(read_regular, place)
            except OSError as exc:
                raise fail(404, f"{row.path} cannot be read: {exc.strerror or exc}") from exc
            await self._send(content, row.mimetype or "application/octet-stream")

    async def _send(self, content: bytes, mimetype: str) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Disposition", "attachment")
        await self.answer_large(list(parts_of(content)), mimetype)
