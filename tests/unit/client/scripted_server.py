"""A small RTU server that speaks the real contract over any connection, for tests of the client.

It keeps everything in memory and does as it is told: it can refuse, stay silent, forget, and send
what no sound server sends.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from rtu_magics.document import NotebookBuilder
from rtu_magics.errors import ConnectionLost, InvalidMessage, SquashError
from rtu_magics.models import (
    NIL_UUID,
    AuthenticateReply,
    AuthenticateRequest,
    BulkCellStateUpdateResponse,
    CellState,
    CodeCell,
    DeltaRejectedResponse,
    FileSubscribeReply,
    FileSubscribeRequest,
    FileUnsubscribeReply,
    FileUnsubscribeRequest,
    InconsistentStateEvent,
    InvalidDataResponse,
    KernelDetails,
    KernelStatusUpdate,
    KernelStatusUpdateResponse,
    NewDeltaEvent,
    NewDeltaReply,
    NewDeltaRequest,
    Notebook,
    PermissionDeniedResponse,
    PingRequest,
    PingResponse,
    User,
    kernel_channel,
    parse_request,
    utcnow,
)


class ScriptedServer:
    def __init__(self, *cells, token="secret"):
        self.token = token
        self.file_id = uuid4()
        self.user = User(id=uuid4(), created_at=utcnow(), updated_at=utcnow(), handle="ada")
        self.seed = Notebook(cells=list(cells) or [CodeCell(id="a", source="1 + 1")])
        self.builder = NotebookBuilder(self.seed)
        self.version_id = uuid4()
        self.version_at = 0  # how many deltas the version holds
        self.chain = []
        self.by_id = {}
        self.subscribers = []
        self.requests = []  # everything received, in order
        self.kernel = None
        self.cell_states = []
        # What it is told to do.
        self.ignore = set()  # request classes that get no answer
        self.deny = None
        self.mute_events = 0  # how many accepted deltas are not broadcast
        self.lose_replies = 0  # connections are dropped after accepting, instead of answering
        self.inconsistent = 0  # how many subscriptions are answered so
        self.auth_fails_without_user = False
        self.on_request = None

    @property
    def channel(self):
        return f"files/{self.file_id}"

    @property
    def head(self):
        return self.chain[-1].id if self.chain else NIL_UUID

    def copy_of_version(self):
        """What a client that loads the notebook gets."""
        builder = NotebookBuilder(self.seed)
        for delta in self.chain[: self.version_at]:
            builder.apply_delta(delta)
        builder.last_applied_delta_id = None
        return self.version_id, NotebookBuilder(builder.nb)

    def save_version(self):
        self.version_id, self.version_at = uuid4(), len(self.chain)

    async def __call__(self, connection):
        authenticated = False
        try:
            while True:
                raw = await connection.recv()
                try:
                    request = parse_request(raw)
                except InvalidMessage as exc:
                    await self.say(
                        connection,
                        InvalidDataResponse(
                            transaction_id=exc.transaction_id,
                            channel=exc.channel,
                            data={"message": str(exc)},
                        ),
                    )
                    continue
                self.requests.append(request)
                if self.on_request is not None:
                    await self.on_request(connection, request)
                if type(request) in self.ignore:
                    continue
                if isinstance(request, AuthenticateRequest):
                    authenticated = await self.authenticate(connection, request)
                elif not authenticated:
                    await self.refuse(connection, request, "authenticate first")
                elif isinstance(request, PingRequest):
                    await self.answer(connection, request, PingResponse)
                elif isinstance(request, FileSubscribeRequest):
                    await self.subscribe(connection, request)
                elif isinstance(request, FileUnsubscribeRequest):
                    self.unsubscribe(connection)
                    await self.answer(
                        connection, request, FileUnsubscribeReply, data={"success": True}
                    )
                elif isinstance(request, NewDeltaRequest):
                    await self.take(connection, request)
        finally:
            self.unsubscribe(connection)

    def unsubscribe(self, connection):
        self.subscribers = [c for c in self.subscribers if c is not connection]

    async def say(self, connection, message):
        await connection.send(message.model_dump_json())

    async def answer(self, connection, request, cls, **fields):
        await self.say(
            connection,
            cls(transaction_id=request.transaction_id, channel=request.channel, **fields),
        )

    async def refuse(self, connection, request, message):
        await self.answer(connection, request, PermissionDeniedResponse, data={"message": message})

    async def authenticate(self, connection, request):
        success = request.data.token == self.token
        user = None if not success and self.auth_fails_without_user else self.user
        await self.answer(
            connection, request, AuthenticateReply, data={"success": success, "user": user}
        )
        return success

    async def subscribe(self, connection, request):
        if self.deny:
            return await self.refuse(connection, request, self.deny)
        if self.inconsistent:
            self.inconsistent -= 1
            return await self.answer(
                connection, request, InconsistentStateEvent, data={"message": "unknown version"}
            )
        if request.data.from_version_id is not None:
            known = request.data.from_version_id == self.version_id
            missed = self.chain[self.version_at :]
        else:
            ids = [delta.id for delta in self.chain]
            known = request.data.from_delta_id in ids
            missed = self.chain[ids.index(request.data.from_delta_id) + 1 :] if known else []
        if not known:
            return await self.answer(
                connection, request, InconsistentStateEvent, data={"message": "unknown start"}
            )
        self.unsubscribe(connection)
        self.subscribers.append(connection)
        await self.answer(
            connection,
            request,
            FileSubscribeReply,
            data={
                "deltas_to_apply": list(missed),
                "cell_states": self.cell_states,
                "latest_delta_id": self.head,
                "kernel_session": self.kernel,
                "success": True,
            },
        )

    async def take(self, connection, request):
        delta = request.data.delta
        stored = self.by_id.get(delta.id)
        if stored is not None:
            await self.answer(connection, request, NewDeltaReply, data={"success": True})
            await self.answer(connection, request, NewDeltaEvent, data=stored)
            return
        try:
            completed = self.accept(delta)
        except SquashError as exc:
            await self.answer(connection, request, NewDeltaReply, data={"success": False})
            await self.answer(connection, request, DeltaRejectedResponse, data={"cause": str(exc)})
            return
        if self.lose_replies:
            self.lose_replies -= 1
            connection.drop()
            return
        await self.answer(connection, request, NewDeltaReply, data={"success": True})
        await self.broadcast(completed, request.transaction_id)

    def accept(self, delta):
        completed = delta.model_copy(
            update={
                "parent_delta_id": self.head,
                "created_at": utcnow(),
                "created_by_id": self.user.id,
            }
        )
        self.builder.apply_delta(completed, strict=True)
        self.chain.append(completed)
        self.by_id[completed.id] = completed
        return completed

    async def broadcast(self, delta, transaction_id=None):
        if self.mute_events:
            self.mute_events -= 1
            return
        await self.push(
            NewDeltaEvent(
                transaction_id=transaction_id or uuid4(), channel=self.channel, data=delta
            )
        )

    async def push(self, message):
        text = message.model_dump_json()
        for subscriber in list(self.subscribers):
            try:
                await subscriber.send(text)
            except ConnectionLost:
                self.unsubscribe(subscriber)

    async def edit(self, delta):
        """Somebody else's delta."""
        completed = self.accept(delta)
        await self.broadcast(completed)
        return completed

    async def set_kernel(self, state, reason=None):
        self.kernel = KernelStatusUpdate(
            session_id=UUID(int=7),
            kernel=KernelDetails(name="python3", execution_state=state),
            reason=reason,
        )
        await self.push(
            KernelStatusUpdateResponse(channel=kernel_channel(self.file_id), data=self.kernel)
        )

    async def set_states(self, **states):
        """States by cell id; a value is a name, or (name, execution id)."""
        pairs = {k: v if isinstance(v, tuple) else (v, None) for k, v in states.items()}
        self.cell_states = [
            CellState(cell_id=cell_id, state=name, execution_id=execution_id)
            for cell_id, (name, execution_id) in pairs.items()
        ]
        await self.push(
            BulkCellStateUpdateResponse(
                channel=kernel_channel(self.file_id), data={"cell_states": self.cell_states}
            )
        )
