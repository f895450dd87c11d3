"""The system channel: authentication and liveness."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..base import Model
from ..resources import User
from .base import BaseRTURequest, BaseRTUResponse

__all__ = [
    "AuthenticateReply",
    "AuthenticateReplyData",
    "AuthenticateRequest",
    "AuthenticateRequestData",
    "PingRequest",
    "PingResponse",
    "WhoAmIRequest",
    "WhoAmIResponse",
    "WhoAmIResponseData",
]


class AuthenticateRequestData(Model):
    """Who asks: a token, and the kind of program.

    Our additions: ``user_name`` is what somebody with an owner's token wants to be called;
    ``partial_states`` says that of cells' states only those are wanted that change; ``kernel_id``
    is that of the Jupyter kernel in which the program runs.
    """

    token: str = Field(repr=False)
    rtu_client_type: str = "rtu_magics"
    user_name: str | None = Field(default=None, exclude_if=lambda v: v is None)
    partial_states: bool = Field(default=False, exclude_if=lambda v: not v)
    kernel_id: str | None = Field(default=None, exclude_if=lambda v: v is None)


class AuthenticateRequest(BaseRTURequest):
    """The first request on a connection."""

    channel: str = "system"
    event: Literal["authenticate_request"] = "authenticate_request"
    data: AuthenticateRequestData


class AuthenticateReplyData(Model):
    """Whether the token was accepted; a failed reply may carry a placeholder user or none.

    ``protocol`` and ``message`` are our additions.
    """

    success: bool
    user: User | None = None
    protocol: int | None = Field(default=None, exclude_if=lambda v: v is None)
    message: str | None = Field(default=None, exclude_if=lambda v: v is None)


class AuthenticateReply(BaseRTUResponse):
    """Answers an `AuthenticateRequest`."""

    channel: str = "system"
    event: Literal["authenticate_reply"] = "authenticate_reply"
    data: AuthenticateReplyData


class PingRequest(BaseRTURequest):
    """Asks whether the server is there."""

    channel: str = "system"
    event: Literal["ping_request"] = "ping_request"


class PingResponse(BaseRTUResponse):
    """Answers a `PingRequest`; older servers call it ``ping_reply``."""

    channel: str = "system"
    event: Literal["ping_response", "ping_reply"] = "ping_response"
    data: Any = None


class WhoAmIRequest(BaseRTURequest):
    """Asks who the connection belongs to."""

    channel: str = "system"
    event: Literal["whoami_request"] = "whoami_request"


class WhoAmIResponseData(Model):
    """The connection's user, None before authentication."""

    user: User | None = None


class WhoAmIResponse(BaseRTUResponse):
    """Answers a `WhoAmIRequest`; older servers call it ``whoami_reply``."""

    channel: str = "system"
    event: Literal["whoami_response", "whoami_reply"] = "whoami_response"
    data: WhoAmIResponseData
