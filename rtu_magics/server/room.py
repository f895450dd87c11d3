"""The server's live copy of one notebook, and the one task that writes to it.

Everything that has to be in order goes through the writer: deltas of clients and of the server,
joins, versions. It takes what has arrived, applies each delta to the chain or refuses it, commits
the batch in one transaction, and only then acknowledges and broadcasts, in chain order. Nothing is
awaited between applying and committing, so nobody ever sees what is not stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection as StoreConnection
from sqlalchemy.exc import SQLAlchemyError

from ..errors import SquashError
from ..models import (
    NIL_UUID,
    CellExecuteDelta,
    FileDeltaBase,
    FileSubscribeRequestData,
    KernelStatusUpdate,
    NBCellsDelete,
    kernel_channel,
)
from .broadcast import Connection, broadcast
from .chain import MAX_EVENT_BYTES, Chain, HistoryGone, Staged
from .execution import Executor, Plan
from .frames import Frame, error_frame, message
from .notebook_kernel import NotebookKernel
from .people import Person
from .presence import Presence

if TYPE_CHECKING:
    from .disk import DiskFile
    from .service import Service

__all__ = ["Room"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

STORE_FAILED = "the server could not store the change; try again"


@dataclass(slots=True)
class _Submission:
    delta: FileDeltaBase
    author: UUID
    digest: str
    connection: Connection | None = None
    transaction_id: UUID | None = None
    also: Callable[[StoreConnection], None] | None = None
    done: asyncio.Future[FileDeltaBase] | None = None


@dataclass(slots=True)
class _Call:
    work: Callable[[], Any]
    done: asyncio.Future[Any]


class Room:
    """One notebook that is open.

    Parameters
    ----------
    service
        The server that it belongs to.
    chain
        Its deltas.
    path
        Where it lies below the server's root.

    Attributes
    ----------
    executor, kernel, presence, disk
        What runs its cells, its kernel, its people, its file.
    """

    disk: DiskFile

    def __init__(self, service: Service, chain: Chain, path: str) -> None:
        self.service = service
        self.chain = chain
        self.file_id = chain.file_id
        self.path = path
        self.channel = f"files/{self.file_id}"
        self.kernel_channel = kernel_channel(self.file_id)
        self.subscribers: dict[Connection, None] = {}
        self.kernel_subscribers: dict[Connection, None] = {}
        self.presence = Presence(self.file_id)
        self.executor = Executor(self)
        self.kernel = NotebookKernel(service.sessions, lambda: self.path, self)
        self._jobs: deque[_Submission | _Call] = deque()
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the writer and the executor."""
        self._writer = asyncio.create_task(self._write_forever(), name=f"rtu-room-{self.file_id}")
        self.executor.start()

    async def close(self) -> None:
        """Stop everything; the notebook on disk is brought up to date first."""
        await self.executor.close()
        await self.kernel.close()
        try:
            await self.disk.flush()
        except OSError as exc:
            logger.error("cannot write %s: %s", self.path, exc.strerror or exc)
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    # Asked for from outside

    def submit(
        self,
        delta: FileDeltaBase,
        person: Person,
        digest: str,
        connection: Connection,
        transaction_id: UUID,
    ) -> None:
        """Queue a client's delta; the connection gets the answers."""
        self._put(_Submission(delta, person.id, digest, connection, transaction_id))

    async def apply(
        self,
        delta: FileDeltaBase,
        author: UUID,
        also: Callable[[StoreConnection], None] | None = None,
    ) -> FileDeltaBase:
        """Append a delta of the server's own; returns it once it is stored and sent.

        Parameters
        ----------
        delta, author
            What, and for whom.
        also
            More to store in the same transaction.

        Raises
        ------
        SquashError
            It cannot be applied, or not be stored.
        """
        done: asyncio.Future[FileDeltaBase] = asyncio.get_running_loop().create_future()
        self._put(_Submission(delta, author, "", also=also, done=done))
        return await done

    async def exclusively(self, work: Callable[[], _T]) -> _T:
        """Run a function in the writer, after what arrived before; it may not await."""
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._put(_Call(work, done))
        return await done

    async def join(
        self, connection: Connection, data: FileSubscribeRequestData, transaction_id: UUID
    ) -> None:
        """Subscribe a connection: catch-up and registration are one step."""
        await self.exclusively(lambda: self._join(connection, data, transaction_id))

    def leave(self, connection: Connection) -> None:
        """End a connection's subscriptions."""
        self.kernel_subscribers.pop(connection, None)
        self.unsubscribe(connection)

    def unsubscribe(self, connection: Connection) -> None:
        """End a connection's subscription to the notebook."""
        if self.subscribers.pop(connection, self) is self:
            return
        gone = self.presence.leave(connection)
        if gone is not None:
            self.send("remove_user_file_subscription_event", {"user_id": str(gone)})

    def select(self, connection: Connection, cell_id: str | None) -> bool:
        """Note the cell that somebody is in."""
        data = self.presence.select(connection, cell_id)
        if data is None:
            return False
        self.send("update_user_file_subscription_event", data)
        return True

    async def save_version(self, name: str | None, person: Person) -> Any:
        """Save the notebook as it is as the next version and return its row."""
        version = await self.exclusively(
            lambda: self.chain.save_version(name=name, author=person.id)
        )
        self.send("v0_file_versions_changed_event", {"version_id": str(version.id)})
        return version

    # Sending

    def send(self, event: str, data: Any, transaction_id: UUID | None = None) -> None:
        """Send an event on the files channel to everybody who follows the notebook."""
        broadcast(self.subscribers, message(self.channel, event, data, transaction_id))

    def send_kernel(self, event: str, data: Any) -> None:
        """Send an event on the kernels channel, once to each connection."""
        frame = message(self.kernel_channel, event, data)
        broadcast({**self.subscribers, **self.kernel_subscribers}, frame)

    def kernel_status(self, status: KernelStatusUpdate) -> None:
        """Pass the kernel's state on."""
        self.send_kernel("kernel_status_update_event", status)

    def kernel_ready(self) -> None:
        """Let what is queued run."""
        self.executor.kernel_ready()

    def kernel_lost(self, cause: str) -> None:
        """End what is queued and what runs."""
        self.executor.kernel_lost(cause)

    # The writer

    def _put(self, job: _Submission | _Call) -> None:
        self._jobs.append(job)
        self._wake.set()

    async def _write_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch: list[_Submission] = []
            while self._jobs:
                job = self._jobs.popleft()
                if isinstance(job, _Submission):
                    batch.append(job)
                    continue
                self._write(batch)
                batch = []
                self._call(job)
            self._write(batch)
            if self.chain.needs_version:
                self._snapshot()

    def _call(self, job: _Call) -> None:
        if job.done.cancelled():
            return
        try:
            job.done.set_result(job.work())
        except Exception as exc:
            job.done.set_exception(exc)

    def _snapshot(self) -> None:
        try:
            version = self.chain.save_version(automatic=True)
        except SQLAlchemyError as exc:
            logger.error("no version could be saved: %s", type(exc).__name__)
            return
        self.send("v0_file_versions_changed_event", {"version_id": str(version.id)})

    def _write(self, batch: list[_Submission]) -> None:
        """Apply, commit, then answer: the whole way of a batch."""
        if not batch:
            return
        staged: list[Staged] = []
        plans: dict[UUID, Plan] = {}
        extras: list[Callable[[StoreConnection], None]] = []
        answers: list[Callable[[], None]] = []
        refusals: list[Callable[[], None]] = []
        accepted_ids: dict[UUID, str] = {}
        for job in batch:
            delta_id = job.delta.id
            earlier = accepted_ids.get(delta_id)
            stored = None if earlier is not None else self.chain.find(delta_id)
            if earlier is not None or stored is not None:
                same = job.digest == (earlier if stored is None else stored.digest)
                answers.append(self._answer_known(job, same))
                continue
            try:
                one = self.chain.stage(job.delta, job.author, job.digest)
            except SquashError as exc:
                answers.append(self._refusal(job, str(exc)))
                continue
            staged.append(one)
            accepted_ids[delta_id] = job.digest
            if isinstance(one.delta, CellExecuteDelta):
                plan = plans[delta_id] = self.executor.plan(one.delta, self.chain.builder)
                extras.append(plan.store)
            if job.also is not None:
                extras.append(job.also)
            answers.append(self._acceptance(job, one, plans.get(delta_id)))
            refusals.append(self._refusal(job, STORE_FAILED))
        if staged and not self._commit(staged, extras):
            for refuse in refusals:
                refuse()
            return
        for answer in answers:
            answer()
        if any(not isinstance(one.delta, CellExecuteDelta) for one in staged):
            self.disk.changed()

    def _commit(
        self, staged: list[Staged], extras: list[Callable[[StoreConnection], None]]
    ) -> bool:
        def also(connection: StoreConnection) -> None:
            for extra in extras:
                extra(connection)

        try:
            self.chain.commit(staged, also if extras else None)
        except SQLAlchemyError as exc:
            logger.error("a batch could not be stored: %s", getattr(exc, "orig", exc))
            self.chain.rebuild()
            return False
        return True

    def _acceptance(self, job: _Submission, one: Staged, plan: Plan | None) -> Callable[[], None]:
        def answer() -> None:
            if job.connection is not None:
                self._reply(job, True)
            event = message(self.channel, "new_delta_event", one.body, job.transaction_id)
            broadcast(self.subscribers, event)
            if job.connection is not None and job.connection not in self.subscribers:
                job.connection.send(event)
            if plan is not None:
                self.executor.accept(plan)
            if isinstance(one.delta, NBCellsDelete):
                self.executor.cell_deleted(one.delta.properties.id)
            if job.done is not None and not job.done.done():
                job.done.set_result(one.delta)

        return answer

    def _answer_known(self, job: _Submission, same: bool) -> Callable[[], None]:
        def answer() -> None:
            stored = self.chain.find(job.delta.id)
            if not same or stored is None:
                self._refusal(job, "another change with the same id was accepted before")()
                return
            if job.connection is not None:
                self._reply(job, True)
                event = message(self.channel, "new_delta_event", stored.body, job.transaction_id)
                job.connection.send(event)

        return answer

    def _refusal(self, job: _Submission, cause: str) -> Callable[[], None]:
        def answer() -> None:
            if job.connection is not None:
                self._reply(job, False)
                rejected = error_frame(self.channel, "delta_rejected", cause, job.transaction_id)
                job.connection.send(rejected)
            if job.done is not None and not job.done.done():
                job.done.set_exception(SquashError(cause))

        return answer

    def _reply(self, job: _Submission, success: bool) -> None:
        assert job.connection is not None
        data = '{"success":true}' if success else '{"success":false}'
        job.connection.send(message(self.channel, "new_delta_reply", data, job.transaction_id))

    # Joining

    def _join(
        self, connection: Connection, data: FileSubscribeRequestData, transaction_id: UUID
    ) -> None:
        if connection.closed or connection.person is None:
            return
        self.subscribers.pop(connection, None)
        try:
            reply = self._subscribe_reply(connection, data, transaction_id)
        except HistoryGone as exc:
            self.unsubscribe(connection)
            connection.send(
                error_frame(self.channel, "inconsistent_state_event", str(exc), transaction_id)
            )
            return
        self.subscribers[connection] = None
        connection.send(reply)
        if self.kernel.status is not None or self.executor.states:
            connection.send(self.executor.bulk_frame())
        entered = self.presence.enter(connection)
        if entered is not None:
            self.send("update_user_file_subscription_event", entered)

    def _subscribe_reply(
        self, connection: Connection, data: FileSubscribeRequestData, transaction_id: UUID
    ) -> Frame:
        if data.from_version_id is not None:
            bodies = self.chain.bodies_after_version(data.from_version_id)
        else:
            bodies = self.chain.bodies_after_delta(data.from_delta_id or NIL_UUID)
        status = self.kernel.status
        role = connection.person.role.value if connection.person else ""
        people = ",".join(one.model_dump_json() for one in self.presence.everybody())
        states = ",".join(state.model_dump_json() for state in self.executor.states.values())
        frame = message(
            self.channel,
            "subscribe_reply",
            f'{{"success":true,"role":"{role}","latest_delta_id":"{self.chain.head}",'
            f'"kernel_session":{status.model_dump_json() if status else "null"},'
            f'"cell_states":[{states}],"user_subscriptions":[{people}],'
            f'"deltas_to_apply":[{",".join(bodies)}]}}',
            transaction_id,
        )
        if bodies and len(frame.payload) > MAX_EVENT_BYTES + 64 * 1024:
            raise HistoryGone("too far back; load the current version")
        return frame

    def tell_inconsistent(self, reason: str) -> None:
        """Tell everybody to load the current version, and drop their subscriptions until then."""
        frame = error_frame(self.channel, "inconsistent_state_event", reason)
        for connection in list(self.subscribers):
            connection.send(frame)
            self.unsubscribe(connection)
