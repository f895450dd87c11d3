"""What a session knows already, for whoever must not wait: tab completion.

The document belongs to the background loop, so it is read there; a loop that is busy for longer
than a moment gets no second chance, and what it said last is used.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ..errors import RTUError
from .positions import short_ids
from .thread import background

if TYPE_CHECKING:
    from .session import Session

__all__ = ["cell_hints", "invite_hints", "kernel_hints", "learn", "version_hints"]

PATIENCE = 0.1  # seconds; nobody notices them at a key press


def cell_hints(session: Session) -> list[str]:
    """Return the short ids of the notebook's cells, in order."""
    loop = background()
    if not session.open or not loop.running:
        return []

    async def read() -> list[str]:
        return list(short_ids(session.client.cell_ids).values())

    future = loop.submit(read())
    try:
        session.known_cells = future.result(PATIENCE)
    except (TimeoutError, concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
        future.cancel()
    return session.known_cells


def kernel_hints(session: Session) -> list[str]:
    """Return the names of the kernels that are known to be installed, the running one first."""
    status = session.kernel_session
    running = [status.kernel.name] if status is not None else []
    return list(dict.fromkeys([*running, *session.known_kernels]))


def invite_hints(session: Session) -> list[str]:
    """Return the open invitations that are known, by name or else by id."""
    _refresh(session, _learn_invites(session))
    return session.known_invites


def version_hints(session: Session) -> list[str]:
    """Return the versions that are known, by number and by name."""
    _refresh(session, _learn_versions(session))
    return session.known_versions


def _refresh(session: Session, asking: Coroutine[Any, Any, None]) -> None:
    """Ask again for the next time, without waiting now."""
    loop = background()
    if session.open and loop.running:
        session.aside(asking)
    else:
        asking.close()


async def learn(session: Session) -> None:
    """Ask the server, once, for what is nice to know later."""
    with contextlib.suppress(RTUError, OSError, KeyError, TypeError):
        found = await session.api.get_kernelspecs()
        session.known_kernels = tuple(sorted(found["kernelspecs"]))
    await _learn_versions(session)
    if session.role in (None, "owner"):
        await _learn_invites(session)


async def _learn_invites(session: Session) -> None:
    with contextlib.suppress(RTUError, OSError):
        await session.ask_invites()


async def _learn_versions(session: Session) -> None:
    with contextlib.suppress(RTUError, OSError):
        await session.ask_versions()
