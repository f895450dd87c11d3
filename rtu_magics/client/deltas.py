"""One delta on its way: made, sent, accepted, squashed.

`new_delta_request` takes the client as its first argument, and is a method of `RTUClient`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

from ..document import NotebookBuilder
from ..models import (
    Attach,
    BaseRTURequest,
    BaseRTUResponse,
    FileDeltaBase,
    NewDeltaRequest,
    NewDeltaRequestData,
)
from ..protocol import Pending
from .callbacks import DeltaCallback
from .follower import Follower
from .manager import RTUManager

__all__ = [
    "DeltaClient",
    "DeltaRequest",
    "DeltaRequestCallbackManager",
    "new_delta_request",
    "request_delta",
]


class DeltaClient(Protocol):
    """What a delta on its way needs of the client."""

    file_id: UUID
    file_channel: str
    manager: RTUManager
    follower: Follower

    @property
    def builder(self) -> NotebookBuilder:
        """The notebook."""

    def send(self, msg: BaseRTURequest) -> None:
        """Send a request."""


class DeltaRequest:
    """One delta, and what became of it. Made, it does nothing yet: see `send`.

    Parameters
    ----------
    client
        The client whose notebook it changes.
    delta
        The change.
    wait_for
        For a delta that runs cells: makes the future of a cell, at the moment in which the delta
        is squashed here, before anything later.
    attach
        What the run of the delta wants of this connection, see `models.NewDeltaRequestData`.
    outputs_of
        For a new cell: the output collection that it gets a copy of.
    waiting
        For a delta that runs cells: the kernels that wait for them.
    positions_at
        See `models.NewDeltaRequestData`.

    Attributes
    ----------
    request
        The message.
    result
        A future: the squashed delta, or why there is none.
    rtu_cb_ref
        Deregisters `rtu_cb`.
    delta_cb_ref
        The handle of `delta_cb`; it stands in ``client.delta_callbacks`` while the delta is out.
    """

    def __init__(
        self,
        client: DeltaClient,
        delta: FileDeltaBase,
        wait_for: Callable[[str], Any] | None = None,
        attach: Attach | None = None,
        outputs_of: UUID | None = None,
        *,
        waiting: Sequence[str] = (),
        positions_at: UUID | None = None,
    ) -> None:
        self.client = client
        self.delta = delta
        self.result: asyncio.Future[FileDeltaBase] = asyncio.get_running_loop().create_future()
        # The types are right already, so nothing is validated a second time.
        fields: dict[str, Any] = {
            "delta": delta,
            "output_collection_id_to_copy": outputs_of,
            "attach": attach,
            "waiting": list(waiting),
            "positions_at": positions_at,
        }
        data = NewDeltaRequestData.model_construct(**fields)
        self.request = NewDeltaRequest(channel=client.file_channel, data=data)
        self.delta_cb_ref = DeltaCallback(
            type(delta), self.delta_cb, delta_id=delta.id, at_once=True
        )
        self._pending: Pending[DeltaRequest] = Pending(
            self.request.transaction_id, delta.id, self, wait_for=wait_for
        )

    def send(self) -> None:
        """Send it, and have news of it come here.

        Raises
        ------
        ValueError
            The delta is in flight already.
        RTUError
            The client was shut down, or has given up for the reason given.
        """
        follower = self.client.follower
        follower.replica.requests.put(self._pending)
        follower.delta_callbacks.append(self.delta_cb_ref)
        try:
            self.client.send(self.request)
        except BaseException:
            self.deregister_callbacks()
            raise

    def rtu_cb_ref(self) -> None:
        """Deregister `rtu_cb`."""
        self.client.follower.replica.requests.settle(self.delta.id)

    def deregister_callbacks(self) -> None:
        """Take the delta off everything that waits for news of it."""
        self.rtu_cb_ref()
        self.client.follower.delta_callbacks.discard_id(self.delta.id)

    async def rtu_cb(self, msg: BaseRTUResponse) -> None:
        """Take a message of this request's transaction: anything but a yes fails the result."""
        follower, now = self.client.follower, asyncio.get_running_loop().time()
        follower.act(follower.replica.requests.judged(self._pending, msg, now))

    async def delta_cb(self, delta: FileDeltaBase) -> None:
        """Take the squashed delta, as the server completed it."""
        if delta.id == self.delta.id:
            self.settled(delta)

    def settled(self, delta: FileDeltaBase) -> None:
        """End the result with the squashed delta."""
        self.deregister_callbacks()
        if not self.result.done():
            self.result.set_result(delta)

    def fail(self, exc: BaseException) -> None:
        """End the result with an error."""
        self.deregister_callbacks()
        if not self.result.done():
            self.result.set_exception(exc)
            self.result.exception()  # nobody has to be waiting any more


class DeltaRequestCallbackManager(DeltaRequest):
    """A `DeltaRequest` that is sent as it is made, for those who know it so.

    `RTUClient.new_delta_request` is the way to send a delta.
    """

    def __init__(self, client: DeltaClient, delta: FileDeltaBase) -> None:
        super().__init__(client, delta)
        self.send()


async def request_delta(
    client: DeltaClient,
    delta: FileDeltaBase,
    *,
    wait_for: Callable[[str], Any] | None = None,
    timeout: float | None = None,
    attach: Attach | None = None,
    outputs_of: UUID | None = None,
    waiting: Sequence[str] = (),
    positions_at: UUID | None = None,
) -> FileDeltaBase:
    """Send a delta; return it once it is squashed, see `new_delta_request`."""
    client.manager.step_aside()
    request = DeltaRequest(
        client, delta, wait_for, attach, outputs_of, waiting=waiting, positions_at=positions_at
    )
    request.send()
    try:
        await client.manager.flush()
        if timeout is None:
            return await request.result
        return await asyncio.wait_for(request.result, timeout)
    except asyncio.TimeoutError:
        raise TimeoutError(
            f"no answer to the change within {timeout:g} s: it may still be applied, look at "
            "the notebook before you try again"
        ) from None
    finally:
        if not request.result.done() or request.result.cancelled():
            request.deregister_callbacks()


async def new_delta_request(
    client: DeltaClient,
    delta: FileDeltaBase,
    *,
    timeout: float | None = None,
    attach: Attach | None = None,
    waiting: Sequence[str] = (),
    positions_at: UUID | None = None,
) -> FileDeltaBase:
    """Send a delta; return it, as the server completed it, once it is squashed here.

    It survives a lost connection: after a reconnect it is found in what was missed, or sent
    again under the same id.

    Parameters
    ----------
    delta
        The change.
    timeout
        Seconds to wait at most; None to wait for as long as the client lives.
    attach
        For a delta that runs cells: ``ask`` if this client answers what they ask, ``keep`` if
        the server has to stay for the run. Only our server knows it.
    waiting
        For a delta that runs cells: the ids of the kernels that wait for them. Our server refuses
        what would make kernels wait for one another.
    positions_at
        The last delta that was squashed here when cells were named by their positions: it is
        refused if they have other ones by then. Only for a server with ``checks_positions``.

    Raises
    ------
    DeltaRejected
        The server refuses it, calls it invalid or does not permit it.
    InconsistentState
        The server took it, but it cannot be squashed here.
    ClientClosed
        The client was shut down meanwhile.
    TimeoutError
        No answer in time; the server may still apply it.
    """
    return await request_delta(
        client, delta, timeout=timeout, attach=attach, waiting=waiting, positions_at=positions_at
    )
