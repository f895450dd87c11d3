"""The server's live copy of one notebook: who follows it, and what they are sent."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from ..models import (
    NIL_UUID,
    FileDeltaBase,
    FileSubscribeRequestData,
    KernelStateName,
    KernelStatusUpdate,
    kernel_channel,
)
from .access.people import Action, Person, Role, refusal
from .execution.executor import Executor
from .kernel.lost import LostKernels
from .kernel.notebook_kernel import NotebookKernel
from .kernel.sessions import KernelSessions
from .kernel.variables import Variables
from .limits.settings import Limits
from .notebook.chain import MAX_EVENT_BYTES, Chain, HistoryGone
from .notebook.jobs import Call, Submission
from .notebook.presence import Presence, Somebody
from .outputs.cache import Collections
from .outputs.collection import LiveCollection
from .ports import LiveDocuments, Twin
from .process.slices import Slices
from .store import AnyConnection
from .versions import Versions
from .wire.connection import Connection, Outbox, broadcast
from .wire.frames import Frame, error_frame, message
from .wire.state_feed import StatusFeed
from .writer import Writer

if TYPE_CHECKING:
    from .file.sync import DiskFile

__all__ = ["Room"]

_OWN_CLIENT = "rtu_magics"
# Ours takes larger messages than others: under a fast stream of edits the current version may be
# more than a small message behind by the time that it has been downloaded.
_OWN_LIMIT = 12 * 1024 * 1024

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


class Room:
    """One notebook that is open.

    Parameters
    ----------
    chain
        Its deltas.
    path
        Where it lies below the server's root.
    sessions, collections, limits, outbox, slices
        What all rooms of the server share: kernels, outputs, how much may wait, what is sent in
        one turn, what does long work.
    lost_kernels
        How the kernels of notebooks were before they were ended for idleness, by file id.

    Attributes
    ----------
    executor, kernel, variables, presence, disk, versions
        What runs its cells, its kernel and what that holds, its people, its file, its versions.
    """

    disk: DiskFile
    bridges: LiveDocuments | None = None

    def __init__(
        self,
        chain: Chain,
        path: str,
        *,
        sessions: KernelSessions,
        collections: Collections,
        limits: Limits,
        outbox: Outbox,
        slices: Slices,
        lost_kernels: LostKernels,
    ) -> None:
        self._lost_kernels = lost_kernels
        self.chain = chain
        self.file_id = chain.file_id
        self.path = path
        self.channel = f"files/{self.file_id}"
        self.kernel_channel = kernel_channel(self.file_id)
        self.subscribers: dict[Connection, None] = {}
        self.kernel_subscribers: dict[Connection, None] = {}
        self.presence = Presence(self.file_id)
        self.kernel = NotebookKernel(sessions, lambda: self.path, self)
        self.executor = Executor(self, self.kernel, collections, limits, outbox)
        self.variables = Variables(self, self.kernel, sessions, lambda: self.executor.busy)
        self._status_feed = StatusFeed(self.kernel_channel, self.kernel_receivers)
        self.versions = Versions(self, slices, self._held)
        self._writer = Writer(
            self, self.executor, collections, outbox, self.versions.save_automatically
        )
        self._used_at = time.monotonic()

    def start(self) -> None:
        """Start the writer and the executor."""
        self._writer.start()
        self.executor.start()

    async def close(self) -> str:
        """Stop everything; the notebook on disk is brought up to date first.

        Returns
        -------
        str
            Why its latest changes are in the database alone, "" if the file has them.
        """
        self.variables.close()
        await self.executor.close()
        await self.kernel.close()
        self.executor.late.settle()
        left = await self.disk.close()
        if self.bridges is not None:
            await self.bridges.close(self)
        if left:  # its live document may have ended before us: then we write it ourselves
            left = await self.disk.close()
        if left:
            logger.error("%s: its latest changes are not in the file: %s", self.path, left)
        await self.abandon()
        return left

    async def abandon(self) -> None:
        """Stop everything that changes the notebook, and write nothing more."""
        self.variables.close()
        await self.executor.close()
        await self.disk.stop()
        if self.bridges is not None:
            await self.bridges.close(self)
        await self.versions.close()
        await self._writer.close()

    @property
    def idle_for(self) -> float:
        """For how many seconds nobody has used the notebook."""
        in_use = (
            self.subscribers
            or self.kernel_subscribers
            or self.kernel.status is not None
            or self.executor.busy
            or self.disk.dirty
        )
        if in_use:
            self._used_at = time.monotonic()
        return time.monotonic() - self._used_at

    def changed(self, *, revive: bool = True) -> None:
        """Note that the file is to be written again; see `file.sync.DiskFile.changed`."""
        self.disk.changed(revive=revive)
        if self.twin is not None and not revive:
            self.twin.outputs_changed()

    @property
    def twin(self) -> Twin | None:
        """The live document of JupyterLab that the notebook stands on, if it does."""
        return self._writer.twin

    @twin.setter
    def twin(self, twin: Twin | None) -> None:
        self._writer.twin = twin

    def pull(self) -> None:
        """Take what the twin has now, unless changes wait; then it is taken before them."""
        self._writer.pull()

    def store_later(self, collection: LiveCollection) -> None:
        """Store outputs once the database that another program holds is free again."""
        self.executor.deferred.keep((), collection)

    def touch(self) -> None:
        """Note that somebody uses the notebook."""
        self._used_at = time.monotonic()

    # Asked for from outside

    def submit(
        self,
        delta: FileDeltaBase,
        person: Person,
        digest: str,
        connection: Connection,
        transaction_id: UUID,
        *,
        positions_at: UUID | None = None,
    ) -> None:
        """Queue a client's delta; the connection gets the answers."""
        submission = Submission(
            delta,
            person.id,
            digest,
            connection,
            transaction_id,
            person=person,
            positions_at=positions_at,
        )
        self._writer.put(submission, more=connection.more_arrived)

    async def apply(
        self,
        delta: FileDeltaBase,
        author: UUID,
        also: Callable[[AnyConnection], None] | None = None,
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
        self._writer.put(Submission(delta, author, "", also=also, done=done))
        return await done

    async def exclusively(self, work: Callable[[], _T], *, overtakes: bool = False) -> _T:
        """Run a function in the writer, after what arrived before; it may not await.

        One that overtakes does not wait for changes that wait for the store themselves.
        """
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._writer.put(Call(work, done, overtakes))
        return await done

    async def join(
        self, connection: Connection, data: FileSubscribeRequestData, transaction_id: UUID
    ) -> None:
        """Subscribe a connection: catch-up and registration are one step."""
        await self.exclusively(lambda: self._join(connection, data, transaction_id), overtakes=True)

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

    def others_here(self, people: Iterable[Somebody]) -> None:
        """Note who has it open in a page, and tell everybody what has changed."""
        changed, gone = self.presence.others(people)
        for data in changed:
            self.send("update_user_file_subscription_event", data)
        for user_id in gone:
            self.send("remove_user_file_subscription_event", {"user_id": str(user_id)})

    def tell_presence(self, connection: Connection) -> None:
        """Tell everybody what somebody is now."""
        data = self.presence.again(connection)
        if data is not None:
            self.send("update_user_file_subscription_event", data)

    async def save_version(self, name: str | None, person: Person) -> Any:
        """Save the notebook as it is as the next version and return its row."""
        return await self.versions.save(name=name, author=person.id)

    def _held(self) -> AbstractAsyncContextManager[None]:
        """Let changes and joins that arrive wait for the length of a block."""
        return self._writer.held()

    # Sending

    def send(self, event: str, data: Any, transaction_id: UUID | None = None) -> None:
        """Send an event on the files channel to everybody who follows the notebook."""
        broadcast(self.subscribers, message(self.channel, event, data, transaction_id))

    def send_kernel(self, event: str, data: Any) -> None:
        """Send an event on the kernels channel, once to each connection."""
        broadcast(self.kernel_receivers(), message(self.kernel_channel, event, data))

    def kernel_receivers(self) -> dict[Connection, None]:
        """Return who follows the kernel: each connection once, whatever it subscribed to."""
        return {**self.subscribers, **self.kernel_subscribers}

    def kernel_status(self, status: KernelStatusUpdate) -> None:
        """Pass the kernel's state on."""
        self._status_feed.send(status)
        self._lost_kernels.note(self.file_id, status)
        if status.kernel.execution_state == KernelStateName.IDLE:
            self.variables.cell_finished()

    def kernel_ready(self) -> None:
        """Let what is queued run."""
        self.executor.kernel_ready()

    def kernel_lost(self, cause: str, reason: str) -> None:
        """End what is queued and what runs."""
        self.executor.kernel_lost(cause, reason)

    # Joining

    def _join(
        self, connection: Connection, data: FileSubscribeRequestData, transaction_id: UUID
    ) -> None:
        if connection.closed or connection.person is None:
            return
        self.subscribers.pop(connection, None)
        role = connection.person.role_in(self.file_id)
        if role is None:  # withdrawn while the request waited
            text = refusal(role, Action.READ)
            connection.send(error_frame(self.channel, "permission_denied", text, transaction_id))
            return
        try:
            reply = self._subscribe_reply(connection, data, transaction_id, role)
        except HistoryGone as exc:
            self.unsubscribe(connection)
            connection.send(
                error_frame(self.channel, "inconsistent_state_event", str(exc), transaction_id)
            )
            return
        self.subscribers[connection] = None
        connection.roles[self.file_id] = role
        connection.send(reply)
        if self.kernel.status is not None or self.executor.states:
            connection.send(self.executor.bulk_frame())
        entered = self.presence.enter(connection)
        if entered is not None:
            self.send("update_user_file_subscription_event", entered)

    def _subscribe_reply(
        self,
        connection: Connection,
        data: FileSubscribeRequestData,
        transaction_id: UUID,
        role: Role,
    ) -> Frame:
        limit = _OWN_LIMIT if connection.client_type == _OWN_CLIENT else MAX_EVENT_BYTES
        if data.from_version_id is not None:
            bodies = self.chain.bodies_after_version(data.from_version_id, limit)
        else:
            bodies = self.chain.bodies_after_delta(data.from_delta_id or NIL_UUID, limit)
        status, lost = self.kernel.status, self._lost_kernels.of(self.file_id)
        people = ",".join(one.model_dump_json() for one in self.presence.everybody())
        states = ",".join(state.model_dump_json() for state in self.executor.states.values())
        hidden = ",".join(state.model_dump_json() for state in self.executor.hidden_states())
        frame = message(
            self.channel,
            "subscribe_reply",
            f'{{"success":true,"role":{json.dumps(role)},"latest_delta_id":"{self.chain.head}",'
            f'"checks_positions":true,'
            f'"path":{json.dumps(self.path)},'
            f'"kernel_session":{status.model_dump_json() if status else "null"},'
            f'"kernel_culled":{lost.model_dump_json() if lost and not status else "null"},'
            f'"cell_states":[{states}],"hidden_cell_states":[{hidden}],'
            f'"user_subscriptions":[{people}],'
            f'"file_state":{json.dumps(self.disk.shown())},'
            f'"deltas_to_apply":[{",".join(bodies)}]}}',
            transaction_id,
        )
        if bodies and len(frame.payload) > limit + 64 * 1024:
            raise HistoryGone("too far back; load the current version")
        return frame

    def tell_inconsistent(self, reason: str) -> None:
        """Tell everybody to load the current version, and drop their subscriptions until then."""
        frame = error_frame(self.channel, "inconsistent_state_event", reason)
        for connection in list(self.subscribers):
            connection.send(frame)
            self.unsubscribe(connection)
