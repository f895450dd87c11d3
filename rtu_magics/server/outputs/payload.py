"""What a kernel's reply asks of the front end that ran a cell, cut to what may be passed on.

Payloads of ``execute_reply`` (Jupyter messaging protocol): ``page`` shows help, ``set_next_input``
writes code into a cell (``%load``, ``%recall``), ``edit`` and ``edit_magic`` open a file of the
kernel's machine, ``ask_exit`` ends a session. Of others only the name is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["bounded"]

_MOST = 20  # payloads of one cell
_MOST_TEXT = 500_000  # characters of one text
_MOST_ALL = 1_000_000  # characters of all
_PAGES = ("text/plain", "text/html", "text/markdown", "text/latex")
_CUT = "\n[… cut here: it is too long to be passed on]"


def bounded(payload: Any) -> list[dict[str, Any]]:
    """Return what is passed on of a reply's payload.

    Parameters
    ----------
    payload
        As the kernel sent it, which may be anything.

    Examples
    --------
    >>> bounded([{"source": "set_next_input", "text": "1 + 1", "replace": True}])
    [{'source': 'set_next_input', 'text': '1 + 1', 'replace': True}]
    >>> bounded([{"source": "own", "secret": 1}, 7]), bounded(None)
    ([{'source': 'own'}], [])
    """
    found: list[dict[str, Any]] = []
    left = _MOST_ALL
    for item in payload[:_MOST] if isinstance(payload, list) else ():
        if not isinstance(item, Mapping):
            continue
        kept: dict[str, Any] = {"source": str(item.get("source", ""))[:100]}
        if kept["source"] == "page":
            data = item.get("data")
            data = data if isinstance(data, Mapping) else {"text/plain": item.get("text", "")}
            kept["data"] = {}
            for mimetype in _PAGES:
                if mimetype in data:
                    text = _cut(data[mimetype], left)
                    left -= len(text)
                    kept["data"][mimetype] = text
            kept["start"] = _number(item.get("start"))
        elif kept["source"] == "set_next_input":
            kept["text"] = _cut(item.get("text", ""), left)
            left -= len(kept["text"])
            kept["replace"] = bool(item.get("replace"))
        elif kept["source"] in ("edit", "edit_magic"):
            kept["filename"] = str(item.get("filename", ""))[:1000]
            kept["line_number"] = _number(item.get("line_number"))
        found.append(kept)
    return found


def _cut(value: Any, left: int) -> str:
    text = "".join(map(str, value)) if isinstance(value, list) else str(value)
    most = max(0, min(left, _MOST_TEXT))
    return text if len(text) <= most else text[:most] + _CUT


def _number(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0
