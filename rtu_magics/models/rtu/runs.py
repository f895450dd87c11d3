"""Runs on the files channel: attaching to them, their questions, code without a cell.

All of it is our addition to the protocol; other clients never see any of it.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from ..base import Model
from ..kernels import CellState
from ..runs import Run
from .base import BaseRTURequest, BaseRTUResponse, BooleanReplyData
from .files import MOST_WAITING

__all__ = [
    "AttachReply",
    "AttachReplyData",
    "AttachRequest",
    "AttachRequestData",
    "ExecutePayloadEvent",
    "ExecutePayloadEventData",
    "InputReplyReply",
    "InputReplyRequest",
    "InputReplyRequestData",
    "InputRequestEvent",
    "InputRequestEventData",
    "RunStateEvent",
    "ScratchReply",
    "ScratchRequest",
    "ScratchRequestData",
]


class AttachRequestData(Model):
    """A run, which need not have begun: its starter attaches before asking for it.

    ``keep`` asks a server that ends with its last client to wait for this run, whose cells then
    cannot ask for input: it goes on in the background. ``look`` asks for what is known of it.
    """

    execution_id: UUID
    keep: bool = False
    look: bool = False


class AttachRequest(BaseRTURequest):
    """Says that this connection answers the run's questions and takes what goes to nobody else."""

    event: Literal["attach_request"] = "attach_request"
    data: AttachRequestData


class AttachReplyData(BooleanReplyData):
    """Whether that is so. ``run`` is None unless it was asked for and the run is known."""

    run: Run | None = None


class AttachReply(BaseRTUResponse):
    """Answers an `AttachRequest`."""

    event: Literal["attach_reply"] = "attach_reply"
    data: AttachReplyData


class InputRequestEventData(Model):
    """A running cell asks for a line of text.

    ``password`` means that the answer must not be shown.
    """

    request_id: UUID
    cell_id: str
    execution_id: UUID
    prompt: str = ""
    password: bool = False


class InputRequestEvent(BaseRTUResponse):
    """Goes to one connection that is attached to the run, that of its starter if there is one."""

    event: Literal["input_request_event"] = "input_request_event"
    data: InputRequestEventData


class InputReplyRequestData(Model):
    """The answer to an `InputRequestEvent`; the character of code 4 alone is the end of file."""

    request_id: UUID
    value: str = Field(repr=False)


class InputReplyRequest(BaseRTURequest):
    """Answers an `InputRequestEvent`."""

    event: Literal["input_reply_request"] = "input_reply_request"
    data: InputReplyRequestData


class InputReplyReply(BaseRTUResponse):
    """Says whether the answer reached the kernel."""

    event: Literal["input_reply_reply"] = "input_reply_reply"
    data: BooleanReplyData


class ScratchRequestData(Model):
    """Code to run without a cell, under an execution id that the client chose.

    ``asks`` says whether it may ask for input, ``keep`` is that of `AttachRequestData`, ``forget``
    says that neither it nor its outputs are kept once it has ended. The asker is attached.
    ``expression`` says that it is one expression: an IPython kernel evaluates that without taking
    the text apart as it does a cell's, which takes long if much data stands in it. ``waiting`` is
    that of `NewDeltaRequestData`.
    """

    execution_id: UUID
    source: str = Field(repr=False)
    asks: bool = True
    keep: bool = False
    forget: bool = False
    expression: bool = False
    waiting: list[str] = Field(
        default_factory=list, exclude_if=lambda v: not v, max_length=MOST_WAITING
    )


class ScratchRequest(BaseRTURequest):
    """Asks for code to run in the notebook's kernel, after what was asked for before."""

    event: Literal["scratch_request"] = "scratch_request"
    data: ScratchRequestData


class ScratchReply(BaseRTUResponse):
    """Says whether the code is queued."""

    event: Literal["scratch_reply"] = "scratch_reply"
    data: BooleanReplyData


class ExecutePayloadEventData(Model):
    """What a kernel's reply to a cell asks of the front end that ran it: pages, next inputs.

    ``payload`` is that of ``execute_reply`` in the Jupyter messaging protocol, bounded.
    """

    execution_id: UUID
    cell_id: str
    payload: list[dict[str, Any]] = Field(repr=False)


class ExecutePayloadEvent(BaseRTUResponse):
    """Goes to those who are attached to the run."""

    event: Literal["execute_payload_event"] = "execute_payload_event"
    data: ExecutePayloadEventData


class RunStateEvent(BaseRTUResponse):
    """The state of a run without a cell, to those who are attached to it."""

    event: Literal["run_state_event"] = "run_state_event"
    data: CellState
