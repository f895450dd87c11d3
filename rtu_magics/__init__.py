"""IPython magics that mirror, edit and execute a remote collaborative notebook, live.

``%load_ext rtu_magics`` imports this package and the magics, which load the client, the models and
everything else on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .session import Session, connect

__all__ = [
    "Session",
    "__version__",
    "connect",
    "load_ipython_extension",
    "unload_ipython_extension",
]


def load_ipython_extension(ipython: Any) -> None:
    """Register the magics; called by ``%load_ext rtu_magics``."""
    from .ipython import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Close every session and stop the background thread; called by ``%unload_ext``."""
    from .ipython import unload

    unload(ipython)


def __getattr__(name: str) -> Any:
    if name in ("connect", "Session"):
        from . import session

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
