"""The kernels channel: kernel and cell states, variables."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from ..base import Model
from ..kernels import CellState, KernelStatusUpdate
from .base import BaseRTURequest, BaseRTUResponse, BooleanReplyData

__all__ = [
    "BulkCellStateUpdateData",
    "BulkCellStateUpdateResponse",
    "IntegratedAIReply",
    "IntegratedAIRequest",
    "IntegratedAIResult",
    "IntegratedAIResultReply",
    "KernelStatusUpdateResponse",
    "KernelSubscribeReply",
    "KernelSubscribeReplyData",
    "KernelSubscribeRequest",
    "KernelSubscribeRequestData",
    "VariableExplorerResponse",
    "VariableExplorerUpdateRequest",
    "VariableExplorerUpdateRequestPropagated",
]


class KernelSubscribeRequestData(Model):
    """The notebook whose kernel is meant."""

    file_id: UUID


class KernelSubscribeRequest(BaseRTURequest):
    """Asks for the kernel's events; a files subscription implies it."""

    event: Literal["subscribe_request"] = "subscribe_request"
    data: KernelSubscribeRequestData


class KernelSubscribeReplyData(Model):
    """The kernel's state now, None when no kernel is alive."""

    success: bool
    kernel_session: KernelStatusUpdate | None = None


class KernelSubscribeReply(BaseRTUResponse):
    """Answers a `KernelSubscribeRequest`."""

    event: Literal["subscribe_reply"] = "subscribe_reply"
    data: KernelSubscribeReplyData


class KernelStatusUpdateResponse(BaseRTUResponse):
    """The kernel's state changed."""

    event: Literal["kernel_status_update_event"] = "kernel_status_update_event"
    data: KernelStatusUpdate


class BulkCellStateUpdateData(Model):
    """The states of all cells that have one.

    With ``partial`` (our addition) only those that changed; sent to clients that asked for it. Our
    client then completes the list, and keeps what was sent in ``changed``.
    """

    cell_states: list[CellState]
    kernel_session_id: UUID | None = Field(default=None, exclude_if=lambda v: v is None)
    partial: bool = Field(default=False, exclude_if=lambda v: not v)
    changed: list[CellState] | None = Field(default=None, exclude=True)


class BulkCellStateUpdateResponse(BaseRTUResponse):
    """The states of cells changed."""

    event: Literal["bulk_cell_state_update_event"] = "bulk_cell_state_update_event"
    data: BulkCellStateUpdateData


class VariableExplorerUpdateRequest(BaseRTURequest):
    """Asks for the kernel's variables."""

    event: Literal["variable_explorer_update_request"] = "variable_explorer_update_request"


class VariableExplorerUpdateRequestPropagated(BaseRTUResponse):
    """Another client asked for the kernel's variables."""

    event: Literal["variable_explorer_update_request"] = "variable_explorer_update_request"
    data: dict[str, Any] = Field(default_factory=dict)


class VariableExplorerResponse(BaseRTUResponse):
    """The kernel's variables."""

    event: Literal["variable_explorer_event"] = "variable_explorer_event"


class IntegratedAIRequest(BaseRTURequest):
    """Asks an assistant; our server does not offer one."""

    event: Literal["integrated_ai_request"] = "integrated_ai_request"


class IntegratedAIReply(BaseRTUResponse):
    """Answers an `IntegratedAIRequest`."""

    event: Literal["integrated_ai_reply"] = "integrated_ai_reply"
    data: BooleanReplyData


class IntegratedAIResult(BaseRTURequest):
    """Brings an assistant's result; our server does not take it."""

    event: Literal["integrated_ai_result"] = "integrated_ai_result"


class IntegratedAIResultReply(BaseRTUResponse):
    """Answers an `IntegratedAIResult`."""

    event: Literal["integrated_ai_result_reply"] = "integrated_ai_result_reply"
    data: BooleanReplyData
