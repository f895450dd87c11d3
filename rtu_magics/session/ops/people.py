"""Inviting people to the notebook, and seeing who is there; see the verbs of `Session`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ...errors import RTUError
from ..context import Context

if TYPE_CHECKING:
    from ...models import FilePerson, Invite

__all__ = [
    "ROLES",
    "change_invite",
    "check_role",
    "invites",
    "parse_duration",
    "revoke",
    "revoke_all",
    "share",
    "who",
]

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


async def share(
    context: Context,
    role: str = "viewer",
    *,
    expires: str | float | None = None,
    name: str | None = None,
) -> Invite:
    """Invite somebody."""
    check_role(role)
    seconds = parse_duration(expires) if isinstance(expires, str) else expires
    if seconds is not None and not 1 <= seconds <= _LONGEST:
        raise RTUError(f"{seconds:g} s is out of range; a link lasts from 1s to 366d")
    invite = await context.api.create_invite(context.file_id, role, name, seconds)
    context.known.invites = [*context.known.invites, _called(invite)]
    return invite


async def invites(context: Context) -> list[Invite]:
    """Return every invitation, the oldest first, without their links."""
    found = await context.api.list_invites(context.file_id)
    context.known.invites = [_called(invite) for invite in found if invite.state == "open"]
    return found


async def change_invite(context: Context, ref: str, role: str) -> Invite:
    """Give whoever comes, or came, with an invitation another role."""
    check_role(role)
    invite = _find(ref, await invites(context))
    return await context.api.change_invite(context.file_id, invite.id, role)


async def revoke(context: Context, ref: str) -> Invite:
    """Take an invitation back."""
    invite = _find(ref, await invites(context))
    await context.api.revoke_invite(context.file_id, invite.id)
    await invites(context)
    return invite


async def revoke_all(context: Context) -> list[Invite]:
    """Take every open invitation back; returns them."""
    found = [invite for invite in await invites(context) if invite.state == "open"]
    for invite in found:
        await context.api.revoke_invite(context.file_id, invite.id)
    context.known.invites = []
    return found


async def who(context: Context) -> list[FilePerson]:
    """Return the people of this notebook, those who are here first."""
    people = await context.api.list_people(context.file_id)
    return sorted(people, key=lambda person: not person.online)


def _called(invite: Invite) -> str:
    return invite.name or str(invite.id)[:8]


def _find(ref: str, everything: list[Invite]) -> Invite:
    """Return the open invitation of a name, or of an id's beginning."""
    invites = [invite for invite in everything if invite.state == "open"]
    found = [invite for invite in invites if invite.name == ref]
    found = found or [i for i in invites if len(ref) >= 4 and str(i.id).startswith(ref.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(str(invite.id)[:8] for invite in found)
        raise RTUError(f"{len(found)} invitations are called {ref!r}; name one by its id: {ids}")
    spent = [i for i in everything if ref == i.name or str(i.id).startswith(ref.lower())]
    if spent:
        raise RTUError(
            f"the invitation {ref!r} is {spent[-1].state} already; %rtu_share makes a new one"
        )
    names = ", ".join(map(_called, invites))
    raise RTUError(
        f"there is no invitation {ref!r}; open are: {names}"
        if names
        else f"there is no invitation {ref!r}, nor any other; %rtu_share makes one"
    )


def check_role(role: str) -> None:
    """Check the name of a role.

    Raises
    ------
    RTUError
        It is none.
    """
    if role not in (*ROLES, "commenter"):
        raise RTUError(f"{role!r} is no role; write viewer, executor, contributor or owner")
