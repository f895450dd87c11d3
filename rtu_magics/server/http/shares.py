"""Sharing, visibility and data sources."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from ...models import NIL_UUID, Model
from ..access.people import Action
from ..access.roles import COMMENTER_NOTE
from ..store import files as queries
from .base import Handler, fail, signed_in, uuid_of
from .files import FileHandler

__all__ = [
    "DataSources",
    "ResourceHandler",
    "ShareableUsers",
    "SharedFile",
    "SharedUser",
    "SharedUsers",
]


class ShareableUsers(Handler):
    """People to share with."""

    @signed_in(Action.MANAGE)
    async def get(self, kind: str, resource_id: str) -> None:
        """Search them by address."""
        self.resource(kind, resource_id)
        found = self.service.people.search(self.query("q"))
        self.answer({"data": [{"id": str(user.id), "handle": user.handle} for user in found]})


_Level = Literal["role:owner", "role:contributor", "role:commenter", "role:viewer", "role:executor"]


class _Share(Model):
    user_id: UUID
    access_level: _Level


class SharedUsers(Handler):
    """Who something is shared with."""

    @signed_in(Action.MANAGE)
    async def put(self, kind: str, resource_id: str) -> None:
        """Share it with somebody."""
        found = self.resource(kind, resource_id).id
        wanted = self.body(_Share)
        person = self.service.people.find(wanted.user_id)
        if person is None:
            raise fail(
                404, "the server knows nobody with this id; invite them, or let them come once"
            )
        if person.file_id is not None and not self.service.people.rights.sees(person, kind, found):
            raise fail(422, "their invitation is to another notebook, or has ended; invite them")
        with self.service.database.transaction() as connection:
            queries.put_share(
                connection, kind, found, wanted.user_id, access_level=wanted.access_level
            )
        self.service.people.changed()
        answer = {"user_id": str(wanted.user_id), "access_level": wanted.access_level}
        if wanted.access_level == "role:commenter":
            answer["message"] = COMMENTER_NOTE
        self.answer(answer)


class SharedUser(Handler):
    """One person that something is shared with."""

    @signed_in(Action.MANAGE)
    async def delete(self, kind: str, resource_id: str, user_id: str) -> None:
        """Share it with them no more."""
        found = self.resource(kind, resource_id).id
        with self.service.database.transaction() as connection:
            if not queries.delete_share(connection, kind, found, uuid_of(user_id)):
                raise fail(404, "it is not shared with this person")
        self.service.people.changed()
        self.nothing()


class _Visibility(Model):
    visibility: Literal["private", "open", "public"]
    visibility_default_access_level: _Level | None = None


class ResourceHandler(Handler):
    """Base of handlers of one space, project or file."""

    def set_visibility(self, kind: str, resource_id: str) -> None:
        """Set the visibility that the body asks for, and answer."""
        found = self.resource(kind, resource_id).id
        wanted = self.body(_Visibility)
        level = wanted.visibility_default_access_level or ""
        with self.service.database.transaction() as connection:
            queries.put_share(
                connection,
                kind,
                found,
                NIL_UUID,
                access_level=level,
                visibility=wanted.visibility,
            )
        self.service.people.changed()
        answer = {"id": str(found), **wanted.model_dump()}
        if level == "role:commenter":
            answer["message"] = COMMENTER_NOTE
        self.answer(answer)


class SharedFile(ResourceHandler):
    """A file whose visibility is set."""

    @signed_in(Action.MANAGE)
    async def patch(self, file_id: str) -> None:
        """Set the visibility."""
        self.set_visibility("files", file_id)


class DataSources(FileHandler):
    """The data sources of a notebook."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """List them: there are none yet."""
        self.file(file_id)
        self.answer([])
