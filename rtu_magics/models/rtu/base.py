"""The envelope of every RTU message."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import Field

from ..base import Model, utcnow

__all__ = ["BaseRTU", "BaseRTURequest", "BaseRTUResponse", "BooleanReplyData", "ErrorData"]


class BaseRTU(Model):
    """A message.

    Attributes
    ----------
    transaction_id
        Chosen by the requester and echoed on everything that the request causes.
    channel
        ``system``, ``files/{file_id}`` or ``kernels/notebook-kernel-{…}``.
    event
        What it is; subclasses narrow it to a literal.
    data
        Its content; subclasses give it a model.
    """

    transaction_id: UUID = Field(default_factory=uuid4)
    channel: str
    event: str
    data: Any = None

    @property
    def channel_prefix(self) -> str:
        """The part of the channel before the slash."""
        return self.channel.partition("/")[0]


class BaseRTURequest(BaseRTU):
    """A message from client to server."""


class BaseRTUResponse(BaseRTU):
    """A message from server to client.

    Attributes
    ----------
    processed_timestamp
        When the server made it, UTC.
    msg_id
        Its own id.
    """

    processed_timestamp: datetime = Field(default_factory=utcnow)
    msg_id: UUID = Field(default_factory=uuid4)


class BooleanReplyData(Model):
    """A plain yes or no; ``message`` (our addition) says why not."""

    success: bool
    message: str | None = Field(default=None, exclude_if=lambda v: v is None)


class ErrorData(Model):
    """What went wrong, in one line."""

    message: str
