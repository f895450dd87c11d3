"""Messages from the server, built as text once and framed once.

A message is put together from JSON that already exists (a delta's stored body, a model's dump), so
nothing is serialised twice, however many receive it. Links inside a message are written with
`LINK_BASE` in front, which becomes the address under which each receiver reaches the server.
"""

from __future__ import annotations

import itertools
import json
import secrets
import struct
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel

__all__ = ["LINK_BASE", "Envelope", "Frame", "error_frame", "has_constants", "message"]

LINK_BASE = f"rtu-{secrets.token_hex(8)}:/"
"""Stands for ``scheme://host`` in links until the receiver is known. Random, so that nobody's text
can look like it."""

_LINK_BYTES = LINK_BASE.encode()

_SMALL, _MEDIUM, _LARGE = (struct.Struct(form).pack for form in ("!BB", "!BBH", "!BBQ"))

# Ids of messages only have to differ: a random UUID whose end counts on.
_ID_HEAD = str(uuid4())[:24]
_next_number = itertools.count(secrets.randbits(40)).__next__


class Frame:
    """One message, ready for any number of receivers.

    Parameters
    ----------
    text
        The message's JSON.
    """

    __slots__ = ("_by_base", "_framed", "_has_links", "payload")

    def __init__(self, text: str) -> None:
        self.payload = text.encode()
        self._has_links = _LINK_BYTES in self.payload
        self._framed: bytes | None = None
        self._by_base: dict[str, Frame] | None = None

    def for_base(self, base: str) -> Frame:
        """Return this message for a receiver that reaches the server at ``scheme://host``."""
        if not self._has_links:
            return self
        if self._by_base is None:
            self._by_base = {}
        found = self._by_base.get(base)
        if found is None:
            text = self.payload.replace(_LINK_BYTES, base.encode()).decode()
            found = self._by_base[base] = Frame(text)
        return found

    @property
    def framed(self) -> bytes:
        """The message as one unmasked, uncompressed websocket text frame (RFC 6455, 5.2)."""
        if self._framed is None:
            size = len(self.payload)
            if size < 126:
                header = _SMALL(0x81, size)
            elif size <= 0xFFFF:
                header = _MEDIUM(0x81, 126, size)
            else:
                header = _LARGE(0x81, 127, size)
            self._framed = header + self.payload
        return self._framed


def _json(data: Any) -> str:
    if isinstance(data, BaseModel):
        return data.model_dump_json()
    if isinstance(data, str):
        return data
    return json.dumps(data, separators=(",", ":"), default=str)


@lru_cache(maxsize=256)
def _quoted(channel: str) -> str:
    return json.dumps(channel)


def message(
    channel: str,
    event: str,
    data: BaseModel | Mapping[str, Any] | str | None,
    transaction_id: UUID | str | None = None,
) -> Frame:
    """Build a message.

    Parameters
    ----------
    channel, event
        Where and what, as the RTU protocol names them.
    data
        A model, a mapping, or JSON text that is used as it is.
    transaction_id
        Of the request that caused it; a fresh one by default.
    """
    return Envelope(channel, transaction_id).message(event, data)


class Envelope:
    """What all messages have in common that one request causes.

    Parameters
    ----------
    channel
        Where, as the RTU protocol names it.
    transaction_id
        Of the request; a fresh one by default.
    """

    __slots__ = ("_head", "_stamp")

    def __init__(self, channel: str, transaction_id: UUID | str | None = None) -> None:
        transaction = transaction_id or uuid4()
        self._head = f'{{"transaction_id":"{transaction}","channel":{_quoted(channel)},"event":'
        self._stamp = datetime.now(timezone.utc).isoformat()

    def short(self, event: str, data: BaseModel | Mapping[str, Any] | str | None) -> Frame:
        """Build a message without time and id of its own, which our client does without."""
        return Frame(f'{self._head}"{event}","data":{_json(data)}}}')

    def message(self, event: str, data: BaseModel | Mapping[str, Any] | str | None) -> Frame:
        """Build a message; see `message`."""
        content = data if type(data) is str else _json(data)
        return Frame(
            f'{self._head}"{event}","data":{content},"processed_timestamp":"{self._stamp}",'
            f'"msg_id":"{_ID_HEAD}{_next_number() & 0xFFFFFFFFFFFF:012x}"}}'
        )


def error_frame(
    channel: str, event: str, text: str, transaction_id: UUID | str | None = None
) -> Frame:
    """Build one of the error events: ``delta_rejected`` carries a cause, the others a message."""
    key = "cause" if event == "delta_rejected" else "message"
    return message(channel, event, {key: text}, transaction_id)


def has_constants(raw: str | bytes) -> bool:
    """Return whether a message holds what Python's JSON has and JSON has not (RFC 8259)."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    if "NaN" not in text and "Infinity" not in text:
        return False
    found: list[str] = []
    json.loads(text, parse_constant=found.append)
    return bool(found)
