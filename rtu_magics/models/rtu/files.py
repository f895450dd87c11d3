"""The files channel: subscription, deltas, outputs, presence."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, model_validator
from typing_extensions import Self

from ..base import Model
from ..deltas import FileDelta
from ..kernels import CellState, KernelStatusUpdate
from ..outputs import Output, OutputCollection, OutputContent
from .base import BaseRTURequest, BaseRTUResponse, BooleanReplyData

__all__ = [
    "AppendOutputEvent",
    "Attach",
    "FileRenamedEvent",
    "FileRenamedEventData",
    "FileStateData",
    "FileStateEvent",
    "FileSubscribeReply",
    "FileSubscribeReplyData",
    "FileSubscribeRequest",
    "FileSubscribeRequestData",
    "FileUnsubscribeReply",
    "FileUnsubscribeRequest",
    "FileVersionsChangedEvent",
    "NewDeltaEvent",
    "NewDeltaReply",
    "NewDeltaRequest",
    "NewDeltaRequestData",
    "RemoveUserFileSubscriptionEvent",
    "RemoveUserFileSubscriptionEventData",
    "RoleChangedEvent",
    "RoleChangedEventData",
    "TransformViewToCodeReply",
    "TransformViewToCodeRequest",
    "UpdateOutputCollectionEvent",
    "UpdateOutputsByDisplayIdEvent",
    "UpdateOutputsByDisplayIdEventData",
    "UpdateUserCellSelectionReply",
    "UpdateUserCellSelectionRequest",
    "UpdateUserCellSelectionRequestData",
    "UpdateUserFileSubscriptionEvent",
    "UpdateUserFileSubscriptionEventData",
    "UsageMetricsEvent",
    "UsageMetricsEventData",
    "V0CreateWidgetModelEvent",
]


class FileSubscribeRequestData(Model):
    """From where to follow the chain: a version or a delta, exactly one of them."""

    from_version_id: UUID | None = None
    from_delta_id: UUID | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.from_version_id is None) == (self.from_delta_id is None):
            raise ValueError("give exactly one of from_version_id and from_delta_id")
        return self


class FileSubscribeRequest(BaseRTURequest):
    """Asks for the deltas since a point, and for every later event."""

    event: Literal["subscribe_request"] = "subscribe_request"
    data: FileSubscribeRequestData


class UpdateUserFileSubscriptionEventData(Model):
    """One person's presence in a notebook. ``user_name`` and ``role`` are our additions."""

    user_id: UUID
    file_id: UUID
    subscribed: bool
    last_event_at: datetime
    cell_id_selected: str | None = None
    user_name: str | None = Field(default=None, exclude_if=lambda v: v is None)
    role: str | None = Field(default=None, exclude_if=lambda v: v is None)


class FileStateData(Model):
    """How a notebook's file stands to what everybody sees (our addition).

    Attributes
    ----------
    state
        ``clean`` (the file holds it), ``dirty`` (it is written in a moment), ``failing``,
        ``missing``, ``foreign``, ``held`` or ``read-only``.
    reason
        Why it is none of the first two: one line that says what to do.
    unsaved
        Whether there are changes that the file does not hold.
    since
        Seconds since the epoch.
    """

    state: str
    reason: str = ""
    unsaved: bool = False
    since: float | None = None

    @property
    def troubled(self) -> bool:
        """Whether something keeps the file from being written."""
        return self.state not in ("clean", "dirty")


class FileSubscribeReplyData(Model):
    """Everything needed to catch up.

    ``latest_delta_id`` is the head, ``deltas_to_apply`` included; the nil UUID when the chain is
    empty. ``kernel_session`` is None when no kernel is alive. Our additions: ``path`` is where the
    file lies now; ``kernel_culled`` is the last kernel if it was culled and none has run since;
    ``hidden_cell_states`` are those of requests that go on for cells whose state in
    ``cell_states`` is of another request; ``checks_positions`` says that the server takes
    ``positions_at``, see `NewDeltaRequestData`.
    """

    deltas_to_apply: list[FileDelta]
    cell_states: list[CellState]
    hidden_cell_states: list[CellState] | None = Field(default=None, exclude_if=lambda v: v is None)
    latest_delta_id: UUID | None = None
    kernel_session: KernelStatusUpdate | None = None
    success: bool = True
    user_subscriptions: list[UpdateUserFileSubscriptionEventData] = Field(default_factory=list)
    role: str | None = Field(default=None, exclude_if=lambda v: v is None)
    path: str | None = Field(default=None, exclude_if=lambda v: v is None)
    kernel_culled: KernelStatusUpdate | None = Field(default=None, exclude_if=lambda v: v is None)
    file_state: FileStateData | None = Field(default=None, exclude_if=lambda v: v is None)
    checks_positions: bool = Field(default=False, exclude_if=lambda v: not v)


class FileSubscribeReply(BaseRTUResponse):
    """Answers a `FileSubscribeRequest`; later events follow it on the same connection."""

    event: Literal["subscribe_reply"] = "subscribe_reply"
    data: FileSubscribeReplyData


class FileUnsubscribeRequest(BaseRTURequest):
    """Ends a subscription."""

    event: Literal["unsubscribe_request"] = "unsubscribe_request"


class FileUnsubscribeReply(BaseRTUResponse):
    """Answers a `FileUnsubscribeRequest`."""

    event: Literal["unsubscribe_reply"] = "unsubscribe_reply"
    data: BooleanReplyData


MOST_WAITING = 32
"""Kernels that wait for one another."""

Attach = Literal["ask", "keep", "look"]


class NewDeltaRequestData(Model):
    """A delta to append to the chain.

    ``attach`` is our addition, for a delta that runs cells: this connection answers their questions
    (``ask``), or a server that ends with its last client waits for the run (``keep``), see
    `AttachRequestData`. So is ``waiting``: the kernels that do nothing else until it has ended. And
    ``positions_at``: the last delta known to whoever named cells by their positions; it is refused
    if cells have come, gone or moved since.
    """

    delta: FileDelta
    output_collection_id_to_copy: UUID | None = None
    attach: Attach | None = Field(default=None, exclude_if=lambda v: v is None)
    waiting: list[str] = Field(
        default_factory=list, exclude_if=lambda v: not v, max_length=MOST_WAITING
    )
    positions_at: UUID | None = Field(default=None, exclude_if=lambda v: v is None)


class NewDeltaRequest(BaseRTURequest):
    """Asks the server to append a delta."""

    event: Literal["new_delta_request"] = "new_delta_request"
    data: NewDeltaRequestData


class NewDeltaReply(BaseRTUResponse):
    """Whether the delta was accepted. A false one is followed by ``delta_rejected``."""

    event: Literal["new_delta_reply"] = "new_delta_reply"
    data: BooleanReplyData


class NewDeltaEvent(BaseRTUResponse):
    """A delta that was accepted, sent to every subscriber in chain order."""

    event: Literal["new_delta_event"] = "new_delta_event"
    data: FileDelta


class AppendOutputEvent(BaseRTUResponse):
    """A new output, or (``continues``) the next piece of the last stream output."""

    event: Literal["append_output_event"] = "append_output_event"
    data: Output


class UpdateOutputCollectionEvent(BaseRTUResponse):
    """A collection is now exactly this, for example after ``clear_output``."""

    event: Literal["update_output_collection_event"] = "update_output_collection_event"
    # In order: a dict would otherwise be the closer match to JSON that was already parsed.
    data: OutputCollection | dict[str, Any] | None = Field(default=None, union_mode="left_to_right")


class UpdateOutputsByDisplayIdEventData(Model):
    """New content of every output with this display id; keys from ``display_id`` on are ours."""

    output_ids: list[UUID]
    content: OutputContent | None = None
    available_mimetypes: list[str] = Field(default_factory=list)
    display_id: str | None = None
    data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    execution_id: UUID | None = None


class UpdateOutputsByDisplayIdEvent(BaseRTUResponse):
    """Outputs that were displayed earlier show something new (``update_display_data``)."""

    event: Literal["update_outputs_by_display_id_event"] = "update_outputs_by_display_id_event"
    data: UpdateOutputsByDisplayIdEventData


class UpdateUserCellSelectionRequestData(Model):
    """The cell that the user is in; any string, None for none."""

    id: str | None


class UpdateUserCellSelectionRequest(BaseRTURequest):
    """Says which cell the user is in."""

    event: Literal["update_user_cell_selection_request"] = "update_user_cell_selection_request"
    data: UpdateUserCellSelectionRequestData


class UpdateUserCellSelectionReply(BaseRTUResponse):
    """Answers an `UpdateUserCellSelectionRequest`."""

    event: Literal["update_user_cell_selection_reply"] = "update_user_cell_selection_reply"
    data: BooleanReplyData


class UpdateUserFileSubscriptionEvent(BaseRTUResponse):
    """Somebody came, or went to another cell."""

    event: Literal["update_user_file_subscription_event"] = "update_user_file_subscription_event"
    data: UpdateUserFileSubscriptionEventData


class RemoveUserFileSubscriptionEventData(Model):
    """Who left."""

    user_id: UUID


class RemoveUserFileSubscriptionEvent(BaseRTUResponse):
    """A user's last connection is gone."""

    event: Literal["remove_user_file_subscription_event"] = "remove_user_file_subscription_event"
    data: RemoveUserFileSubscriptionEventData


class RoleChangedEventData(Model):
    """What the receiver is in the notebook from now on; None for nothing (our addition)."""

    role: Literal["viewer", "executor", "contributor", "owner"] | None
    message: str


class RoleChangedEvent(BaseRTUResponse):
    """What the receiver may do has changed; after None the subscription is over (our addition)."""

    event: Literal["role_changed_event"] = "role_changed_event"
    data: RoleChangedEventData


class UsageMetricsEventData(Model):
    """What a kernel with all its processes takes of its machine, in whole percents.

    The rest is our addition: ``kernel_cpu_percent`` is of one processor, so it may be over 100.
    """

    cpu_usage_percent: int
    memory_usage_percent: int
    kernel_cpu_percent: int | None = None
    kernel_memory_bytes: int | None = None
    kernel_processes: int | None = None
    memory_total_bytes: int | None = None


class UsageMetricsEvent(BaseRTUResponse):
    """Load of the kernel's machine."""

    event: Literal["usage_metrics_event"] = "usage_metrics_event"
    data: UsageMetricsEventData


class FileVersionsChangedEvent(BaseRTUResponse):
    """A version was saved."""

    event: Literal["v0_file_versions_changed_event"] = "v0_file_versions_changed_event"
    data: dict[str, Any] | None = None


class FileRenamedEventData(Model):
    """Where a file lies now, below the server's directory."""

    path: str
    filename: str


class FileRenamedEvent(BaseRTUResponse):
    """The file got another path (our addition)."""

    event: Literal["file_renamed_event"] = "file_renamed_event"
    data: FileRenamedEventData


class FileStateEvent(BaseRTUResponse):
    """Something keeps the file from being written, or does not any more (our addition)."""

    event: Literal["file_state_event"] = "file_state_event"
    data: FileStateData


class V0CreateWidgetModelEvent(BaseRTUResponse):
    """A kernel-side widget was created; its content is not modelled."""

    event: Literal["v0_create_widget_model_event"] = "v0_create_widget_model_event"


class TransformViewToCodeRequest(BaseRTURequest):
    """Asks for code that reproduces a data view; our server does not offer it."""

    event: Literal["transform_view_to_code_request"] = "transform_view_to_code_request"


class TransformViewToCodeReply(BaseRTUResponse):
    """Answers a `TransformViewToCodeRequest`."""

    event: Literal["transform_view_to_code_reply"] = "transform_view_to_code_reply"
    data: BooleanReplyData
