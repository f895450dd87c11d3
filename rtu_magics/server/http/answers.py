"""Saying no on a websocket, in the way in which whoever asked waits for an answer."""

from __future__ import annotations

from uuid import UUID

from ...errors import InvalidMessage
from ...models import BaseRTURequest
from ..limits.intake import head_of
from ..wire.connection import Connection
from ..wire.frames import error_frame, message

__all__ = ["refuse", "refuse_unread", "say_invalid"]

_REPLIES = {  # those with ``success``
    "new_delta_request": "new_delta_reply",
    "scratch_request": "scratch_reply",
    "attach_request": "attach_reply",
    "input_reply_request": "input_reply_reply",
    "update_user_cell_selection_request": "update_user_cell_selection_reply",
}


def refuse(connection: Connection, request: BaseRTURequest, why: str) -> None:
    """Refuse a request."""
    _refuse(connection, request.channel, request.event, request.transaction_id, why)


def refuse_unread(connection: Connection, raw: str | bytes, why: str) -> None:
    """Refuse a message of which only the beginning is looked at."""
    transaction_id, channel, event = head_of(raw)
    _refuse(connection, channel, event, _uuid(transaction_id), why)


def say_invalid(connection: Connection, exc: InvalidMessage) -> None:
    """Say what is wrong with a message; to those who are not known yet, only that."""
    known = connection.person is not None
    event, text = (exc.event, str(exc)) if known else ("permission_denied", "authenticate first")
    channel = exc.channel if len(exc.channel) < 200 else "system"
    connection.send(error_frame(channel, event, text, _uuid(exc.transaction_id)))


def _refuse(
    connection: Connection, channel: str, event: str, transaction_id: UUID | None, why: str
) -> None:
    reply = _REPLIES.get(event, "")
    if reply:
        data = {"success": False, "message": why}
        connection.send(message(channel, reply, data, transaction_id))
    if event == "new_delta_request":
        connection.send(error_frame(channel, "delta_rejected", why, transaction_id))
    elif not reply:
        connection.send(error_frame(channel, "invalid_data", why, transaction_id))


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
