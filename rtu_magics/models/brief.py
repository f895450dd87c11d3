"""How outputs look where a prompt shows them: what they are, and how they begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["brief_repr", "bundle_repr"]

_SHOWN = 60  # characters


def brief_repr(name: str, kind: str, text: str, more: Sequence[str] = ()) -> str:
    """Return the ``repr`` of an output: what it is and how it begins.

    Examples
    --------
    >>> brief_repr("Output", "stdout", "one line")
    "<Output stdout: 'one line'>"
    """
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    others = f", also {', '.join(more)}" if more else ""
    return f"<{name} {kind}: {short!r}{others}>"


def bundle_repr(kind: str, data: Mapping[str, Any]) -> str:
    """Return the ``repr`` of an output with a mimebundle.

    Examples
    --------
    >>> bundle_repr("execute_result", {"text/plain": "42"})
    "<Output execute_result: '42'>"
    >>> bundle_repr("display_data", {"image/png": "iVBOR"})
    '<Output display_data: image/png>'
    """
    plain = data.get("text/plain")
    others = [mimetype for mimetype in data if mimetype != "text/plain"]
    if plain is None:
        return f"<Output {kind}: {', '.join(others) or 'empty'}>"
    text = "".join(plain) if isinstance(plain, list) else str(plain)
    return brief_repr("Output", kind, text, others)
