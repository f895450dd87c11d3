"""Queries about people, invitations, and what is shared with whom.

Every function takes the open connection of a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, or_, select, update

from .schema import files, invites, people, projects, shares

__all__ = [
    "add_invite",
    "files_shared_with",
    "find_invite",
    "find_person",
    "invite_of_guest",
    "invites_that_hang_on",
    "list_invites",
    "others_than",
    "put_person",
    "saw_person",
    "search_people",
    "shares_on",
    "update_invite",
    "users_shared_with",
]

PersonRow = Row[Any]
InviteRow = Row[Any]


def put_person(
    connection: Connection,
    user_id: UUID,
    *,
    kind: str,
    handle: str,
    name: str,
    email: str | None = None,
) -> PersonRow:
    """Add a person, or bring what is known of them up to date; returns the row."""
    values = {"kind": kind, "handle": handle, "name": name, "email": email}
    if find_person(connection, user_id) is None:
        connection.execute(insert(people), {"id": user_id, "created_at": time.time(), **values})
    else:
        connection.execute(update(people).where(people.c.id == user_id).values(**values))
    return connection.execute(select(people).where(people.c.id == user_id)).one()


def find_person(connection: Connection, user_id: UUID) -> PersonRow | None:
    """Return a person, or None."""
    return connection.execute(select(people).where(people.c.id == user_id)).first()


def others_than(connection: Connection, kind: str, now: float) -> Sequence[PersonRow]:
    """Return the people of other kinds, without guests whose invitation has ended."""
    query = (
        select(people)
        .outerjoin(invites, invites.c.user_id == people.c.id)
        .where(people.c.kind != kind)
        .where(
            or_(
                invites.c.id.is_(None),
                invites.c.revoked_at.is_(None) & (invites.c.expires_at > now),
            )
        )
    )
    return connection.execute(query).all()


def saw_person(connection: Connection, user_id: UUID) -> None:
    """Note that a person was here just now."""
    connection.execute(
        update(people).where(people.c.id == user_id).values(last_seen_at=time.time())
    )


def search_people(connection: Connection, text: str) -> Sequence[PersonRow]:
    """Return the people whose handle, name or address is exactly this, oldest first."""
    return connection.execute(
        select(people)
        .where(or_(people.c.handle == text, people.c.name == text, people.c.email == text))
        .order_by(people.c.created_at)
    ).all()


def add_invite(
    connection: Connection,
    invite_id: UUID,
    file_id: UUID,
    user_id: UUID,
    *,
    role: str,
    name: str | None,
    created_by_id: UUID,
    created_at: float,
    expires_at: float,
) -> InviteRow:
    """Add an invitation and return it."""
    connection.execute(
        insert(invites),
        {
            "id": invite_id,
            "file_id": file_id,
            "user_id": user_id,
            "role": role,
            "name": name,
            "created_at": created_at,
            "created_by_id": created_by_id,
            "expires_at": expires_at,
        },
    )
    return connection.execute(select(invites).where(invites.c.id == invite_id)).one()


def find_invite(connection: Connection, invite_id: UUID) -> InviteRow | None:
    """Return an invitation, or None."""
    return connection.execute(select(invites).where(invites.c.id == invite_id)).first()


def invite_of_guest(connection: Connection, user_id: UUID) -> InviteRow | None:
    """Return the invitation that a guest came with, or None if they are no guest."""
    return connection.execute(select(invites).where(invites.c.user_id == user_id)).first()


def list_invites(connection: Connection, file_id: UUID) -> Sequence[InviteRow]:
    """Return all invitations to a notebook, oldest first, ended ones too."""
    return connection.execute(
        select(invites).where(invites.c.file_id == file_id).order_by(invites.c.created_at)
    ).all()


def invites_that_hang_on(connection: Connection, invite_id: UUID) -> list[UUID]:
    """Return the ids of an invitation and of those that its guest made, and theirs, and so on."""
    made = (
        select(invites.c.id, invites.c.user_id)
        .where(invites.c.id == invite_id)
        .cte("made", recursive=True)
    )
    made = made.union(
        select(invites.c.id, invites.c.user_id).join(
            made, invites.c.created_by_id == made.c.user_id
        )
    )
    return list(connection.execute(select(made.c.id)).scalars())


def update_invite(connection: Connection, invite_id: UUID, **values: Any) -> None:
    """Change columns of an invitation."""
    connection.execute(update(invites).where(invites.c.id == invite_id).values(**values))


def shares_on(
    connection: Connection, resource_ids: Iterable[UUID], user_ids: Iterable[UUID] | None = None
) -> dict[tuple[str, UUID], Row[Any]]:
    """Return what is shared of some resources, by kind of resource and user.

    Parameters
    ----------
    resource_ids
        At most one space, one project and one file.
    user_ids
        Only of these; the nil UUID stands for the default that a visibility gives.
    """
    query = select(shares).where(shares.c.resource_id.in_(list(resource_ids)))
    if user_ids is not None:
        query = query.where(shares.c.user_id.in_(list(user_ids)))
    return {(row.resource, row.user_id): row for row in connection.execute(query)}


def users_shared_with(connection: Connection, file_id: UUID) -> Sequence[UUID]:
    """Return the ids of the people who were given a role on a file, its project or its space."""
    places = connection.execute(
        select(files.c.id, files.c.project_id, projects.c.space_id)
        .join(projects, projects.c.id == files.c.project_id)
        .where(files.c.id == file_id)
    ).first()
    return [user_id for _, user_id in shares_on(connection, places or [file_id])]


def files_shared_with(connection: Connection, user_id: UUID) -> Sequence[Any]:
    """Return the files that are shared with a person: ids of file, project and space."""
    return connection.execute(
        select(files.c.id, files.c.project_id, projects.c.space_id)
        .join(shares, (shares.c.resource_id == files.c.id) & (shares.c.resource == "files"))
        .join(projects, projects.c.id == files.c.project_id)
        .where(shares.c.user_id == user_id, files.c.deleted_at.is_(None))
    ).all()
