"""Hooks that an application may override; those that nobody did need not be called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar
from uuid import UUID

from ..document import NotebookBuilder
from ..models import AuthenticateReply, FileDeltaBase, FileSubscribeReply

__all__ = ["Application", "ReloadHook", "does_nothing", "is_idle", "one_line"]

F = TypeVar("F", bound=Callable[..., Any])

ReloadHook = Callable[[], Awaitable[tuple[UUID, NotebookBuilder]]]
"""Loads the notebook anew: its current version's id, and a builder that holds that version."""


class Application(Protocol):
    """What the parts of a client ask of it: its settings, and the hooks that people override.

    A part never calls its own method where one of these stands between: an override has its say.
    """

    file_id: UUID
    jwt: str
    rtu_client_type: str
    user_name: str | None
    user_id: UUID | None
    file_subscribe_timeout: float
    reload_hook: ReloadHook | None

    async def on_auth(self, msg: AuthenticateReply) -> None:
        """Hear the answer to the token."""

    async def send_file_subscribe(self) -> None:
        """Ask to follow the notebook."""

    async def on_file_subscribe_timeout(self) -> None:
        """Wait for the answer, and act on its absence."""

    async def on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        """Hear that the notebook is caught up."""

    async def queue_or_apply_delta(self, delta: FileDeltaBase) -> None:
        """Take a delta that came in its time."""

    async def post_queue_delta(self, delta: FileDeltaBase) -> None:
        """Hear of a delta that waits."""

    async def pre_apply_delta(self, delta: FileDeltaBase) -> None:
        """Hear of the delta that is squashed next."""

    async def apply_delta(self, delta: FileDeltaBase) -> None:
        """Squash a delta."""

    async def failed_to_squash_delta(self, delta: FileDeltaBase, exc: Exception) -> None:
        """Hear of a delta that cannot be squashed."""

    async def replay_unapplied_deltas(self) -> None:
        """Squash all that can be."""


def does_nothing(hook: F) -> F:
    """Mark a hook as it comes, without an effect."""
    hook.does_nothing = True  # type: ignore[attr-defined]
    return hook


def is_idle(hook: Callable[..., Any]) -> bool:
    """Return whether calling a hook would have no effect, as nobody has overridden it.

    Examples
    --------
    >>> class Client:
    ...     @does_nothing
    ...     def hook(self): ...
    >>> class Application(Client):
    ...     def hook(self): ...
    >>> is_idle(Client().hook), is_idle(Application().hook)
    (True, False)
    """
    return getattr(hook, "does_nothing", False)


def one_line(exc: BaseException) -> str:
    """Return an exception's text on one line, cut to what a person reads."""
    return " ".join(str(exc).split())[:200] or type(exc).__name__
