"""Live views of a session for notebooks. Nothing is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history.widget import History
    from .mirror.widget import Mirror, mirrors, static_html
    from .status.widget import Status, statuses

__all__ = ["History", "Mirror", "Status", "mirrors", "static_html", "statuses"]

_HOMES = {
    "History": "history.widget",
    "Mirror": "mirror.widget",
    "mirrors": "mirror.widget",
    "static_html": "mirror.static_page",
    "Status": "status.widget",
    "statuses": "status.widget",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
