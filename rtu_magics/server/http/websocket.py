"""The RTU websocket: authentication first, then requests to rooms."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from sqlalchemy.exc import SQLAlchemyError
from tornado.websocket import WebSocketHandler

from ...errors import InvalidMessage
from ...models import (
    AuthenticateRequest,
    BaseRTURequest,
    parse_request,
)
from ..access.origin import came_from_elsewhere
from ..access.people import NotRecognised, Person, Role, nobody
from ..limits.admission import Waiting
from ..service import Service
from ..wire.connection import Connection
from ..wire.frames import error_frame, has_constants, message
from ..wire.links import without_secrets
from ..wire.outside_view import base_of
from .answers import refuse, refuse_unread, say_invalid
from .requests import Requests

__all__ = ["PROTOCOL", "RTUWebSocket", "base_of"]

logger = logging.getLogger(__name__)

PROTOCOL = 1
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_PING_EVERY = 20.0
_NO_STORE = "the server cannot use its database ({}); see to its disk and try again"


class RTUWebSocket(WebSocketHandler, JupyterHandler):
    """One client.

    The upgrade asks for no credentials, as the RTU protocol has it; only the token in the
    authenticate request counts, never a cookie. That is why any origin may connect. Where no
    token is asked for, only the server's own origin counts as its owner's.
    """

    service: Service

    def initialize(self, service: Service) -> None:
        """Take what the application hands in."""
        self.service = service
        self._connection = Connection(self, base_of(self), service.outbox)
        self._waiting: Waiting | None = None
        self._requests = Requests(service, self._connection)
        self._elsewhere = ""

    def _request_summary(self) -> str:
        """Say in the log what was asked, without the query: it may hold a token."""
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"

    def _log(self) -> None:
        """Log the upgrade without what is secret in its address."""
        self.request.uri = without_secrets(self.request.uri or "")
        super()._log()

    async def prepare(self, **kwargs: Any) -> None:
        """Let everybody in; nothing happens before the authenticate request."""
        self._elsewhere = await came_from_elsewhere(self)

    def check_origin(self, *args: Any, **kwargs: Any) -> bool:
        """Accept any origin."""
        return True

    def set_default_headers(self) -> None:
        """Name the connection in the upgrade response."""
        if hasattr(self, "_connection"):
            self.set_header("rtu_session_id", str(self._connection.session_id))

    @allow_unauthenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Upgrade to a websocket, unless too many wait already to say who they are."""
        why_not = self.service.admission.why_not(self._address)
        if why_not:
            self.set_status(429)
            self.set_header("Retry-After", "5")
            self.finish(why_not)
            return
        self.set_header("rtu_session_id", str(self._connection.session_id))
        await super().get(*args, **kwargs)

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings."""
        return _PING_EVERY

    @property
    def ping_timeout(self) -> float | None:
        """Seconds to wait for a pong."""
        return _PING_EVERY

    @property
    def max_message_size(self) -> int:
        """Generous, so that an oversized change can be refused instead of the connection cut."""
        return MAX_MESSAGE_BYTES

    @property
    def _address(self) -> str:
        return self.request.remote_ip or ""

    def open(self, *args: str, **kwargs: str) -> None:
        """Send small frames at once; take none that are not until it is known who sends them."""
        self.set_nodelay(True)
        self._waiting = self.service.admission.enter(self._address, self._connection.close)
        self._take_up_to(int(self.service.limits.unauthenticated_bytes))

    def _take_up_to(self, size: int) -> None:
        # Tornado has no public way to change it while the connection is open.
        params = getattr(self.ws_connection, "params", None)
        if params is not None:
            params.max_message_size = size

    def on_close(self) -> None:
        """Leave every room."""
        self._connection.mark_closed()
        self._admitted()
        self.service.gate.left(self._connection)
        self._requests.leave()

    def on_message(self, raw: str | bytes) -> Awaitable[None] | None:
        """Take one request; what can be done at once is, before the next turn of the loop."""
        with self.service.outbox.at_once():
            return self._take(raw)

    def _admitted(self) -> None:
        if self._waiting is not None:
            self._waiting.over()
            self._waiting = None

    def _take(self, raw: str | bytes) -> Awaitable[None] | None:
        if self._waiting is not None:
            self._waiting.took()
        person = self._connection.person
        refused = "" if person is None else self.service.gate.objection_to_message(person, raw)
        if refused:
            refuse_unread(self._connection, raw, refused)
            return None
        try:
            request = parse_request(raw)
        except InvalidMessage as exc:
            say_invalid(self._connection, exc)
            return None
        except RecursionError:
            deep = InvalidMessage("nested too deeply", event="invalid_event")
            say_invalid(self._connection, deep)
            return None
        if isinstance(request, AuthenticateRequest):
            return self._authenticate(request)
        if has_constants(raw):
            self._error(request, "invalid_data", "NaN and Infinity are no numbers of JSON")
            return None
        if person is None:
            self._error(request, "permission_denied", "authenticate first")
            return None
        refused = self.service.gate.objection(person, request)
        if refused:
            refuse(self._connection, request, refused)
            return None
        return self._requests.take(request, person)

    def _error(self, request: BaseRTURequest, event: str, text: str) -> None:
        self._connection.send(error_frame(request.channel, event, text, request.transaction_id))

    def _authenticate(self, request: AuthenticateRequest) -> Awaitable[None] | None:
        people, token = self.service.people, request.data.token
        try:
            person = people.identify_here(
                token, request.data.user_name or "", elsewhere=self._elsewhere
            )
        except NotRecognised as exc:
            self._authenticated(request, str(exc))
            return None
        except SQLAlchemyError as exc:  # of somebody who is new, or a guest
            self._authenticated(request, _NO_STORE.format(getattr(exc, "orig", exc)))
            return None
        if person is None and people.hub is not None:
            return self._ask_hub(request)
        self._authenticated(request, person or "the token is not valid; ask for a new one")
        return None

    async def _ask_hub(self, request: AuthenticateRequest) -> None:
        try:
            found: Person | str = await self.service.people.identify(
                request.data.token, elsewhere=self._elsewhere
            )
        except NotRecognised as exc:
            found = str(exc)
        self._authenticated(request, found)

    def _authenticated(self, request: AuthenticateRequest, found: Person | str) -> None:
        """Answer an authentication: with who it was, or with why it failed."""
        data: dict[str, Any] = {"success": not isinstance(found, str), "protocol": PROTOCOL}
        if isinstance(found, str):
            # Without a user other clients would wait for ever.
            data["user"] = nobody().model_dump(mode="json")
            data["message"] = found
        elif self._connection.person is None and (full := self.service.gate.why_full(found)):
            data["success"] = False
            data["user"] = nobody().model_dump(mode="json")
            data["message"] = full
        elif self._connection.person not in (None, found):
            # Subscriptions hang on who somebody was.
            data["success"] = False
            data["user"] = nobody().model_dump(mode="json")
            data["message"] = "this connection is somebody else's; open another one"
        else:
            data["user"] = found.user.model_dump(mode="json")
            data["role"] = Role.OWNER.value if found.is_owner else None
            self._connection.person = found
            self._admitted()
            self.service.gate.came(self._connection)
            self._take_up_to(MAX_MESSAGE_BYTES)
            self._connection.takes_partial = request.data.partial_states
            self._connection.client_type = request.data.rtu_client_type[:64]
            self._connection.kernel_id = request.data.kernel_id
            self.service.people.saw(found)
        reply = message(request.channel, "authenticate_reply", data, request.transaction_id)
        self._connection.send(reply)
