"""People, spaces and projects; a project is a directory below the server's root."""

from __future__ import annotations

import os
import re
from uuid import UUID

from pydantic import Field

from ..._version import __version__
from ...models import Model, ServerInfo
from ..access.people import Action
from ..service import BadPath
from ..store import files as queries
from ..store.schema import projects, spaces
from .base import Handler, fail, signed_in, when
from .shapes import file_of, project_of, space_of
from .shares import ResourceHandler
from .websocket import PROTOCOL

__all__ = ["Info", "Me", "ProjectFiles", "ProjectItem", "Projects", "SpaceItem", "Spaces"]

_MAX_NAME = 200


class Info(Handler):
    """What this server is."""

    @signed_in(Action.READ)
    async def get(self) -> None:
        """Answer with the server's description."""
        database = self.service.database
        self.answer(
            ServerInfo(
                version=__version__,
                protocol=PROTOCOL,
                root_dir=str(self.service.workspace.root) if self.person.is_owner else "",
                space_id=database.space_id,
                project_id=database.project_id,
                pid=os.getpid(),
                pages=self.service.pages(),
            )
        )


class Me(Handler):
    """Who asks."""

    @signed_in(Action.READ)
    async def get(self) -> None:
        """Answer with the user."""
        self.answer(self.person.user)


class _Named(Model):
    name: str = Field(min_length=1, max_length=_MAX_NAME)
    description: str | None = Field(default=None, max_length=10_000)


class Spaces(Handler):
    """All spaces."""

    @signed_in(Action.ADMINISTER)
    async def post(self) -> None:
        """Add a space."""
        wanted = self.body(_Named)
        with self.service.database.transaction() as connection:
            row = queries.create_space(connection, wanted.name, wanted.description)
        self.answer(space_of(row), 201)


class SpaceItem(ResourceHandler):
    """One space."""

    @signed_in(Action.READ)
    async def get(self, space_id: str) -> None:
        """Answer with the space."""
        self.answer(space_of(self.resource("spaces", space_id)))

    @signed_in(Action.MANAGE)
    async def delete(self, space_id: str) -> None:
        """Delete the space; the files of its projects stay on disk."""
        found = self.resource("spaces", space_id).id
        if found == self.service.database.space_id:
            raise fail(403, "the space of the server's own directory cannot be deleted")
        with self.service.database.transaction() as connection:
            for project in queries.list_projects(connection, found):
                queries.mark_deleted(connection, projects, project.id)
            queries.mark_deleted(connection, spaces, found)
        self.service.people.changed()
        self.nothing()

    @signed_in(Action.MANAGE)
    async def patch(self, space_id: str) -> None:
        """Set the visibility."""
        self.set_visibility("spaces", space_id)


class SpaceProjects(Handler):
    """The projects of a space."""

    @signed_in(Action.READ)
    async def get(self, space_id: str) -> None:
        """List them."""
        space = self.resource("spaces", space_id)
        with self.service.database.transaction() as connection:
            rows = queries.list_projects(connection, space.id)
        sees = self.service.people.rights.sees
        self.answer([project_of(row) for row in rows if sees(self.person, "projects", row.id)])


class _NewProject(_Named):
    space_id: UUID
    with_empty_notebook: bool = False


class Projects(Handler):
    """All projects."""

    @signed_in(Action.EDIT)
    async def post(self) -> None:
        """Add a project, with a directory of its own."""
        wanted = self.body(_NewProject)
        stem = re.sub(r"[^\w. -]+", "-", wanted.name).strip(". -")[:80] or "project"
        self.resource("spaces", wanted.space_id)
        with self.service.database.transaction() as connection:
            taken = queries.live_project_directories(connection)
        directory, number = stem, 1
        while directory in taken or self.service.workspace.absolute(directory).exists():
            number += 1
            directory = f"{stem}-{number}"
        try:
            self.service.workspace.clean_path(directory)
            self.service.workspace.absolute(directory).mkdir(parents=True)
        except (OSError, BadPath) as exc:
            raise fail(422, f"the project's directory cannot be made: {exc}") from exc
        with self.service.database.transaction() as connection:
            row = queries.create_project(
                connection, wanted.space_id, wanted.name, wanted.description, directory
            )
        if wanted.with_empty_notebook:
            path = f"{directory}/Untitled.ipynb"
            await self.service.open_path(path, create=True, by_owner=self.person.is_owner)
        self.answer(project_of(row), 201)


class ProjectItem(ResourceHandler):
    """One project."""

    @signed_in(Action.READ)
    async def get(self, project_id: str) -> None:
        """Answer with the project."""
        self.answer(project_of(self.resource("projects", project_id)))

    @signed_in(Action.MANAGE)
    async def delete(self, project_id: str) -> None:
        """Delete the project; its files stay on disk."""
        row = self.resource("projects", project_id)
        found = row.id
        if found == self.service.database.project_id:
            raise fail(403, "the project of the server's own directory cannot be deleted")
        with self.service.database.transaction() as connection:
            at = queries.mark_deleted(connection, projects, found)
        self.service.people.changed()
        project = project_of(row)
        project.deleted_at = when(at)
        self.answer(project)

    @signed_in(Action.MANAGE)
    async def patch(self, project_id: str) -> None:
        """Set the visibility."""
        self.set_visibility("projects", project_id)


class ProjectFiles(Handler):
    """The files of a project."""

    @signed_in(Action.READ)
    async def get(self, project_id: str) -> None:
        """List them, without links to their content."""
        project = self.resource("projects", project_id)
        with self.service.database.transaction() as connection:
            rows = queries.list_files(connection, project.id)
        roles = ((row, self.person.role_in(row.id)) for row in rows)
        self.answer([file_of(self.service, row, role.value) for row, role in roles if role])
