"""Who somebody is, and what they may do: the one place that decides it.

So far everybody who holds the server's token is its owner; the table of roles is whole, so that
invitations only have to hand out the smaller ones.
"""

from __future__ import annotations

import enum
import getpass
import hmac
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid5

from ..models import NIL_UUID, User

__all__ = ["Action", "People", "Person", "Role", "authorise", "nobody"]


class Role(str, enum.Enum):
    """What somebody is in a notebook; each may do all that those before it may."""

    VIEWER = "viewer"
    EXECUTOR = "executor"
    CONTRIBUTOR = "contributor"
    OWNER = "owner"


class Action(str, enum.Enum):
    """What somebody wants to do."""

    READ = "read"
    EXECUTE = "execute"
    EDIT = "edit"
    MANAGE = "manage"  # share, rename, delete, restore


_MAY: dict[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.READ}),
    Role.EXECUTOR: frozenset({Action.READ, Action.EXECUTE}),
    Role.CONTRIBUTOR: frozenset({Action.READ, Action.EXECUTE, Action.EDIT}),
    Role.OWNER: frozenset(Action),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has authenticated.

    Attributes
    ----------
    user
        As the protocol shows a user.
    role
        What they are on this server.
    """

    user: User
    role: Role

    @property
    def id(self) -> UUID:
        """The stable id of the user."""
        return self.user.id


def authorise(person: Person, action: Action, file_id: UUID | None = None) -> bool:
    """Return whether somebody may do something, with one notebook or in general."""
    return action in _MAY[person.role]


def nobody() -> User:
    """Return the placeholder in the reply to a failed authentication (RTU protocol)."""
    epoch = datetime.fromtimestamp(0, timezone.utc)
    return User(id=NIL_UUID, created_at=epoch, updated_at=epoch, handle="nobody")


class People:
    """Recognises tokens.

    Parameters
    ----------
    identity_provider
        Jupyter Server's; its token makes an owner.
    space_id
        The server's space, from which the owner's id is derived.
    project_id
        The project of its root directory.
    local_token
        One more token that makes an owner, see `rtu_magics.server.address`.
    """

    def __init__(
        self, identity_provider: Any, space_id: UUID, project_id: UUID, local_token: str = ""
    ) -> None:
        self._provider = identity_provider
        self._local_token = local_token
        started = datetime.now(timezone.utc)
        name = _login_name()
        self.owner = Person(
            User(
                id=uuid5(space_id, "owner"),
                created_at=started,
                updated_at=started,
                handle=name,
                first_name=name,
                principal_sub="rtu_magics|owner",
                origamist_default_project_id=project_id,
            ),
            Role.OWNER,
        )

    def identify(self, token: str | None) -> Person | None:
        """Return whose token this is, or None. Compares in constant time."""
        if not self._provider.auth_enabled:
            return self.owner
        given = (token or "").encode("utf-8", "replace")
        for expected in (self._provider.token, self._local_token):
            if expected and hmac.compare_digest(given, expected.encode()):
                return self.owner
        return None

    def find(self, user_id: UUID) -> Person | None:
        """Return the person with a user id, or None."""
        return self.owner if user_id == self.owner.id else None

    def search(self, text: str) -> list[User]:
        """Return the people whose handle or address is this."""
        user = self.owner.user
        return [user] if text and text in (user.handle, user.email, str(user.id)) else []


def _login_name() -> str:
    try:
        return getpass.getuser() or "owner"
    except (OSError, KeyError, ImportError):
        return "owner"
