"""`RTUClient`: a live copy of one remote notebook, to edit and to run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ..document import NotebookBuilder
from ..errors import SubscribeTimeout
from ..models import (
    AuthenticateReply,
    BaseRTURequest,
    BulkCellStateUpdateResponse,
    CellState,
    FileDeltaBase,
    FileStateData,
    FileSubscribeReply,
    KernelStatusUpdate,
    KernelStatusUpdateResponse,
    UpdateUserFileSubscriptionEventData,
    kernel_channel,
)
from ..protocol import Backoff, Replica
from ..transport import Connect
from . import cells, deltas, executions, registrations
from .callbacks import DeltaCallbacks
from .deltas import DeltaRequest
from .executions import CellFuture
from .follower import Follower
from .forward import Forward
from .hooks import ReloadHook, does_nothing
from .lifetime import Lifetime
from .login import Login
from .manager import RTUManager
from .notices import ConnectionState
from .tasks import SideTasks

__all__ = ["RTUClient"]

logger = logging.getLogger(__name__)


class RTUClient:
    """A live copy of one remote notebook.

    What it decides is a `Replica`, without sockets and clocks; `follower` is the shell around it.

    Parameters
    ----------
    rtu_url
        The ``ws:`` or ``wss:`` URL of the server's RTU endpoint.
    jwt
        The token.
    file_id, file_version_id
        The notebook, and the version of it that `builder` holds.
    builder
        The notebook's content; the client keeps it up to date.
    rtu_client_type
        What kind of program this is, for the server.
    file_subscribe_timeout
        Seconds that the server has to answer a subscription.
    reload_hook
        Loads the notebook anew when this copy can no longer follow. Without it the client then
        ends with `InconsistentState`.
    connect
        Opens connections; websockets by default.
    backoff
        When lost connections are tried again.
    gap_timeout
        Seconds that later deltas wait for a missing one before the client asks again.

    Examples
    --------
    ::

        client = RTUClient(rtu_url, token, file.id, file.current_version_id, builder)
        await client.initialize()
        await client.wait_ready(timeout=20)
        cell = await client.add_cell("1 + 1")
        await client.shutdown()
    """

    builder = Forward[NotebookBuilder]("_replica", "builder", "The notebook.")
    file_version_id = Forward[UUID]("_replica", "version_id", "The version it was loaded from.")
    gap_timeout = Forward[float]("_replica.order", "gap_timeout", "How long deltas wait.")
    unapplied_deltas = Forward[Sequence[FileDeltaBase]](
        "_replica.order", "chain", "The deltas that wait for their parents, in order of arrival."
    )
    in_flight = Forward[Any]("_replica", "requests", "The deltas sent and not settled.")
    kernel_state = Forward[str]("_replica.state", "kernel_state", "The kernel's state.")
    kernel_status = Forward[KernelStatusUpdate | None](
        "_replica.state", "kernel_status", "All that is known of the kernel."
    )
    cell_states = Forward[dict[str, str]]("_replica.state", "cell_states", "States by cell id.")
    cell_state_details = Forward[dict[str, CellState]](
        "_replica.state", "cell_state_details", "All that is known of them, by cell id."
    )
    people = Forward[dict[UUID, UpdateUserFileSubscriptionEventData]](
        "_replica.state", "people", "Who has it open, and the cell each is in, by user id."
    )
    role = Forward[str | None](
        "_replica.state", "role", "What we may do with the notebook, if the server says so."
    )
    file_state = Forward[FileStateData | None](
        "_replica.state", "file_state", "What keeps the notebook from its file, if that was told."
    )
    checks_positions = Forward[bool](
        "_replica.state", "checks_positions", "Whether ``positions_at`` may go with a delta."
    )
    connection_state = Forward[str](
        "connection", "state", "``connecting``, ``live``, ``reconnecting`` or ``closed``."
    )
    deltas_to_apply_event = Forward[asyncio.Event](
        "follower", "gate", "Set while deltas are applied as they come."
    )
    delta_callbacks = Forward[DeltaCallbacks](
        "follower", "delta_callbacks", "The registered delta callbacks."
    )
    file_subscribe_timeout_task = Forward[asyncio.Task[None] | None](
        "follower", "timeout_task", "Waits for the answer to the subscription."
    )
    file_subcribe_timeout = Forward[float](
        "", "file_subscribe_timeout", "An alias, misspelt like the name people know."
    )

    def __init__(  # noqa: PLR0917  the signature is given
        self,
        rtu_url: str,
        jwt: str,
        file_id: UUID,
        file_version_id: UUID,
        builder: NotebookBuilder,
        rtu_client_type: str = "rtu_magics",
        file_subscribe_timeout: float = 10,
        *,
        reload_hook: ReloadHook | None = None,
        connect: Connect | None = None,
        backoff: Backoff | None = None,
        gap_timeout: float = 5.0,
    ) -> None:
        if not isinstance(builder, NotebookBuilder):
            raise TypeError("builder has to be a NotebookBuilder that holds the version to follow")
        self.jwt = jwt
        self.file_id = file_id
        self.rtu_client_type = rtu_client_type
        self.file_subscribe_timeout = file_subscribe_timeout
        self.user_id: UUID | None = None
        self.rtu_session_id: str | None = None
        self.user_name: str | None = None  # what somebody with an owner's token wants to be called
        self.file_channel = f"files/{file_id}"
        self._replica: Replica[DeltaRequest, CellFuture] = Replica(
            file_id, file_version_id, builder, gap_timeout=gap_timeout
        )
        self.reload_hook = reload_hook
        tasks = SideTasks()
        self.connection = ConnectionState(tasks)
        self.manager = manager = RTUManager(rtu_url, connect=connect, backoff=backoff)
        self.follower = follower = Follower(
            self, RTUClient, self._replica, manager, self.connection, tasks, self._give_up
        )
        self._login = Login(self, manager, follower, tasks)
        self._lifetime = Lifetime(manager, follower, self._login, self.connection, tasks)
        follower.hooks[AuthenticateReply] = self._login.take
        follower.hooks[KernelStatusUpdateResponse] = self.on_kernel_status_update
        follower.hooks[BulkCellStateUpdateResponse] = self.on_bulk_cell_state_update
        manager.connect_hook = self.connect_hook
        manager.auth_hook = self.auth_hook
        manager.disconnect_hook = self.disconnect_hook
        manager.context_hook = self.context_hook
        manager.receive_hook = follower.receive
        manager.direct_hook = follower.handles_directly
        manager.failure_hook = lambda exc: follower.act(self._replica.contact.attempt_failed(exc))
        manager.unsent_hook = follower.unsent

    # What it is

    @property
    def reload_hook(self) -> ReloadHook | None:
        """Loads the notebook anew when this copy can no longer follow."""
        return self._reload_hook

    @reload_hook.setter
    def reload_hook(self, hook: ReloadHook | None) -> None:
        self._reload_hook = hook
        self._replica.reloads.possible = hook is not None

    @property
    def is_live(self) -> bool:
        """Whether the notebook is caught up and follows the server's."""
        return self._replica.is_live

    @property
    def cell_ids(self) -> list[str]:
        """The ids of the cells, in the notebook's order."""
        return self._replica.builder.cell_ids

    @property
    def kernel_pod_name(self) -> str:
        """The kernels channel of this file."""
        return kernel_channel(self.file_id)

    # Life

    async def initialize(
        self,
        queue_size: int = 0,
        inbound_workers: int = 1,
        outbound_workers: int = 1,
        poll_workers: int = 1,
    ) -> None:
        """Start the workers and return; connecting, authenticating, subscribing follow.

        Parameters
        ----------
        queue_size
            How many messages each queue holds; 0 for any number.
        inbound_workers, outbound_workers, poll_workers
            How many tasks handle, send and read messages.
        """
        self._replica.running = True
        await self.manager.initialize(queue_size, inbound_workers, outbound_workers, poll_workers)

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Return once the notebook is caught up.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for as long as it takes.

        Raises
        ------
        AuthenticationFailed, PermissionDenied, InconsistentState
            The server says no, or this copy cannot follow it.
        ConnectFailed, ConnectionLost, SubscribeTimeout
            The first connection failed. The client goes on trying until it is shut down.
        ClientClosed
            It was shut down.
        """
        if self.is_live:
            return
        self.follower.check_open()
        self.manager.step_aside()
        try:
            await self.follower.ready.wait(timeout)
        except asyncio.TimeoutError:
            raise SubscribeTimeout(
                f"the notebook was not ready within {timeout:g} s: is the server busy? Try again"
            ) from None

    async def shutdown(self, now: bool = False) -> None:
        """End every task; everything that still waits ends with `ClientClosed`.

        Parameters
        ----------
        now
            Don't wait until the queues are drained and the callbacks have run.
        """
        await self._lifetime.shutdown(now=now)

    def _give_up(self, error: Any) -> None:
        self._lifetime.give_up(error)

    # Messages and callbacks

    def send(self, msg: BaseRTURequest) -> None:
        """Queue a request; it goes out once the connection is authenticated.

        A delta that this client keeps in flight goes out once the notebook is caught up, so that
        deltas keep their order across a reconnect.

        Raises
        ------
        RTUError
            The client was shut down, or has given up for the reason given.
        """
        self.follower.send(msg)

    register_rtu_event_callback = registrations.register_rtu_event_callback
    register_transaction_id_callback = registrations.register_transaction_id_callback
    register_delta_callback = registrations.register_delta_callback
    register_connection_callback = registrations.register_connection_callback

    # Hooks of the connection

    @does_nothing
    async def context_hook(self) -> None:
        """Run at every iteration of a worker, to bind context variables."""

    async def connect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run when a connection is open; sets `rtu_session_id`."""
        self._replica.contact.connected()
        connection = self.manager.slot.connection
        self.rtu_session_id = connection.headers.get("rtu_session_id") if connection else None

    async def auth_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run after `connect_hook`; sends the authenticate request over the new connection."""
        await self._login.ask()

    async def disconnect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run on the loss of a connection, before the next attempt; clears `rtu_session_id`."""
        self.rtu_session_id = None
        self._login.stop()
        self.follower.act(self._replica.disconnected())

    async def on_auth(self, msg: AuthenticateReply) -> None:
        """For the application: the server's answer, good or bad, before the subscribe request."""

    # Hooks of the subscription

    async def send_file_subscribe(self) -> None:
        """Ask to follow the notebook: from the delta applied last, or else from the version.

        Goes out before everything queued, and starts the timeout.

        Raises
        ------
        ConnectionLost
            No connection is open.
        """
        await self.follower.run(self._replica.subscribe())

    async def on_file_subscribe_timeout(self) -> None:
        """Wait for `file_subscribe_timeout` seconds, then act on it; cancelled by the reply.

        An override replaces all of it. By default whoever waits for the client to be ready gets a
        `SubscribeTimeout`, and the connection is made anew.
        """
        await asyncio.sleep(self.file_subscribe_timeout)
        self.follower.act(self._replica.unanswered(self.file_subscribe_timeout))
        logger.warning("no answer to the subscription to notebook %s", self.file_id)
        await self.manager.drop_connection()

    async def on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        """For the application: the notebook is caught up."""

    async def on_kernel_status_update(self, msg: KernelStatusUpdateResponse) -> None:
        """Keep the kernel's state; an override calls this one."""
        self.follower.tell(msg)

    async def on_bulk_cell_state_update(self, msg: BulkCellStateUpdateResponse) -> None:
        """Keep the cells' states and resolve what they end; an override calls this one."""
        self.follower.tell(msg)

    # Hooks on the way of a delta

    async def queue_or_apply_delta(self, delta: FileDeltaBase) -> None:
        """Squash a delta if it is the chain's next, and all that then can be; else let it wait."""
        await self.follower.queue_or_apply(delta)

    @does_nothing
    async def post_queue_delta(self, delta: FileDeltaBase) -> None:
        """For the application: this delta waits for its parent."""

    @does_nothing
    async def pre_apply_delta(self, delta: FileDeltaBase) -> None:
        """For the application: this delta is squashed next."""

    async def apply_delta(self, delta: FileDeltaBase) -> None:
        """Squash one delta, with the hook before it and the callbacks after it.

        Called by the application itself, it returns when the callbacks have run. Within the client
        they run beside the reader.
        """
        await self.follower.apply(delta)

    async def failed_to_squash_delta(self, delta: FileDeltaBase, exc: Exception) -> None:
        """For the application: this delta cannot be squashed; the notebook is loaded anew."""

    async def replay_unapplied_deltas(self) -> None:
        """Squash everything that has become applicable."""
        await self.follower.replay()

    # Deltas

    new_delta_request = deltas.new_delta_request
    add_cell = cells.add_cell
    delete_cell = cells.delete_cell
    move_cell = cells.move_cell
    update_cell_content = cells.update_cell_content
    replace_cell_content = cells.replace_cell_content
    change_cell_type = cells.change_cell_type

    # Runs

    queue_execution = executions.queue_execution
    wait_for_kernel_idle = executions.wait_for_kernel_idle
