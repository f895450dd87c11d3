"""From bytes to messages, one parser per direction.

The JSON is read once; channel prefix and event then name the class in a table, and that class alone
validates the result.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_args

from pydantic import Discriminator, Tag, ValidationError
from pydantic_core import from_json

from ...errors import InvalidMessage
from . import errors, files, kernels, system
from .base import BaseRTU, BaseRTURequest, BaseRTUResponse

__all__ = [
    "REQUEST_CLASSES",
    "RESPONSE_CLASSES",
    "RTURequest",
    "RTUResponse",
    "describe_validation_error",
    "parse_request",
    "parse_response",
]

_M = TypeVar("_M", bound=BaseRTU)


def _table(base: type[_M]) -> dict[tuple[str, str], type[_M]]:
    found: dict[tuple[str, str], type[_M]] = {}
    for prefix, module in (("system", system), ("files", files), ("kernels", kernels)):
        for name in module.__all__:
            cls = getattr(module, name)
            if issubclass(cls, base):
                for event in get_args(cls.model_fields["event"].annotation):
                    found[prefix, event] = cls
    return found


REQUEST_CLASSES: dict[tuple[str, str], type[BaseRTURequest]] = _table(BaseRTURequest)
"""Every request class by channel prefix and event."""

RESPONSE_CLASSES: dict[tuple[str, str], type[BaseRTUResponse]] = _table(BaseRTUResponse)
"""Every response class by channel prefix and event; error events stand under every prefix."""

for _error in (
    errors.InvalidEventResponse,
    errors.InvalidDataResponse,
    errors.PermissionDeniedResponse,
    errors.InconsistentStateEvent,
    errors.DeltaRejectedResponse,
):
    for _prefix in ("system", "files", "kernels"):
        RESPONSE_CLASSES[_prefix, _error.model_fields["event"].default] = _error

_BASE_TAG = "base"


def _key(value: Any) -> tuple[str, str]:
    if isinstance(value, dict):
        channel, event = value.get("channel"), value.get("event")
    else:
        channel, event = getattr(value, "channel", None), getattr(value, "event", None)
    if not isinstance(channel, str):
        channel = "system"
    return channel.partition("/")[0], event if isinstance(event, str) else ""


def _union(table: dict[tuple[str, str], type[_M]], base: type[_M]) -> Any:
    tags = {key: cls.__name__ for key, cls in table.items()}

    def tag(value: Any) -> str:
        return tags.get(_key(value), _BASE_TAG)

    members: Any = Annotated[base, Tag(_BASE_TAG)]
    for cls in dict.fromkeys(table.values()):
        members = members | Annotated[cls, Tag(cls.__name__)]
    return Annotated[members, Discriminator(tag)]


RTURequest: Any = _union(REQUEST_CLASSES, BaseRTURequest)
"""The union of all requests, for `pydantic.TypeAdapter`; unknown events give the base class."""

RTUResponse: Any = _union(RESPONSE_CLASSES, BaseRTUResponse)
"""The union of all responses, for `pydantic.TypeAdapter`; unknown events give the base class."""


def describe_validation_error(exc: ValidationError) -> str:
    """Return the first problem of a validation error in one line, without its input.

    Examples
    --------
    >>> from rtu_magics.models import FileSubscribeRequest
    >>> try:
    ...     FileSubscribeRequest.model_validate({"channel": "files/x", "data": 3})
    ... except ValidationError as exc:
    ...     print(describe_validation_error(exc))
    data: Input should be a valid dictionary or instance of FileSubscribeRequestData
    """
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _load(raw: str | bytes) -> dict[str, Any]:
    try:
        content = from_json(raw)
    except ValueError as exc:
        raise InvalidMessage(f"not JSON: {exc}", event="invalid_event") from None
    if not isinstance(content, dict):
        raise InvalidMessage("a message is one JSON object", event="invalid_event")
    return content


def parse_request(raw: str | bytes) -> BaseRTURequest:
    """Parse a message from a client.

    Parameters
    ----------
    raw
        One websocket message.

    Raises
    ------
    InvalidMessage
        With ``event`` set to what answers it on the wire: ``invalid_event`` for what is no message
        or an unknown event, ``invalid_data`` for data that do not fit the event.
    """
    content = _load(raw)
    key = _key(content)
    transaction_id, channel = content.get("transaction_id"), content.get("channel")

    def invalid(message: str, error_event: str) -> InvalidMessage:
        return InvalidMessage(
            message,
            event=error_event,
            transaction_id=transaction_id if isinstance(transaction_id, str) else None,
            channel=channel if isinstance(channel, str) else "system",
        )

    cls = REQUEST_CLASSES.get(key)
    if cls is None:
        raise invalid(f"no event {key[1][:100]!r} on channel {key[0][:100]!r}", "invalid_event")
    try:
        return cls.model_validate(content)
    except ValidationError as exc:
        raise invalid(describe_validation_error(exc), "invalid_data") from exc


def parse_response(raw: str | bytes) -> BaseRTUResponse:
    """Parse a message from a server.

    An unknown event, or a known one whose data do not fit, becomes a plain `BaseRTUResponse`, whose
    ``data`` is then what the JSON held.

    Raises
    ------
    InvalidMessage
        The message is not RTU at all: no JSON object, or no envelope.
    """
    content = _load(raw)
    cls = RESPONSE_CLASSES.get(_key(content), BaseRTUResponse)
    try:
        return cls.model_validate(content)
    except ValidationError:
        pass
    try:
        return BaseRTUResponse.model_validate(content)
    except ValidationError as exc:
        raise InvalidMessage(describe_validation_error(exc)) from exc
