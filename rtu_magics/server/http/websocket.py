"""The RTU websocket: authentication first, then requests to rooms."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeGuard
from uuid import UUID

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from sqlalchemy.exc import SQLAlchemyError
from tornado.websocket import WebSocketHandler

from ...errors import InvalidMessage
from ...models import (
    AttachRequest,
    AuthenticateRequest,
    BaseRTURequest,
    FileSubscribeRequest,
    FileUnsubscribeRequest,
    InputReplyRequest,
    IntegratedAIRequest,
    IntegratedAIResult,
    KernelSubscribeRequest,
    NewDeltaRequest,
    PingRequest,
    ScratchRequest,
    TransformViewToCodeRequest,
    UpdateUserCellSelectionRequest,
    VariableExplorerUpdateRequest,
    WhoAmIRequest,
    kernel_channel,
    parse_request,
)
from ..access.origin import came_from_elsewhere
from ..access.people import Action, NotRecognised, Person, Role, authorise, nobody, refusal
from ..limits.admission import Waiting
from ..notebook.cell_locks import needed_for
from ..notebook.presence import could_be_cell
from ..notebook.submission import digest_of
from ..outputs.adopt import copy_outputs
from ..room import Room
from ..service import NotANotebook, Service
from ..wire.connection import Connection, broadcast
from ..wire.frames import error_frame, has_constants, message
from ..wire.links import without_secrets
from ..wire.outside_view import base_of
from .answers import refuse, refuse_unread, say_invalid
from .run_requests import RunRequest, answer_to, attach_starter, why_circle

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
        self._rooms: dict[UUID, Room] = {}
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
        for room in self._rooms.values():
            room.leave(self._connection)
        self._rooms.clear()

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
        handle = self._handlers.get(type(request))
        if handle is None:
            self._error(request, "invalid_event", f"{request.event} is not taken here")
            return None
        if isinstance(request, NewDeltaRequest):
            room = self._rooms.get(request.data.delta.file_id)
            if room is not None and self._is_open(room) and request.channel == room.channel:
                try:
                    self._submit(request, person, room)
                except Exception:
                    self._failed(request)
                return None
        return self._await(handle(self, request, person), request)

    async def _await(self, work: Awaitable[None], request: BaseRTURequest) -> None:
        try:
            await work
        except Exception:
            self._failed(request)

    def _failed(self, request: BaseRTURequest) -> None:
        logger.exception("%s failed", request.event)
        self._error(request, "invalid_data", "the server failed to handle it; see its log")

    def _error(self, request: BaseRTURequest, event: str, text: str) -> None:
        self._connection.send(error_frame(request.channel, event, text, request.transaction_id))

    def _reply(self, request: BaseRTURequest, event: str, data: Any) -> None:
        self._connection.send(message(request.channel, event, data, request.transaction_id))

    # system

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
        self._reply(request, "authenticate_reply", data)

    async def _ping(self, request: PingRequest, person: Person) -> None:
        self._reply(request, "ping_response", {})

    async def _whoami(self, request: WhoAmIRequest, person: Person) -> None:
        self._reply(request, "whoami_response", {"user": person.user.model_dump(mode="json")})

    # files

    def _is_open(self, room: Room) -> bool:
        """Return whether a room that was known is the notebook's room still."""
        return self.service.rooms.get(room.file_id) is room

    async def _room(self, request: BaseRTURequest, person: Person, action: Action) -> Room | None:
        """Return the room that a channel names if the person may do that there, or answer no."""
        file_id = _uuid(request.channel.partition("/")[2])
        room = self._rooms.get(file_id) if file_id else None
        if room is None or not self._is_open(room):
            room = await self._room_by_id(file_id, person)
        return room if self._may(room, request, person, action) else None

    def _may(
        self, room: Room | None, request: BaseRTURequest, person: Person, action: Action
    ) -> TypeGuard[Room]:
        """Return whether the person may do that in a room, or answer no."""
        if room is None or not authorise(person, Action.READ, room.file_id):
            self._error(request, "permission_denied", "no such notebook, or not for you")
            return False
        if not authorise(person, action, room.file_id):
            text = refusal(person.role_in(room.file_id), action)
            self._error(request, "permission_denied", text)
            return False
        return True

    async def _room_by_id(self, file_id: UUID | None, person: Person) -> Room | None:
        """Return the room of a notebook that the person may read, opened if need be."""
        if file_id is None or not authorise(person, Action.READ, file_id):
            return None
        try:
            return await self.service.room(file_id, by_owner=person.is_owner)
        except (NotANotebook, OSError):
            return None

    async def _subscribe(self, request: FileSubscribeRequest, person: Person) -> None:
        room = await self._room(request, person, Action.READ)
        if room is not None:
            self._rooms[room.file_id] = room
            await room.join(self._connection, request.data, request.transaction_id)

    async def _unsubscribe(self, request: FileUnsubscribeRequest, person: Person) -> None:
        file_id = _uuid(request.channel.partition("/")[2])
        room = self._rooms.get(file_id) if file_id else None
        if room is not None:
            room.unsubscribe(self._connection)
        self._reply(request, "unsubscribe_reply", {"success": room is not None})

    async def _new_delta(self, request: NewDeltaRequest, person: Person) -> None:
        room = await self._room(request, person, needed_for(request.data.delta))
        if room is None:
            return
        if request.data.delta.file_id != room.file_id:
            self._error(request, "invalid_data", "delta.file_id is not the channel's file")
            return
        self._rooms[room.file_id] = room
        self._submit(request, person, room)

    def _submit(self, request: NewDeltaRequest, person: Person, room: Room) -> None:
        if self._may(room, request, person, needed_for(request.data.delta)):
            delta = request.data.delta
            circle = why_circle(room, delta.id, request.data.waiting)
            if circle:
                refuse(self._connection, request, circle)
                return
            attach_starter(request.data, room, self._connection)
            room.submit(delta, person, digest_of(delta), self._connection, request.transaction_id)
            copy_outputs(room, self.service.collections, request.data, person)

    async def _select(self, request: UpdateUserCellSelectionRequest, person: Person) -> None:
        room = await self._room(request, person, Action.READ)
        if room is None:
            return
        cell_id = request.data.id
        # Everybody is told of it, so it may be the name of a cell, and no order to their terminals.
        done = could_be_cell(cell_id) and room.select(self._connection, cell_id)
        self._reply(request, "update_user_cell_selection_reply", {"success": done})

    async def _unsupported(self, request: BaseRTURequest, person: Person) -> None:
        event = {
            "transform_view_to_code_request": "transform_view_to_code_reply",
            "integrated_ai_request": "integrated_ai_reply",
            "integrated_ai_result": "integrated_ai_result_reply",
        }[request.event]
        self._reply(request, event, {"success": False, "message": "not offered by this server"})

    async def _about_run(self, request: RunRequest, person: Person) -> None:
        # Who may only run cells runs what is there; code of one's own is as good as an edit.
        needed = Action.EDIT if isinstance(request, ScratchRequest) else Action.EXECUTE
        room = await self._room(request, person, needed)
        if room is not None:
            event, data = answer_to(request, room, self._connection, person)
            self._reply(request, event, data)

    # kernels

    async def _subscribe_kernel(self, request: KernelSubscribeRequest, person: Person) -> None:
        room = await self._room_by_id(request.data.file_id, person)
        if not self._may(room, request, person, Action.READ):
            return
        if request.channel != kernel_channel(room.file_id):
            self._error(request, "invalid_data", "data.file_id is not the channel's file")
            return
        self._rooms[room.file_id] = room
        room.kernel_subscribers[self._connection] = None
        self._connection.roles[room.file_id] = person.role_in(room.file_id)
        status = room.kernel.status
        self._reply(
            request,
            "subscribe_reply",
            {
                "success": True,
                "kernel_session": status.model_dump(mode="json") if status else None,
            },
        )
        if status is not None:
            self._connection.send(room.executor.bulk_frame())

    async def _variables(self, request: VariableExplorerUpdateRequest, person: Person) -> None:
        rooms = (room for room in self._rooms.values() if room.kernel_channel == request.channel)
        room = next(rooms, None)
        if room is None:
            self._error(request, "permission_denied", "subscribe to the notebook first")
            return
        if not self._may(room, request, person, Action.EXECUTE):
            return
        others = {**room.subscribers, **room.kernel_subscribers}
        if self._connection not in others:
            self._error(request, "permission_denied", "subscribe to the notebook first")
            return
        others.pop(self._connection)
        broadcast(others, message(request.channel, request.event, {}, request.transaction_id))
        room.variables.watch(self._connection, request.transaction_id)

    _handlers: ClassVar[
        dict[type[BaseRTURequest], Callable[[RTUWebSocket, Any, Person], Awaitable[None]]]
    ] = {
        PingRequest: _ping,
        WhoAmIRequest: _whoami,
        FileSubscribeRequest: _subscribe,
        FileUnsubscribeRequest: _unsubscribe,
        NewDeltaRequest: _new_delta,
        UpdateUserCellSelectionRequest: _select,
        TransformViewToCodeRequest: _unsupported,
        IntegratedAIRequest: _unsupported,
        IntegratedAIResult: _unsupported,
        AttachRequest: _about_run,
        InputReplyRequest: _about_run,
        ScratchRequest: _about_run,
        KernelSubscribeRequest: _subscribe_kernel,
        VariableExplorerUpdateRequest: _variables,
    }


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
