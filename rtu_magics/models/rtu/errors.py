"""Error events: they answer a request on its own channel with its transaction id."""

from __future__ import annotations

from typing import Literal

from ..base import Model
from .base import BaseRTUResponse, ErrorData

__all__ = [
    "DeltaRejectedData",
    "DeltaRejectedResponse",
    "InconsistentStateEvent",
    "InvalidDataResponse",
    "InvalidEventResponse",
    "PermissionDeniedResponse",
]


class InvalidEventResponse(BaseRTUResponse):
    """The server knows no such event."""

    event: Literal["invalid_event"] = "invalid_event"
    data: ErrorData


class InvalidDataResponse(BaseRTUResponse):
    """The request's data do not fit its event."""

    event: Literal["invalid_data"] = "invalid_data"
    data: ErrorData


class PermissionDeniedResponse(BaseRTUResponse):
    """The requester may not do that."""

    event: Literal["permission_denied"] = "permission_denied"
    data: ErrorData


class InconsistentStateEvent(BaseRTUResponse):
    """The subscriber's copy cannot follow the chain any more: load the current version again."""

    event: Literal["inconsistent_state_event"] = "inconsistent_state_event"
    data: ErrorData


class DeltaRejectedData(Model):
    """Why a delta was refused."""

    cause: str


class DeltaRejectedResponse(BaseRTUResponse):
    """The delta was refused; nothing changed."""

    event: Literal["delta_rejected"] = "delta_rejected"
    data: DeltaRejectedData
