"""What jupyter-collaboration says over a room's websocket beside the protocol of Yjs; pure.

The first byte of a message is its kind: 0 changes of the document, 1 people, 2 what is here. A
client asks for a save by ``save`` and a number of its own; the answer, in JSON, has the number.
"""

from __future__ import annotations

import json
from typing import Any

from ..bridge.numbers import decoded, encoded

__all__ = [
    "AWARENESS",
    "RAW",
    "STEP_1",
    "STEP_2",
    "SYNC",
    "UPDATE",
    "answer_in",
    "covers",
    "save_request",
    "why_closed",
]

SYNC, AWARENESS, RAW = 0, 1, 2
STEP_1, STEP_2, UPDATE = 0, 1, 2
"""The second byte of a `SYNC` message: what its sender has, all that was asked for, what is new."""

_NOT_FOUND, _UNSUPPORTED = 4404, 1003


def save_request(number: int) -> bytes:
    r"""Return the message that asks for the document to be written.

    Examples
    --------
    >>> save_request(7)
    b'\x02\x04save\x07'
    """
    return bytes([RAW]) + encoded(4) + b"save" + encoded(number)


def answer_in(message: bytes) -> dict[str, Any]:
    """Return what a `RAW` message says, nothing of one that cannot be read.

    Examples
    --------
    >>> answer_in(bytes([2, 15]) + b'{"type":"save"}')
    {'type': 'save'}
    """
    try:
        _, at = decoded(message, 1)  # some count characters there, some bytes
        found = json.loads(message[at:])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def covers(state: bytes, part: bytes) -> bool:
    """Whether a document has all that is in another one, by their state vectors.

    A state vector has the number of clients, then of each the client and how much it has written.

    Examples
    --------
    >>> covers(bytes([2, 7, 3, 9, 1]), bytes([1, 7, 2]))
    True
    >>> covers(bytes([1, 7, 3]), bytes([1, 9, 1]))
    False
    """
    try:
        there, wanted = _clocks(state), _clocks(part)
    except IndexError:
        return False
    return all(there.get(client, 0) >= clock for client, clock in wanted.items())


def _clocks(state: bytes) -> dict[int, int]:
    count, at = decoded(state)
    found = {}
    for _ in range(count):
        client, at = decoded(state, at)
        found[client], at = decoded(state, at)
    return found


def why_closed(code: int | None, reason: str | None) -> str:
    """Return in words why a room's websocket was closed.

    Examples
    --------
    >>> why_closed(1003, '{"reason": "unknown_session"}')
    'its session was not accepted (unknown_session)'
    >>> why_closed(None, None)
    'the connection broke'
    """
    if code == _NOT_FOUND:
        return "the notebook is not there any more"
    if code == _UNSUPPORTED:
        try:
            found = json.loads(reason or "")
        except ValueError:
            found = None
        said = found if isinstance(found, dict) else {}
        if said.get("errorReason"):
            return f"it cannot be opened there ({' '.join(str(said['errorReason']).split())[:200]})"
        return f"its session was not accepted ({said.get('reason') or 'no reason given'})"
    if code is not None and code >= 4000:
        return f"it cannot be opened there ({reason or code})"
    return "the connection broke"
