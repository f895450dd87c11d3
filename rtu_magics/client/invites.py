"""The calls of the REST API for invitations and the people of a notebook."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from ..errors import FileUnknown
from ..models import FilePerson, Invite
from .http import RestClient

__all__ = ["InviteCalls"]

_INVITE: TypeAdapter[Invite] = TypeAdapter(Invite)
_INVITES: TypeAdapter[list[Invite]] = TypeAdapter(list[Invite])
_PEOPLE: TypeAdapter[list[FilePerson]] = TypeAdapter(list[FilePerson])


class InviteCalls:
    """Invite people to a notebook, and see who is there; part of `APIClient`."""

    rest: RestClient

    async def create_invite(
        self,
        file_id: UUID,
        role: str = "viewer",
        name: str | None = None,
        expires_in: float | None = None,
    ) -> Invite:
        """Invite somebody to a notebook; only the answer holds the link.

        Parameters
        ----------
        file_id
            The notebook.
        role
            What they may do there.
        name
            What they are called there.
        expires_in
            Seconds until the link is of no use any more; the server's choice by default.
        """
        body: dict[str, Any] = {"role": role}
        if name is not None:
            body["name"] = name
        if expires_in is not None:
            body["expires_in"] = expires_in
        return await self.rest.call(
            _INVITE, "POST", f"/v1/files/{file_id}/invites", json=body, unknown=FileUnknown
        )

    async def list_invites(self, file_id: UUID) -> list[Invite]:
        """Return the invitations to a notebook, without their links."""
        return await self.rest.call(
            _INVITES, "GET", f"/v1/files/{file_id}/invites", unknown=FileUnknown
        )

    async def change_invite(self, file_id: UUID, invite_id: UUID, role: str) -> Invite:
        """Change what somebody who came with an invitation may do, at once."""
        return await self.rest.call(
            _INVITE, "PATCH", f"/v1/files/{file_id}/invites/{invite_id}", json={"role": role}
        )

    async def revoke_invite(self, file_id: UUID, invite_id: UUID) -> None:
        """Take an invitation back; whoever is there with it has to leave."""
        await self.rest.request("DELETE", f"/v1/files/{file_id}/invites/{invite_id}")

    async def list_people(self, file_id: UUID) -> list[FilePerson]:
        """Return the people of a notebook, those who are there now among them."""
        return await self.rest.call(
            _PEOPLE, "GET", f"/v1/files/{file_id}/people", unknown=FileUnknown
        )
