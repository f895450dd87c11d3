"""Asking a server without our extension what it offers, and for a notebook in it.

The order matters: a live document's session is given out for files that do not exist, too, and
whoever then asks for its room breaks the room for those who have it open. So the file comes first.
"""

from __future__ import annotations

import contextlib
import posixpath
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...errors import (
    APIError,
    AuthenticationFailed,
    ConnectFailed,
    FileUnknown,
    PermissionDenied,
    RTUError,
    TargetError,
)
from ..names import near
from .offer import Answers, Offer, offer_of, why_not
from .target import RemoteTarget, mask

if TYPE_CHECKING:
    import httpx

    from ...client.http import RestClient

__all__ = ["find_live", "is_jupyter"]

_NOBODYS_ROOM = "/api/collaboration/room/JupyterLab:globalAwareness"


async def find_live(
    target: RemoteTarget,
    token: str,
    cafile: str | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Make sure that a notebook can be joined as a live document.

    Parameters
    ----------
    target
        The notebook, by its path.
    token, cafile
        The server's token, and the certificate of an authority to trust.
    transport
        An httpx transport, for tests.

    Raises
    ------
    RTUError
        It cannot be, in one line that says why and what to do.
    """
    from ...client.http import RestClient

    url, path = target.base_url, target.path or ""
    rest = RestClient(url, token, cafile=cafile, transport=transport)
    try:
        answers = await _ask(rest, path)
        offer = offer_of(answers)
        if offer is Offer.NO_JUPYTER:
            raise ConnectFailed(why_not(offer, url))
        await _find_file(rest, url, path)
        if why_not(offer, url):
            raise ConnectFailed(why_not(offer, url))
    finally:
        await rest.aclose()


async def is_jupyter(target: RemoteTarget, cafile: str | None = None) -> bool:
    """Whether a Jupyter Server is there; nobody has to be let in for that."""
    from ...client.http import RestClient

    rest = RestClient(target.base_url, "-", cafile=cafile)
    try:
        return bool(await _version(rest))
    finally:
        await rest.aclose()


async def _version(rest: RestClient) -> str:
    with contextlib.suppress(RTUError, ValueError):
        found = (await rest.request("GET", "/api")).json()
        return str(found.get("version", "")) if isinstance(found, dict) else ""
    return ""


async def _ask(rest: RestClient, path: str) -> Answers:
    version = await _version(rest)
    if not version:
        return Answers()
    session = await _status(rest, f"/api/collaboration/session/{quote(path)}")
    websocket = 404 if session == 405 else await _status(rest, _NOBODYS_ROOM)
    return Answers(version, session, websocket)


async def _status(rest: RestClient, path: str) -> int:
    try:
        return (await rest.request("GET", path)).status_code
    except (AuthenticationFailed, PermissionDenied):
        raise AuthenticationFailed(_not_let_in(rest.base_url)) from None
    except APIError as exc:
        if exc.status is None or exc.status >= 500:
            raise
        if 300 <= exc.status < 400:  # to a page where one signs in
            raise AuthenticationFailed(_not_let_in(rest.base_url)) from None
        return exc.status


async def _find_file(rest: RestClient, url: str, path: str) -> None:
    try:
        found = (await rest.request("GET", f"/api/contents/{quote(path)}?content=0")).json()
    except (AuthenticationFailed, PermissionDenied):
        raise AuthenticationFailed(_not_let_in(url)) from None
    except APIError as exc:
        if exc.status != 404:
            raise
        meant = near(path, await _neighbours(rest, path))
        hint = "check the name, or open it there and copy its address"
        hint = f"did you mean {' or '.join(meant)}?" if meant else hint
        raise FileUnknown(f"{url} has no notebook {mask(path)}; {hint}", 404) from None
    except ValueError:
        raise ConnectFailed(why_not(Offer.NO_JUPYTER, url)) from None
    kind = found.get("type") if isinstance(found, dict) else None
    if kind != "notebook":
        raise TargetError(f"{path} is no notebook at {url}; open one there and copy its address")


async def _neighbours(rest: RestClient, path: str) -> list[str]:
    folder = posixpath.dirname(path)
    try:
        found = (await rest.request("GET", f"/api/contents/{quote(folder)}")).json()
        return [str(one["path"]) for one in found["content"] if one["type"] == "notebook"]
    except (RTUError, ValueError, KeyError, TypeError):
        return []


def _not_let_in(url: str) -> str:
    return f"{url} does not accept the token; check it (RTU_TOKEN, --token), or get a new one"
