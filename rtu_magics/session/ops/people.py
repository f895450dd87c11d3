"""Inviting people to the notebook, and seeing who is there."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ...errors import RTUError
from ..context import SessionBase

if TYPE_CHECKING:
    from ...models import FilePerson, Invite

__all__ = ["ROLES", "SharingVerbs", "parse_duration"]

ROLES = ("viewer", "executor", "contributor", "owner")
"""What somebody may be in a notebook; each may do all that those before it may."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_LONGEST = 366 * 86_400
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def parse_duration(text: str) -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    text
        Numbers with units: ``s``, ``m`` (minutes), ``h``, ``d``, ``w``.

    Raises
    ------
    RTUError
        It is none, or longer than a year.

    Examples
    --------
    >>> parse_duration("2h"), parse_duration("1d12h")
    (7200.0, 129600.0)
    """
    compact = text.strip().lower()
    parts = _PART.findall(compact)
    if not parts or _PART.sub("", compact).strip():
        raise RTUError(
            f"{text!r} is no duration; write a number and s, m, h, d or w, such as 2h or 3d"
        )
    seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 1 <= seconds <= _LONGEST:
        raise RTUError(f"{text} is out of range; a link lasts from 1s to 366d")
    return seconds


class SharingVerbs(SessionBase):
    """The part of a `Session` that shares."""

    def share(
        self, role: str = "viewer", *, expires: str | float | None = None, name: str | None = None
    ) -> Invite:
        """Invite somebody to this notebook.

        Parameters
        ----------
        role
            ``viewer`` reads, ``executor`` also runs, ``contributor`` also edits, ``owner`` also
            shares, renames and restores.
        expires
            How long the link is good for: seconds, or a text such as ``"2h"``; by default seven
            days.
        name
            What the person is called in the notebook.

        Returns
        -------
        Invite
            Its ``url`` is what ``%rtu_connect`` takes. Whoever has it gets in.

        Raises
        ------
        PermissionDenied
            This user is no owner of the notebook.

        Examples
        --------
        ::

            invite = session.share("contributor", expires="2h", name="Ann")
            print(invite.url)
            session.change_invite("Ann", "viewer")
            session.revoke("Ann")
        """
        check_role(role)
        seconds = parse_duration(expires) if isinstance(expires, str) else expires
        if seconds is not None and not 1 <= seconds <= _LONGEST:
            raise RTUError(f"{seconds:g} s is out of range; a link lasts from 1s to 366d")

        async def share() -> Invite:
            invite = await self.api.create_invite(self.file.id, role, name, seconds)
            self.known_invites = [*self.known_invites, invite.name or str(invite.id)[:8]]
            return invite

        return self.call(share())

    def invites(self) -> list[Invite]:
        """Return every invitation to this notebook, the oldest first, without their links."""
        return self.call(self.ask_invites())

    async def ask_invites(self) -> list[Invite]:
        """Return the invitations, as `invites` does, from within the loop."""
        found = await self.api.list_invites(self.file.id)
        self.known_invites = [i.name or str(i.id)[:8] for i in found if i.state == "open"]
        return found

    def change_invite(self, ref: str, role: str) -> Invite:
        """Give whoever comes, or came, with an invitation another role; it takes effect at once.

        Parameters
        ----------
        ref
            The invitation's name, or the beginning of its id.
        role
            The new role.
        """
        check_role(role)
        invite = self._invite(ref)
        return self.call(self.api.change_invite(self.file.id, invite.id, role))

    def revoke(self, ref: str) -> Invite:
        """Take an invitation back; whoever is here with it is told, and out at once.

        Parameters
        ----------
        ref
            The invitation's name, or the beginning of its id.
        """
        invite = self._invite(ref)
        self.call(self.api.revoke_invite(self.file.id, invite.id))
        self.invites()
        return invite

    def revoke_all(self) -> list[Invite]:
        """Take every open invitation back; returns them."""
        invites = [invite for invite in self.invites() if invite.state == "open"]
        for invite in invites:
            self.call(self.api.revoke_invite(self.file.id, invite.id))
        self.known_invites = []
        return invites

    def _invite(self, ref: str) -> Invite:
        """Return the open invitation of a name, or of an id's beginning."""
        everything = self.invites()
        invites = [invite for invite in everything if invite.state == "open"]
        found = [invite for invite in invites if invite.name == ref]
        found = found or [i for i in invites if len(ref) >= 4 and str(i.id).startswith(ref.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(str(invite.id)[:8] for invite in found)
            raise RTUError(
                f"{len(found)} invitations are called {ref!r}; name one by its id: {ids}"
            )
        spent = [i for i in everything if ref == i.name or str(i.id).startswith(ref.lower())]
        if spent:
            raise RTUError(
                f"the invitation {ref!r} is {spent[-1].state} already; %rtu_share makes a new one"
            )
        names = ", ".join(invite.name or str(invite.id)[:8] for invite in invites)
        raise RTUError(
            f"there is no invitation {ref!r}; open are: {names}"
            if names
            else f"there is no invitation {ref!r}, nor any other; %rtu_share makes one"
        )

    def who(self) -> list[FilePerson]:
        """Return the people of this notebook, those who are here first."""

        async def listed() -> list[FilePerson]:
            people = await self.api.list_people(self.file.id)
            return sorted(people, key=lambda person: not person.online)

        return self.call(listed())


def check_role(role: str) -> None:
    """Check the name of a role.

    Raises
    ------
    RTUError
        It is none.
    """
    if role not in (*ROLES, "commenter"):
        raise RTUError(f"{role!r} is no role; write viewer, executor, contributor or owner")
