"""What of a message is looked at before it is read: reading the wrong one takes seconds."""

from __future__ import annotations

import json
import re

__all__ = ["MOST_BYTES", "head_of", "too_structured"]

MOST_BYTES = 4 * 1024 * 1024
"""No message that can be accepted is longer, however it is escaped. What is longer is refused after
its beginning."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_MOST_CONTAINERS = 5_000  # lists and objects in one message: some 10 µs of processor each
_MOST_VALUES = 100_000  # some 0.3 µs each
_HEAD = re.compile(
    r'"transaction_id": ?"([0-9a-fA-F-]{36})"|"channel": ?("[^"\\]{1,200}")|"event": ?"(\w{1,64})"'
)


def too_structured(raw: str | bytes) -> str:
    """Return what is wrong with a message whose reading would take long; "" if nothing is.

    Millions of lists cost seconds, where as many characters of text cost milliseconds. What stands
    in strings does not count.
    """
    if not _many(raw):
        return ""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    if not _many(_STRING.sub("", text)):
        return ""
    return (
        f"a message holds at most {_MOST_CONTAINERS:,} lists and objects and {_MOST_VALUES:,} "
        "values; split it"
    )


def _many(raw: str | bytes) -> bool:
    if isinstance(raw, str):
        return raw.count("[") + raw.count("{") > _MOST_CONTAINERS or raw.count(",") > _MOST_VALUES
    return raw.count(b"[") + raw.count(b"{") > _MOST_CONTAINERS or raw.count(b",") > _MOST_VALUES


def head_of(raw: str | bytes) -> tuple[str | None, str, str]:
    """Return what a message says at its beginning: transaction id, channel, event."""
    start = raw[:2000]
    text = start if isinstance(start, str) else start.decode("utf-8", "replace")
    found: list[str] = ["", "", ""]
    for match in _HEAD.finditer(text):
        for index, part in enumerate(match.groups()):
            found[index] = found[index] or part or ""
    channel = json.loads(found[1]) if found[1] else "system"
    return found[0] or None, channel, found[2]
