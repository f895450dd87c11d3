"""Finding a notebook on its server, or saying in one line what stands against it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

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
from ..thread import background
from .offer import Offer, why_not
from .probe import is_jupyter
from .target import RemoteTarget, mask

if TYPE_CHECKING:
    from ...client import APIClient
    from ...models import File

__all__ = ["NoExtension", "check_answers", "find_file"]

KNOCK_TIMEOUT = 12.0  # seconds for the question whether anybody is there
_NO_TOKEN = "-"


class NoExtension(ConnectFailed):
    """What answers there has no rtu_magics."""


def check_answers(target: RemoteTarget, cafile: str | None) -> None:
    """Look whether there is a server that wants a token, before anybody is asked for one.

    Raises
    ------
    ConnectFailed
        Nothing answers, or what does is no such server.
    """
    from ...client import APIClient

    async def knock() -> None:
        async with APIClient(_NO_TOKEN, target.api_url, cafile=cafile) as api:
            try:
                await find_file(api, target)
            except (AuthenticationFailed, PermissionDenied):
                pass
            except NoExtension:
                if target.path is None or not await is_jupyter(target, cafile):
                    raise

    try:
        background().run(knock(), KNOCK_TIMEOUT)
    except TimeoutError:
        raise ConnectFailed(
            f"no answer from {target.base_url} within {KNOCK_TIMEOUT:.0f} s; check the address "
            f"and try again"
        ) from None


async def find_file(api: APIClient, target: RemoteTarget, create: bool = False) -> File:
    """Return the notebook that a target names on its server.

    Raises
    ------
    RTUError
        There is none, or the server is none, or does not let us in; in one line.
    """
    try:
        if target.file_id is not None:
            return await api.get_file(target.file_id)
        return await api.open_file(target.path or "", create=create)
    except RTUError as exc:
        meant: list[str] = []
        if isinstance(exc, FileUnknown) and target.path is not None:
            with contextlib.suppress(RTUError):
                meant = near(target.path, [file.path for file in await api.list_notebooks()])
        raise _explained(exc, target, meant) from None


def _explained(exc: RTUError, target: RemoteTarget, meant: list[str]) -> RTUError:
    """Say what a failure of the first request means to somebody who just connects."""
    what = mask(target.path or str(target.file_id))
    status = getattr(exc, "status", None)
    if isinstance(exc, AuthenticationFailed) and (target.invited or exc.reason is not None):
        return exc
    if isinstance(exc, AuthenticationFailed) or getattr(exc, "wordless", False):
        return AuthenticationFailed(
            f"{target.base_url} does not accept the token; check it (RTU_TOKEN, --token), or get "
            f"a new one"
        )
    if isinstance(exc, FileUnknown):
        hint = "check the name, or open it there and copy its address"
        if meant:
            hint = f"did you mean {' or '.join(meant)}?"
        return FileUnknown(f"{target.base_url} has no notebook {what}; {hint}", status)
    if status == 404:
        return NoExtension(why_not(Offer.NO_JUPYTER, target.base_url))
    if status == 422:
        why = str(exc).removeprefix(f"{what}: ")
        return TargetError(f"{what} cannot be opened: {why}; repair it, or choose another file")
    if isinstance(exc, APIError) and status is None:
        return ConnectFailed(str(exc))
    return exc
