"""Kernel and cell states."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from hashlib import blake2s
from typing import Any
from uuid import UUID

from pydantic import Field

from .base import Model

__all__ = [
    "FINISHED_STATES",
    "KERNEL_ALIVE_STATES",
    "KERNEL_CULLED",
    "KERNEL_ENDED",
    "KERNEL_LOST_REASONS",
    "CellState",
    "CellStateName",
    "EndReason",
    "KernelDetails",
    "KernelSession",
    "KernelStateName",
    "KernelStatusUpdate",
    "RefusalReason",
    "installed_name",
    "kernel_channel",
    "source_digest",
]

_NATIVE = "python3"  # what Jupyter starts for "python"


class KernelStateName:
    """The names of kernel states on the wire (RTU protocol, kernels channel)."""

    NOT_STARTED = "not_started"  # a client's own default, never sent
    REQUESTED = "requested"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    RESTARTING = "restarting"
    SHUTTING_DOWN = "shutting down"
    SHUTDOWN = "shutdown"
    CULLED = "culled"
    FAILED = "failed"


KERNEL_ALIVE_STATES = frozenset(
    {
        KernelStateName.REQUESTED,
        "scheduled",
        "preparing",
        "launching",
        "launched",
        KernelStateName.STARTING,
        "started",
        KernelStateName.IDLE,
        KernelStateName.BUSY,
        KernelStateName.RESTARTING,
        "forced-restart",
    }
)
"""States of a kernel that runs or soon will."""


class CellStateName:
    """The names of cell states on the wire (RTU protocol, kernels channel)."""

    NOT_RUN = "not_run"
    QUEUED = "queued"
    EXECUTING = "executing"
    FINISHED = "finished_with_no_error"
    FAILED = "finished_with_error"
    DEQUEUED = "dequeued"
    INTERRUPTED = "interrupted"
    CATASTROPHIC_FAILURE = "catastrophic_failure"


FINISHED_STATES = frozenset({CellStateName.FINISHED, CellStateName.FAILED})
"""The only states that end a wait for a cell, in every client."""


class EndReason:
    """Why a cell ended as it did, for programs (our addition to the protocol).

    What people are told stands beside it in words, as a state's ``cause``. A server may know more
    reasons than a client, and one of another kind says none: a client takes an unknown reason for
    a failure like any other.
    """

    ERROR = "error"  # the code failed
    EXPECTED_ERROR = "expected_error"  # … and the cell's tags say that it may
    INTERRUPTED = "interrupted"
    STDIN = "stdin"  # it asked for input, and nobody can answer
    STOPPED = "stopped"  # the kernel gave it up in the middle and does not say why
    ABORTED = "aborted"  # the kernel refused to begin
    NO_ANSWER = "no_answer"  # the kernel does not say how it ended
    KERNEL_GONE = "kernel_gone"  # it died, was shut down or exchanged: its variables are gone
    CULLED = "culled"  # the server ended the kernel for idleness: its variables are gone
    RESTARTED = "restarted"  # somebody restarted the kernel: its variables are gone
    SERVER_RESTARTED = "server_restarted"
    EARLIER_FAILED = "earlier_failed"  # of the same request
    DELETED = "deleted"
    NO_DATA_SOURCE = "no_data_source"  # an SQL cell
    NOT_STORED = "not_stored"
    SERVER_ERROR = "server_error"


class RefusalReason:
    """Why a request over HTTP is refused, for programs (our addition to the protocol).

    It stands beside the ``message`` for people, under ``reason``, where the status alone does not
    say it. Servers of another kind say none.
    """

    KERNEL_UNKNOWN = "kernel_unknown"  # no kernel that is installed there fits
    NAME_REFUSED = "name_refused"  # the token is good, and not what its bearer wants to be called
    HUB_SILENT = "hub_silent"  # whose token it is, a JupyterHub would have to say


KERNEL_LOST_REASONS = frozenset({EndReason.KERNEL_GONE, EndReason.CULLED, EndReason.RESTARTED})
"""Reasons which say that the kernel's variables are gone."""


KERNEL_CULLED = "the kernel was ended for idleness"
"""What people are told of a kernel that its server has culled."""

KERNEL_ENDED = "the kernel has ended with its server"
"""What people are told of a kernel whose server has ended since."""


class KernelDetails(Model):
    """A kernel's name and state.

    Attributes
    ----------
    name
        Name of the kernelspec.
    execution_state
        One of `KernelStateName`.
    last_activity
        Time of the last message, UTC.
    """

    name: str
    execution_state: str
    last_activity: datetime | None = None


class KernelStatusUpdate(Model):
    """The state of the kernel session of one notebook.

    ``reason`` (our addition) says why a kernel failed or went away, ``kernel_id`` (our addition)
    which one it is: a kernel that knows its own notices when it would wait for itself.
    """

    session_id: UUID
    kernel: KernelDetails
    reason: str | None = Field(default=None, exclude_if=lambda v: v is None)
    kernel_id: str | None = Field(default=None, exclude_if=lambda v: v is None)


class KernelSession(Model):
    """A kernel session as the REST API shows it.

    ``note`` (our addition) tells people why it is another kernel than the notebook names.
    """

    id: UUID
    kernel: KernelDetails
    note: str | None = Field(default=None, exclude_if=lambda v: v is None)


class CellState(Model):
    """The state of one cell.

    Attributes
    ----------
    cell_id
        The cell.
    state
        One of `CellStateName`.
    execution_id
        Id of the execute delta behind it (our addition).
    execution_count
        The kernel's count, once known (our addition).
    cause
        Why a cell failed (our addition). With the reason ``error`` it is name and first line of
        its error, ``NAME: LINE``, where the kernel says them.
    reason
        Why it ended as it did, one of `EndReason` (our addition; None from other servers).
    waiting_for_input
        Whether it runs and waits for somebody to answer a question of its (our addition).
    source_digest
        `source_digest` of the text that ran (our addition; None from other servers, and of a
        cell that never began).
    """

    cell_id: str
    state: str
    execution_id: UUID | None = Field(default=None, exclude_if=lambda v: v is None)
    execution_count: int | None = Field(default=None, exclude_if=lambda v: v is None)
    cause: str | None = Field(default=None, exclude_if=lambda v: v is None)
    reason: str | None = Field(default=None, exclude_if=lambda v: v is None)
    kernel_session_id: Any = Field(default=None, exclude_if=lambda v: v is None)
    waiting_for_input: bool = Field(default=False, exclude_if=lambda v: not v)
    source_digest: str | None = Field(default=None, exclude_if=lambda v: v is None)

    def is_outdated(self, source: str) -> bool:
        """Whether the cell's text is another one now than the one that ran."""
        ran = self.source_digest is not None and self.reason != EndReason.EARLIER_FAILED
        return ran and self.source_digest != source_digest(source)

    @property
    def never_began(self) -> bool:
        """Whether it ended before it began, as far as the server tells."""
        told = self.state == CellStateName.FAILED and self.reason is not None
        return told and self.source_digest is None and bool(self.cell_id)

    @property
    def failed(self) -> bool:
        """Whether it ended with an error that its cell's tags do not allow for."""
        return self.state == CellStateName.FAILED and self.reason != EndReason.EXPECTED_ERROR


def source_digest(source: str) -> str:
    """Return a few letters that stand for a cell's text, to see whether it is still the same.

    Examples
    --------
    >>> source_digest("1 + 1") == source_digest("1 + 1"), len(source_digest(""))
    (True, 16)
    """
    return blake2s(source.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def kernel_channel(file_id: UUID) -> str:
    """Return the kernels channel of a notebook: its prefix and 20 hex digits of the file id.

    Examples
    --------
    >>> kernel_channel(UUID("12345678-9abc-def0-1234-56789abcdef0"))
    'kernels/notebook-kernel-123456789abcdef01234'
    """
    return f"kernels/notebook-kernel-{file_id.hex[:20]}"


def installed_name(name: str, installed: Collection[str]) -> str | None:
    """Return which of the installed kernels Jupyter's own manager starts for a name, or None.

    Examples
    --------
    >>> installed_name("Python3", ["ir", "python3"]), installed_name("python", ["python3"])
    ('python3', 'python3')
    >>> installed_name("julia", ["python3"]) is None
    True
    """
    if name in installed:
        return name
    wanted = _NATIVE if name.lower() == "python" else name.lower()
    return next((one for one in installed if one.lower() == wanted), None)
