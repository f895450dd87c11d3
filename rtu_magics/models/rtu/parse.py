"""From bytes to messages, one parser per direction.

Channel prefix and event name the class in a table, and that class alone validates the message.
Nearly every sender puts both at the head of the object, where a pattern finds them, so that the
validator can read the JSON itself, once. Whatever looks otherwise, or does not validate, is read
into Python objects first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args

from pydantic import Discriminator, Tag, ValidationError
from pydantic_core import from_json

from ...errors import InvalidMessage
from . import errors, files, kernels, runs, system
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
    modules = (("system", system), ("files", files), ("files", runs), ("kernels", kernels))
    for prefix, module in modules:
        for name in module.__all__:
            cls = getattr(module, name)
            if isinstance(cls, type) and issubclass(cls, base):
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


# From the end of the transaction's id on. Some clients repeat the channel's prefix in a request.
_CHANNEL = r'", ?"channel": ?"([a-z]+)(?:/[^"\\]*)?", ?'
_PREFIX_AGAIN = r'(?:"channel_prefix": ?(?:null|"[^"\\]*"), ?)?'
_EVENT = r'"event": ?"([a-z0-9_]+)'
_BEGINNING = r'\{ ?"transaction_id": ?"[^"\\]{36}'
_RESPONSE_HEAD = _CHANNEL + _EVENT
_REQUEST_HEAD = _CHANNEL + _PREFIX_AGAIN + _EVENT
_TRANSACTION = re.compile(r'"transaction_id": ?"([0-9a-fA-F-]{36})"').search
_HEAD = 4096
_MAX_HEADS = 1024  # heads are remembered by channel and event, and somebody may invent channels


def _direct_reader(
    head: str, table: dict[tuple[str, str], type[_M]], kind: type[str] | type[bytes]
) -> Callable[[Any], _M | None]:
    """Return what reads a message at once, or gives None if it takes a closer look."""

    def typed(text: str) -> Any:
        return text if kind is str else text.encode()

    validators: dict[Any, Callable[[Any], _M]] = {
        (typed(prefix), typed(event)): cls.__pydantic_validator__.validate_json
        for (prefix, event), cls in table.items()
    }
    match = re.compile(typed(_BEGINNING + head + '"')).match
    match_head = re.compile(typed(head)).fullmatch
    start, quote = typed('{"transaction_id":"'), typed('"')
    end = len(start) + 36
    channel = end + len('","channel":"')
    event = len('","event":"')
    # The heads of compact messages come again and again, and a look-up is quicker than a pattern.
    heads: dict[Any, Callable[[Any], _M]] = {}

    def read(raw: Any) -> _M | None:
        find = raw.find
        known = raw[end : find(quote, find(quote, channel) + event)]
        validate = heads.get(known)
        # That only a UUID stands between this start and the head is the validator's to find.
        if validate is None or not raw.startswith(start):
            found = match(raw)
            validate = validators.get(found.groups()) if found else None
            if validate is None:
                return None
            if match_head(known):
                if len(heads) >= _MAX_HEADS:
                    heads.clear()
                heads[known] = validate
        try:
            return validate(raw)
        except ValidationError:
            return None

    return read


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


_request_from_text = _direct_reader(_REQUEST_HEAD, REQUEST_CLASSES, str)
_request_from_bytes = _direct_reader(_REQUEST_HEAD, REQUEST_CLASSES, bytes)
_response_from_text = _direct_reader(_RESPONSE_HEAD, RESPONSE_CLASSES, str)
_response_from_bytes = _direct_reader(_RESPONSE_HEAD, RESPONSE_CLASSES, bytes)


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
        raise InvalidMessage(
            f"not JSON: {exc}", event="invalid_event", transaction_id=_named_in(raw)
        ) from None
    if not isinstance(content, dict):
        raise InvalidMessage("a message is one JSON object", event="invalid_event")
    return content


def _named_in(raw: str | bytes) -> str | None:
    """Return the transaction that something unreadable names at its head: its sender waits."""
    head = raw[:_HEAD] if isinstance(raw, str) else raw[:_HEAD].decode("utf-8", "replace")
    found = _TRANSACTION(head)
    return found[1] if found else None


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
    message = (_request_from_text if isinstance(raw, str) else _request_from_bytes)(raw)
    if message is not None:
        return message
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
    message = (_response_from_text if isinstance(raw, str) else _response_from_bytes)(raw)
    if message is not None:
        return message
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
