"""Live views of a session for notebooks. Nothing is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history import History
    from .mirror import Mirror, mirrors, static_html
    from .status import Status, statuses

__all__ = ["History", "Mirror", "Status", "mirrors", "static_html", "statuses"]

_HOMES = {
    "History": "history",
    "Mirror": "mirror",
    "mirrors": "mirror",
    "static_html": "mirror_static",
    "Status": "status",
    "statuses": "status",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
