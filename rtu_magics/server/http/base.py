"""What all REST handlers share: tokens, bodies, errors of one line."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timezone
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote
from uuid import UUID

from jupyter_server.base.handlers import JupyterHandler
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, MissingArgumentError

from ...errors import KernelError
from ...models import describe_validation_error
from ..access.origin import came_from_elsewhere
from ..access.people import Action, FromElsewhere, NotRecognised, Person, authorise, refusal
from ..access.roles import may
from ..limits.gate import TooMuch
from ..limits.intake import MOST_BYTES, too_structured
from ..process.leases import Leases
from ..service import Service
from ..store import files as queries
from ..store.schema import files, projects, spaces
from ..wire.links import without_secrets
from .websocket import base_of

__all__ = ["Handler", "fail", "public", "signed_in", "when"]

logger = logging.getLogger(__name__)

_Model = TypeVar("_Model", bound=BaseModel)
_Method = Callable[..., Awaitable[None]]

_MAX_REASON = 500  # characters

_TABLES = {"spaces": spaces, "projects": projects, "files": files}


class _Failure(HTTPError):
    """An error that says to programs, too, what went wrong: one of `RefusalReason`."""

    def __init__(self, status: int, message: str, why: str | None) -> None:
        super().__init__(status, message)
        self.why = why


def fail(status: int, message: str, why: str | None = None) -> HTTPError:
    """Return the error that answers with a status, one line, and one of `RefusalReason`."""
    return _Failure(status, message, why)


def when(seconds: float | None) -> datetime | None:
    """Return a stored time as a datetime in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def signed_in(action: Action) -> Callable[[_Method], _Method]:
    """Mark a method that takes a token.

    What it does with a file it has to ask `Handler.action` for, as `FileHandler.file` does; what
    concerns the whole server (`Action.ADMINISTER`) is checked here.
    """

    def decorate(method: _Method) -> _Method:
        @wraps(method)
        async def wrapper(self: Handler, *args: str, **kwargs: str) -> None:
            try:
                person = await self.service.people.identify(
                    self.token, self.user_name, elsewhere=await came_from_elsewhere(self)
                )
            except FromElsewhere as exc:
                raise fail(403, str(exc)) from None
            except NotRecognised as exc:
                self.set_header("WWW-Authenticate", "Bearer")
                raise fail(401, str(exc), exc.reason) from None
            if action is Action.ADMINISTER and not authorise(person, action):
                raise fail(403, refusal(None, action))
            self.person, self.action = person, action
            await method(self, *args, **kwargs)

        # Jupyter's own check is off: cookies never count here, and its answer would be a redirect.
        wrapper.__allow_unauthenticated = True  # type: ignore[attr-defined]
        return wrapper

    return decorate


def public(method: _Method) -> _Method:
    """Mark a method that takes no token."""

    @wraps(method)
    async def wrapper(self: Handler, *args: str, **kwargs: str) -> None:
        await method(self, *args, **kwargs)

    setattr(wrapper, "__allow_unauthenticated", True)
    return wrapper


class Handler(JupyterHandler):
    """Base of the REST handlers.

    Attributes
    ----------
    person
        Who asks, in methods marked `signed_in`.
    action
        What such a method does.
    """

    person: Person
    action: Action

    def initialize(self, service: Service, leases: Leases) -> None:
        """Take what the application hands in."""
        self.service = service
        self.leases = leases

    def prepare(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Leave authentication to the methods' marks."""

    def check_xsrf_cookie(self) -> None:
        """Ask for no cookie: none ever authenticates here.

        Where nothing authenticates, `came_from_elsewhere` asks for it.
        """

    def check_trusted_origin(self, origin: str) -> bool:
        """Take requests from any origin; see `check_xsrf_cookie`."""
        return True

    @property
    def reader(self) -> Hashable:
        """Whose turns to read are taken."""
        return self.person.id

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Wait for the asker's turn to read much at once.

        Raises
        ------
        tornado.web.HTTPError
            429, with what there is too much of.
        """
        try:
            async with self.service.gate.reading(self.reader):
                yield
        except TooMuch as exc:
            raise fail(429, str(exc)) from exc

    @property
    def token(self) -> str | None:
        """The token of the request, from the header or else the query."""
        kind, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if kind.lower() in ("bearer", "token") and token.strip():
            return token.strip()
        return self.get_query_argument("token", None)

    @property
    def user_name(self) -> str:
        """What somebody with an owner's token wants to be called; headers hold ASCII only."""
        return unquote(self.request.headers.get("X-RTU-User-Name", ""))

    @property
    def base(self) -> str:
        """``scheme://host`` under which the client reaches the server."""
        return base_of(self)

    def query(self, name: str) -> str:
        """Return an argument of the query, empty when missing."""
        return self.get_query_argument(name, "") or ""

    def body(self, model: type[_Model]) -> _Model:
        """Return the request's JSON as a model.

        Raises
        ------
        tornado.web.HTTPError
            422, with the first thing that is wrong.
        """
        body = self.request.body or b"{}"
        if len(body) > MOST_BYTES:
            raise fail(413, f"the body has {len(body):,} bytes and at most {MOST_BYTES:,} are read")
        wrong = too_structured(body)
        if wrong:
            raise fail(422, wrong)
        try:
            return model.model_validate_json(body)
        except ValidationError as exc:
            raise fail(422, describe_validation_error(exc)) from exc
        except (ValueError, RecursionError) as exc:
            raise fail(422, "the body is not JSON that can be read") from exc

    def resource(self, kind: str, resource_id: str | UUID, action: Action | None = None) -> Any:
        """Return the row of a space, project or file if the asker may do that there.

        Parameters
        ----------
        kind
            ``spaces``, ``projects`` or ``files``.
        resource_id
            Which.
        action
            By default, what the method does. To read, it is enough to see something in it.

        Raises
        ------
        tornado.web.HTTPError
            404 or 403.
        """
        action = action or self.action
        found = uuid_of(resource_id) if isinstance(resource_id, str) else resource_id
        with self.service.database.transaction() as connection:
            row = queries.get_by_id(connection, _TABLES[kind], found)
        rights = self.service.people.rights
        if row is None or not rights.sees(self.person, kind, found):
            raise fail(404, f"there is no such {kind[:-1]}")
        role = rights.on(self.person, kind, found)
        if action is not Action.READ and not may(role, action):
            raise fail(403, refusal(role, action))
        return row

    def answer(self, data: Any, status: int = 200) -> None:
        """Answer with JSON: a model, a list of models, or anything JSON knows."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(_plain(data)))

    def answer_text(self, text: str) -> None:
        """Answer with JSON that is text already."""
        self.set_header("Content-Type", "application/json")
        self.finish(text)

    async def answer_large(
        self, parts: Sequence[bytes], mimetype: str = "application/json"
    ) -> None:
        """Answer with much, a part at a time, as fast as it is taken.

        Parameters
        ----------
        parts
            The content, cut as `parts_of` does.
        mimetype
            Of the content.
        """
        self.set_header("Content-Type", mimetype)
        if len(parts) < 2:
            self.finish(b"".join(parts))
            return
        self.set_header("Content-Length", str(sum(map(len, parts))))
        with suppress(StreamClosedError):  # nobody is there any more
            for part in parts:
                self.write(part)
                await self.flush()
            self.finish()

    def nothing(self, status: int = 204) -> None:
        """Answer without content."""
        self.set_status(status)
        self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as JSON with one line."""
        error = kwargs.get("exc_info", (None, None))[1]
        message = self._reason
        if isinstance(error, SQLAlchemyError):
            self.set_status(507)
            message = (
                f"the server cannot use its database ({reason_of(error)}); see to its disk and try "
                "again"
            )
        if isinstance(error, KernelError):
            self.set_status(503)
            message = str(error)
        elif isinstance(error, MissingArgumentError):
            message = f"the argument {error.arg_name} is missing"
        elif isinstance(error, HTTPError) and error.log_message:
            message = error.log_message.replace("%%", "%")
        self.set_header("Content-Type", "application/json")
        if status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self.set_header("Retry-After", "1")
        said = {"message": one_line(message)}
        if isinstance(error, _Failure) and error.why is not None:
            said["reason"] = error.why
        self.finish(json.dumps(said))

    def _request_summary(self) -> str:
        """Say in the log what was asked, without the query: it may hold a token."""
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"

    def _log(self) -> None:
        """Log the request without what is secret in its address.

        Jupyter Server's log leaves secrets out, but others put a log of their own in its place.
        """
        self.request.uri = without_secrets(self.request.uri or "")
        super()._log()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log an error of the database as one line: its place in the code explains nothing."""
        if isinstance(value, SQLAlchemyError):
            logger.error("%s failed: %s", self.request.path, reason_of(value))
        else:
            super().log_exception(typ, value, tb)


def one_line(text: str) -> str:
    """Return a reason as one line of a length that can be shown, whatever was quoted in it."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"


def reason_of(error: SQLAlchemyError) -> str:
    """Return what the database itself said."""
    return str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]


class NotFound(Handler):
    """Answers routes that do not exist."""

    @public
    async def get(self, *args: str) -> None:
        """Answer 404."""
        raise fail(404, "there is no such route")

    post = put = delete = patch = head = options = get


def uuid_of(text: str) -> UUID:
    """Return an id from a path; what is no UUID is an unknown id.

    Raises
    ------
    tornado.web.HTTPError
        404.
    """
    try:
        return UUID(text)
    except ValueError:
        raise fail(404, "there is nothing with this id") from None


def _plain(data: Any) -> Any:
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json")
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(item) for item in data]
    return data
