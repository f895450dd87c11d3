"""Invitations to a notebook, and the people in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ...models import Model
from ..access.people import Action, Role, authorise
from ..access.roles import COMMENTER_NOTE, role_of_level
from ..notebook.presence import Somebody
from ..store import people as queries
from ..wire.outside_view import for_others
from .base import fail, signed_in, uuid_of, when
from .files import FileHandler

__all__ = ["InviteItem", "Invites", "PeopleInFile"]

_DAY = 24 * 3600.0
_DEFAULT_LIFETIME = 7 * _DAY
_LONGEST_LIFETIME = 366 * _DAY


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a name is 1 to 100 characters that can be printed")
    return text.strip()


_RoleName = Literal["viewer", "executor", "contributor", "owner", "commenter"]


class _NewInvite(Model):
    role: _RoleName = "viewer"
    name: Annotated[str, Field(max_length=100), AfterValidator(_printable)] | None = None
    expires_in: float = Field(
        default=_DEFAULT_LIFETIME, ge=1, le=_LONGEST_LIFETIME, allow_inf_nan=False
    )


class _ChangedInvite(Model):
    role: _RoleName


class Invites(FileHandler):
    """The invitations to a notebook."""

    @signed_in(Action.MANAGE)
    async def get(self, file_id: str) -> None:
        """List them, oldest first, without their tokens."""
        row = self.file(file_id)
        with self.service.database.transaction() as connection:
            found = queries.list_invites(connection, row.id)
        self.answer([_shape(invite) for invite in found])

    @signed_in(Action.MANAGE)
    async def post(self, file_id: str) -> None:
        """Invite somebody; only this answer holds the token."""
        row = self.file(file_id)
        wanted = self.body(_NewInvite)
        if row.type != "notebook":
            raise fail(422, f"{row.path} is no notebook; invite people to notebooks only")
        role = role_of_level(wanted.role) or Role.VIEWER
        invite, token = self.service.people.invite(
            row.id, role, wanted.name, wanted.expires_in, self.person
        )
        page = self.service.api_prefix.removesuffix("/api")
        listens_on = str(getattr(self.serverapp, "ip", ""))
        base = for_others(self.base, listens_on)
        answer = {
            **_shape(invite),
            "token": token,
            "url": f"{base}{page}/f/{row.id}?invite={token}",
        }
        self.answer(_with_note(answer, wanted.role), 201)


class InviteItem(FileHandler):
    """One invitation."""

    @signed_in(Action.MANAGE)
    async def patch(self, file_id: str, invite_id: str) -> None:
        """Change its role, also for whoever is here with it."""
        invite = self._invite(file_id, invite_id)
        wanted = self.body(_ChangedInvite)
        if invite.revoked_at is not None:
            raise fail(409, "the invitation was revoked; make a new one")
        self.service.people.change_invite(invite.id, role_of_level(wanted.role) or Role.VIEWER)
        answer = _shape(self._invite(file_id, invite_id))
        self.answer(_with_note(answer, wanted.role))

    @signed_in(Action.MANAGE)
    async def delete(self, file_id: str, invite_id: str) -> None:
        """Revoke it, also for whoever is here with it; doing so again changes nothing."""
        invite = self._invite(file_id, invite_id)
        if invite.revoked_at is None:
            self.service.people.revoke_invite(invite.id)
        self.nothing()

    def _invite(self, file_id: str, invite_id: str) -> Any:
        row = self.file(file_id)
        with self.service.database.transaction() as connection:
            invite = queries.find_invite(connection, uuid_of(invite_id))
        if invite is None or invite.file_id != row.id:
            raise fail(404, "there is no such invitation to this notebook")
        return invite


class PeopleInFile(FileHandler):
    """The people of a notebook."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """List who may come and who is here; those who never came are shown to owners only."""
        row = self.file(file_id)
        people = self.service.people
        with self.service.database.transaction() as connection:
            invited = [invite.user_id for invite in queries.list_invites(connection, row.id)]
            shared = queries.users_shared_with(connection, row.id)
        room = self.service.rooms.get(row.id)
        here = room.presence.by_user() if room is not None else {}
        manages = authorise(self.person, Action.MANAGE, row.id)
        answer = []
        for user_id in dict.fromkeys([people.owner.id, *here, *invited, *shared]):
            person, place = people.find(user_id), here.get(user_id)
            role = None if person is None else person.role_in(row.id)
            if person is None or role is None:
                continue
            last_seen = place.at if place is not None else people.last_seen(user_id)
            if last_seen is None and not manages and not person.is_owner:
                continue
            answer.append(
                {
                    "user_id": str(user_id),
                    "name": person.user.display_name,
                    "role": role.value,
                    "invite_id": None if person.invite_id is None else str(person.invite_id),
                    "online": place is not None,
                    "connections": 0 if place is None else place.connections,
                    "cell_id_selected": None if place is None else place.cell_id,
                    "last_seen": None if last_seen is None else last_seen.isoformat(),
                }
            )
        answer += [_in_page(other) for other in ([] if room is None else room.presence.in_pages())]
        self.answer(answer)


def _in_page(other: Somebody) -> dict[str, Any]:
    """Somebody in a page of the notebook's live document, which knows no roles."""
    return {
        "user_id": str(other.user_id),
        "name": other.name,
        "role": Role.OWNER.value,
        "online": True,
        "in_page": True,
        "connections": 1,
        "cell_id_selected": other.cell_id,
        "last_seen": other.at.isoformat(),
    }


def _shape(invite: Any) -> dict[str, Any]:
    def time_of(seconds: float | None) -> str | None:
        found = when(seconds)
        return None if found is None else found.isoformat()

    return {
        "id": str(invite.id),
        "role": invite.role,
        "name": invite.name,
        "created_at": time_of(invite.created_at),
        "expires_at": time_of(invite.expires_at),
        "revoked_at": time_of(invite.revoked_at),
        "created_by_id": str(invite.created_by_id),
    }


def _with_note(answer: dict[str, Any], role: str) -> dict[str, Any]:
    return {**answer, "message": COMMENTER_NOTE} if role == "commenter" else answer
