"""What somebody may do with a notebook: the one place where roles are worked out.

The first that says something decides: the server's own token (owner); a role given on the file, on
its project, on its space; the visibility of file, project or space, whichever is nearest. An
invitation's role holds for its own notebook, unless the visibility gives more: what everybody gets
is not taken from those who were invited. A hub's users get the server's default where no visibility
was set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from ...models import NIL_UUID
from ..store import Database
from ..store import files as file_queries
from ..store import people as queries
from ..store.schema import files, projects, spaces
from .roles import Action, Role, may, role_of_level

__all__ = ["Rights", "Somebody"]

_Resource = tuple[str, UUID]
_MOST_REMEMBERED = 10_000
_RANK = {role: rank for rank, role in enumerate(Role)}


class Somebody(Protocol):
    """What of a person decides on their rights; see `person.Person`."""

    @property
    def id(self) -> UUID:
        """Their stable id."""

    @property
    def is_owner(self) -> bool:
        """Whether the server is theirs."""

    @property
    def ended(self) -> bool:
        """Whether what let them in has expired or been withdrawn."""

    @property
    def invite_id(self) -> UUID | None:
        """Of a guest: their invitation."""

    @property
    def file_id(self) -> UUID | None:
        """Of a guest: the notebook that it is for."""


class Rights:
    """Works out roles, and remembers them until something changes.

    Parameters
    ----------
    database
        The store.
    hub_role
        What a hub's users are where nothing else was said; None lets them see nothing.
    """

    def __init__(self, database: Database, hub_role: Role | None = None) -> None:
        self._database = database
        self._hub_role = hub_role
        self._known: dict[tuple[UUID, UUID], Role | None] = {}

    def forget(self) -> None:
        """Work everything out anew: something was shared, changed or revoked."""
        self._known.clear()

    def in_file(self, person: Somebody, file_id: UUID) -> Role | None:
        """Return what somebody is in a notebook or other file, None for nothing."""
        if person.is_owner:
            return Role.OWNER
        if person.ended or (person.file_id is not None and person.file_id != file_id):
            return None
        key = (person.id, file_id)
        if key not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            with self._database.transaction() as connection:
                self._known[key] = self._work_out(connection, person, file_id)
        return self._known[key]

    def on(self, person: Somebody, kind: str, resource_id: UUID) -> Role | None:
        """Return what somebody is in a space, project or file (`kind` in the plural)."""
        if kind == "files" or person.is_owner:
            return self.in_file(person, resource_id)
        if person.ended or person.file_id is not None:
            return None
        with self._database.transaction() as connection:
            project = space = None
            if kind == "projects":
                project = file_queries.get_by_id(connection, projects, resource_id)
            space_id = project.space_id if project is not None else resource_id
            space = file_queries.get_by_id(connection, spaces, space_id)
            chain = [
                (name, row.id)
                for name, row in (("projects", project), ("spaces", space))
                if row is not None
            ]
            given, usual = _on_chain(connection, chain, person.id)
        return given or (self._hub_role if usual == "unset" else role_of_level(usual))

    def sees(self, person: Somebody, kind: str, resource_id: UUID) -> bool:
        """Return whether somebody may know of a space or project, if only for a file in it."""
        if may(self.on(person, kind, resource_id), Action.READ):
            return True
        if person.ended or kind == "files":
            return False
        with self._database.transaction() as connection:
            if person.file_id is None:
                shared = queries.files_shared_with(connection, person.id)
                return any(resource_id in (row.project_id, row.space_id) for row in shared)
            file = file_queries.get_by_id(connection, files, person.file_id)
            if file is None or kind == "projects":
                return file is not None and file.project_id == resource_id
            project = file_queries.get_by_id(connection, projects, file.project_id)
            return project is not None and project.space_id == resource_id

    def _work_out(self, connection: Connection, person: Somebody, file_id: UUID) -> Role | None:
        file = file_queries.get_by_id(connection, files, file_id)
        if file is None:
            return None
        invited: Role | None = None
        if person.invite_id is not None:
            invite = queries.find_invite(connection, person.invite_id)
            if invite is None or invite.revoked_at is not None:
                return None
            invited = Role(invite.role)
        chain: list[_Resource] = [("files", file_id)]
        project = file_queries.get_by_id(connection, projects, file.project_id)
        if project is not None:
            chain += [("projects", project.id), ("spaces", project.space_id)]
        given, usual = _on_chain(connection, chain, person.id)
        if given is not None:
            return given
        if person.invite_id is None:
            return self._hub_role if usual == "unset" else role_of_level(usual)
        found = [role for role in (role_of_level(usual), invited) if role is not None]
        return max(found, key=_RANK.__getitem__)


def _on_chain(
    connection: Connection, chain: Sequence[_Resource], user_id: UUID
) -> tuple[Role | None, str]:
    """Return the nearest role that was given, and the nearest default.

    The default is an access level, empty for private, ``unset`` when no visibility was ever set.
    """
    found = queries.shares_on(connection, [one for _, one in chain], (user_id, NIL_UUID))
    given = next(
        (
            role
            for kind, _ in chain
            if (row := found.get((kind, user_id))) and (role := role_of_level(row.access_level))
        ),
        None,
    )
    for kind, _ in chain:
        row = found.get((kind, NIL_UUID))
        if row is not None:
            return given, "" if row.visibility == "private" else row.access_level or "role:viewer"
    return given, "unset"
