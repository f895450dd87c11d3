"""What a session knows already, for whoever must not wait: tab completion.

The document belongs to the background loop, so it is read there; a loop that is busy for longer
than a moment gets no second chance, and what it said last is used.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..errors import RTUError
from .context import Context
from .ops import history, people
from .positions import short_ids
from .thread import background

if TYPE_CHECKING:
    from .session import Session

__all__ = ["cell_hints", "invite_hints", "kernel_hints", "learn", "version_hints"]

PATIENCE = 0.1  # seconds; nobody notices them at a key press


def cell_hints(session: Session) -> list[str]:
    """Return the short ids of the notebook's cells, in order."""
    loop, known = background(), session.context.known
    if not session.open or not loop.running:
        return []

    async def read() -> list[str]:
        return list(short_ids(session.client.cell_ids).values())

    future = loop.submit(read())
    try:
        known.cells = future.result(PATIENCE)
    except (TimeoutError, concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
        future.cancel()
    return known.cells


def kernel_hints(session: Session) -> list[str]:
    """Return the names of the kernels that are known to be installed, the running one first."""
    known = session.context.known
    running = [known.kernel.kernel.name] if known.kernel is not None else []
    return list(dict.fromkeys([*running, *known.kernels]))


def invite_hints(session: Session) -> list[str]:
    """Return the open invitations that are known, by name or else by id."""
    _refresh(session, people.invites)
    return session.context.known.invites


def version_hints(session: Session) -> list[str]:
    """Return the versions that are known, by number and by name."""
    _refresh(session, history.versions)
    return session.context.known.versions


Ask = Callable[[Context], Coroutine[Any, Any, object]]
"""Asks the server something; the answer is noted where it comes in."""


def _refresh(session: Session, ask: Ask) -> None:
    """Ask again for the next time, without waiting now."""
    if session.open and background().running:
        session.context.aside(_asked(session, ask))


async def learn(session: Session) -> None:
    """Ask the server, once, for what is nice to know later."""
    with contextlib.suppress(KeyError, TypeError):
        await _asked(session, lambda _: session.kernel.specs())
    await _asked(session, history.versions)
    if session.role in (None, "owner"):
        await _asked(session, people.invites)


async def _asked(session: Session, ask: Ask) -> None:
    with contextlib.suppress(RTUError, OSError):  # no answer will do as well
        await ask(session.context)
