"""Ctrl-C as people read it: in one line, without a traceback."""

from __future__ import annotations

__all__ = ["interrupted"]


def interrupted(message: str) -> KeyboardInterrupt:
    """Return a KeyboardInterrupt that IPython shows as one line."""
    exc = KeyboardInterrupt(message)
    exc._render_traceback_ = lambda: [f"KeyboardInterrupt: {message}"]  # type: ignore[attr-defined]
    return exc
