"""Sharing, visibility and data sources, as far as a server with one owner has them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from ...models import NIL_UUID, Model
from ..people import Action
from ..store import files as queries
from ..store.schema import files, projects, spaces
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

_TABLES = {"spaces": spaces, "projects": projects, "files": files}


class _ResourceHandler(Handler):
    def resource(self, kind: str, resource_id: str) -> UUID:
        """Return the id of a space, project or file that exists."""
        found = uuid_of(resource_id)
        with self.service.database.transaction() as connection:
            if queries.get_by_id(connection, _TABLES[kind], found) is None:
                raise fail(404, f"there is no such {kind[:-1]}")
        return found


class ShareableUsers(_ResourceHandler):
    """People to share with."""

    @signed_in(Action.MANAGE)
    async def get(self, kind: str, resource_id: str) -> None:
        """Search them by address."""
        self.resource(kind, resource_id)
        found = self.service.people.search(self.query("q"))
        self.answer({"data": [{"id": str(user.id), "handle": user.handle} for user in found]})


class _Share(Model):
    user_id: UUID
    access_level: Literal[
        "role:owner", "role:contributor", "role:commenter", "role:viewer", "role:executor"
    ]


class SharedUsers(_ResourceHandler):
    """Who something is shared with."""

    @signed_in(Action.MANAGE)
    async def put(self, kind: str, resource_id: str) -> None:
        """Share it with somebody."""
        found = self.resource(kind, resource_id)
        wanted = self.body(_Share)
        if self.service.people.find(wanted.user_id) is None:
            raise fail(404, "there is no such person")
        with self.service.database.transaction() as connection:
            queries.put_share(
                connection, kind, found, wanted.user_id, access_level=wanted.access_level
            )
        self.answer({"user_id": str(wanted.user_id), "access_level": wanted.access_level})


class SharedUser(_ResourceHandler):
    """One person that something is shared with."""

    @signed_in(Action.MANAGE)
    async def delete(self, kind: str, resource_id: str, user_id: str) -> None:
        """Share it with them no more."""
        found = self.resource(kind, resource_id)
        with self.service.database.transaction() as connection:
            if not queries.delete_share(connection, kind, found, uuid_of(user_id)):
                raise fail(404, "it is not shared with this person")
        self.nothing()


class _Visibility(Model):
    visibility: Literal["private", "open", "public"]
    visibility_default_access_level: str | None = None


class ResourceHandler(_ResourceHandler):
    """Base of handlers of one space, project or file."""

    def set_visibility(self, kind: str, resource_id: str) -> None:
        """Set the visibility that the body asks for, and answer."""
        found = self.resource(kind, resource_id)
        wanted = self.body(_Visibility)
        level = wanted.visibility_default_access_level or ""
        with self.service.database.transaction() as connection:
            queries.put_share(
                connection,
                kind,
                found,
                NIL_UUID,
                access_level=level[:32],
                visibility=wanted.visibility,
            )
        self.answer({"id": str(found), **wanted.model_dump()})


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
