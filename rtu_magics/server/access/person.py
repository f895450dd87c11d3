"""Somebody who has authenticated, and what they may do."""

from __future__ import annotations

import getpass
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from ...models import NIL_UUID, User
from .rights import Rights
from .roles import Action, Role, may

__all__ = [
    "FromElsewhere",
    "NotRecognised",
    "Person",
    "authorise",
    "login_name",
    "nobody",
    "user_of",
]


class NotRecognised(Exception):
    """The token is nobody's; the message says why and what to do, in one line.

    Parameters
    ----------
    message
        For people.
    reason
        Of `RefusalReason`, where it is not for the token.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class FromElsewhere(NotRecognised):
    """No token is asked for here, but the request comes from where it must not."""


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who has authenticated; all their connections share one.

    Attributes
    ----------
    user
        As the protocol shows a user.
    rights
        Works out what they may do.
    is_owner
        Whether the server is theirs.
    invite_id, file_id, expires_at
        Of a guest's invitation: which, to which notebook, until when (seconds since the epoch).
    token
        Of a user of a hub, which may withdraw it.
    let_in
        Whether the hub still lets them in.
    """

    user: User
    rights: Rights
    is_owner: bool = False
    invite_id: UUID | None = None
    file_id: UUID | None = None
    expires_at: float | None = None
    token: str = ""
    let_in: bool = True

    @property
    def id(self) -> UUID:
        """The stable id of the user."""
        return self.user.id

    @property
    def ended(self) -> bool:
        """Whether what let them in has expired or been withdrawn."""
        return not self.let_in or (self.expires_at is not None and time.time() >= self.expires_at)

    def role_in(self, file_id: UUID) -> Role | None:
        """Return what they are in a notebook, None for nothing."""
        return self.rights.in_file(self, file_id)


def authorise(person: Person, action: Action, file_id: UUID | None = None) -> bool:
    """Return whether somebody may do something, with one notebook or with the whole server."""
    if person.is_owner:
        return True
    if file_id is None:
        return action is Action.READ and not person.ended
    return may(person.role_in(file_id), action)


def nobody() -> User:
    """Return the placeholder in the reply to a failed authentication (RTU protocol)."""
    epoch = datetime.fromtimestamp(0, timezone.utc)
    return User(id=NIL_UUID, created_at=epoch, updated_at=epoch, handle="nobody")


def user_of(row: Any, project_id: UUID) -> User:
    """Return a stored person as the protocol shows a user."""
    created = datetime.fromtimestamp(row.created_at, timezone.utc)
    return User(
        id=row.id,
        created_at=created,
        updated_at=created,
        handle=row.handle,
        first_name=row.name,
        email=row.email,
        principal_sub=f"rtu_magics|{row.kind}|{row.handle}",
        origamist_default_project_id=project_id,
    )


def login_name() -> str:
    """Return the name of whoever runs this process."""
    try:
        return getpass.getuser() or "owner"
    except (OSError, KeyError, ImportError):
        return "owner"
