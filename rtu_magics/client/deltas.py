"""One delta on its way: sent, accepted, squashed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..errors import DeltaRejected, NotPermitted
from ..models import (
    Attach,
    BaseRTUResponse,
    DeltaRejectedResponse,
    FileDeltaBase,
    InvalidDataResponse,
    InvalidEventResponse,
    NewDeltaReply,
    NewDeltaRequest,
    NewDeltaRequestData,
    PermissionDeniedResponse,
)
from .callbacks import DeltaCallback

if TYPE_CHECKING:
    from .rtu import RTUClient

__all__ = ["DeltaRequestCallbackManager"]

_CAUSE_TIMEOUT = 5.0  # seconds between a bare "no" and the cause that should follow it


class DeltaRequestCallbackManager:
    """Sends a delta when constructed, and knows what became of it.

    `RTUClient.new_delta_request` is the way to use it.

    Parameters
    ----------
    client
        The client whose notebook it changes.
    delta
        The change.
    on_squashed
        Called with the delta at the moment in which it is squashed here, before anything later.
    attach
        What the run of the delta wants of this connection, see `models.NewDeltaRequestData`.
    outputs_of
        For a new cell: the output collection that it gets a copy of.

    Attributes
    ----------
    result
        A future: the squashed delta, or why there is none.
    rtu_cb_ref
        Deregisters `rtu_cb`.
    delta_cb_ref
        The handle of `delta_cb`; it stands in ``client.delta_callbacks`` while the delta is out.
    """

    def __init__(
        self,
        client: RTUClient,
        delta: FileDeltaBase,
        on_squashed: Callable[[FileDeltaBase], None] | None = None,
        attach: Attach | None = None,
        outputs_of: UUID | None = None,
    ) -> None:
        self.client = client
        self.delta = delta
        self.on_squashed = on_squashed
        self.result: asyncio.Future[FileDeltaBase] = asyncio.get_running_loop().create_future()
        self._cause_timer: asyncio.TimerHandle | None = None
        # The types are right already, so nothing is validated a second time.
        fields: dict[str, Any] = {
            "delta": delta,
            "output_collection_id_to_copy": outputs_of,
            "attach": attach,
        }
        data = NewDeltaRequestData.model_construct(**fields)
        self.request = NewDeltaRequest(channel=client.file_channel, data=data)
        client.in_flight.add(self.request.transaction_id, delta.id, self)
        self.delta_cb_ref = DeltaCallback(
            type(delta), self.delta_cb, delta_id=delta.id, at_once=True
        )
        client.delta_callbacks.append(self.delta_cb_ref)
        try:
            client.send(self.request)
        except BaseException:
            self.deregister_callbacks()
            raise

    def rtu_cb_ref(self) -> None:
        """Deregister `rtu_cb`."""
        self.client.in_flight.settle(self.delta.id)

    def deregister_callbacks(self) -> None:
        """Take the delta off everything that waits for news of it."""
        self.rtu_cb_ref()
        self.client.delta_callbacks.discard_id(self.delta.id)
        if self._cause_timer is not None:
            self._cause_timer.cancel()
            self._cause_timer = None

    async def rtu_cb(self, msg: BaseRTUResponse) -> None:
        """Take a message of this request's transaction: anything but a yes fails the result."""
        if isinstance(msg, NewDeltaReply):
            if msg.data.success:
                return
            if msg.data.message:
                self.fail(DeltaRejected(msg.data.message))
            elif self._cause_timer is None and not self.result.done():
                # The cause comes in a message of its own; if it does not, a plain no has to do.
                self._cause_timer = self.result.get_loop().call_later(
                    _CAUSE_TIMEOUT,
                    self.fail,
                    DeltaRejected("the server refused the change and gave no cause"),
                )
        elif isinstance(msg, DeltaRejectedResponse):
            self.fail(DeltaRejected(msg.data.cause))
        elif isinstance(msg, InvalidDataResponse | InvalidEventResponse):
            self.fail(DeltaRejected(f"the server calls the change invalid: {msg.data.message}"))
        elif isinstance(msg, PermissionDeniedResponse):
            self.fail(NotPermitted(msg.data.message))

    async def delta_cb(self, delta: FileDeltaBase) -> None:
        """Take the squashed delta, as the server completed it."""
        if delta.id != self.delta.id:
            return
        self.deregister_callbacks()
        if self.on_squashed is not None:
            self.on_squashed(delta)
        if not self.result.done():
            self.result.set_result(delta)

    def fail(self, exc: BaseException) -> None:
        """End the result with an error."""
        self.deregister_callbacks()
        if not self.result.done():
            self.result.set_exception(exc)
            self.result.exception()  # nobody has to be waiting any more
