"""What a connection asks of the notebooks, once it is known who it is."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeGuard
from uuid import UUID

from ...models import (
    AttachRequest,
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
)
from ..access.people import Action, Person, authorise, refusal
from ..notebook.cell_locks import needed_for
from ..notebook.presence import could_be_cell
from ..notebook.submission import digest_of
from ..outputs.adopt import copy_outputs
from ..room import Room
from ..service import NotANotebook, Service
from ..wire.connection import Connection, broadcast
from ..wire.frames import error_frame, message
from .answers import refuse
from .run_requests import RunRequest, answer_to, attach_starter, why_circle

__all__ = ["Requests"]

logger = logging.getLogger(__name__)


class Requests:
    """Answers the requests of one connection.

    Parameters
    ----------
    service, connection
        The server, and who asks.
    """

    def __init__(self, service: Service, connection: Connection) -> None:
        self._service, self._connection = service, connection
        self._rooms: dict[UUID, Room] = {}

    def leave(self) -> None:
        """Leave every room: the connection is closed."""
        for room in self._rooms.values():
            room.leave(self._connection)
        self._rooms.clear()

    def take(self, request: BaseRTURequest, person: Person) -> Awaitable[None] | None:
        """Answer a request; what can be done at once is, the rest is to be awaited."""
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

    async def _ping(self, request: PingRequest, person: Person) -> None:
        self._reply(request, "ping_response", {})

    async def _whoami(self, request: WhoAmIRequest, person: Person) -> None:
        self._reply(request, "whoami_response", {"user": person.user.model_dump(mode="json")})

    # files

    def _rooms_open(self) -> list[Room]:
        return list(self._service.rooms.values())

    def _is_open(self, room: Room) -> bool:
        """Return whether a room that was known is the notebook's room still."""
        return self._service.rooms.get(room.file_id) is room

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
            return await self._service.room(file_id, by_owner=person.is_owner)
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
            circle = why_circle(room, self._rooms_open(), delta.id, request.data.waiting)
            if circle:
                refuse(self._connection, request, circle)
                return
            attach_starter(request.data, room, self._connection)
            room.submit(
                delta,
                person,
                digest_of(delta),
                self._connection,
                request.transaction_id,
                positions_at=request.data.positions_at,
            )
            copy_outputs(room, self._service.collections, request.data, person)

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
            event, data = answer_to(request, room, self._rooms_open(), self._connection, person)
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
        dict[type[BaseRTURequest], Callable[[Requests, Any, Person], Awaitable[None]]]
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
