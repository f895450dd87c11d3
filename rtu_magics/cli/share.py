"""``rtu-magics share``: a link into a notebook, without a notebook of one's own."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from ..foreign import shown
from ..session.endpoint.target import RemoteTarget
from .reach import reach

if TYPE_CHECKING:
    from ..models import Invite

__all__ = ["share"]


def share(
    target: str,
    *,
    token: str | None,
    role: str,
    expires: str | None,
    name: str | None,
    cafile: str | None = None,
) -> int:
    """Print a link that lets somebody into a notebook; returns the exit status.

    The link alone goes to stdout, so that it can be piped; what it is worth goes to stderr.

    Parameters
    ----------
    target
        The notebook: a URL, or a file that is being served.
    token
        An owner's token, for a URL.
    role, expires, name
        As ``%rtu_share`` takes them.
    cafile
        The certificate of an authority to trust besides the usual ones.

    Raises
    ------
    RTUError
        In one line.
    """
    from ..session.ops.people import parse_duration

    seconds = None if expires is None else parse_duration(expires)
    where, token = reach(target, token, cafile)
    invite = asyncio.run(_invite(where, token, cafile, role=role, seconds=seconds, name=name))
    print(shown(invite.url), flush=True)
    until = invite.expires_at.astimezone().strftime("%Y-%m-%d %H:%M")
    article = "an" if invite.role[0] in "eo" else "a"
    print(
        f"whoever has this link is {article} {shown(invite.role)} there until {until}: "
        "%rtu_connect LINK",
        file=sys.stderr,
    )
    if invite.message:
        print(f"note: {shown(invite.message)}", file=sys.stderr)
    return 0


async def _invite(
    where: RemoteTarget,
    token: str,
    cafile: str | None,
    *,
    role: str,
    seconds: float | None,
    name: str | None,
) -> Invite:
    from ..client import APIClient
    from ..session.endpoint.find import find_file

    async with APIClient(token, where.api_url, cafile=cafile) as api:
        file = await find_file(api, where)
        return await api.create_invite(file.id, role, name, seconds)
