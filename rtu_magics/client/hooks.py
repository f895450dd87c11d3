"""Hooks that an application may override; those that nobody did need not be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["does_nothing", "is_idle"]

F = TypeVar("F", bound=Callable[..., Any])


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
