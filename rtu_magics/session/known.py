"""What the server has told a session: kept up to date by the events, read from any thread."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import UUID

from .. import models as m
from .changes import cell_of
from .events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    FileMoved,
    FileStateChanged,
    KernelChanged,
    Noticed,
    PeopleChanged,
    Person,
    RoleChanged,
    people_of,
)

if TYPE_CHECKING:
    from ..client import RTUClient

__all__ = ["Known"]


class Known:
    """The latest word of the server on everything beside the document.

    Parameters
    ----------
    client
        The client, live: what it knows already is where this begins.
    file
        The notebook's file.
    local_path
        Where it lies on this machine, for a notebook of the embedded server.

    Attributes
    ----------
    root
        The directory on this machine that the embedded server serves.
    renaming_to
        The path that this session itself asked for.
    edited_by
        The cells that others changed, and who changed each last.
    kernel_died
        Why the kernel that runs had to be started again by itself, until the user was told.
    why_closed
        What the server said when it ended the session.
    kernels, invites, versions, cells
        What tab completion knows, see `hints`.
    """

    def __init__(self, client: RTUClient, file: m.File, local_path: Path | None = None) -> None:
        self._client = client
        self.file = file
        self.root = None if local_path is None else _root_of(local_path, file.path)
        self.renaming_to: str | None = None
        self.cell_states: dict[str, m.CellState] = dict(client.cell_state_details)
        self.edited_by: dict[str, UUID | None] = {}
        self.kernel: m.KernelStatusUpdate | None = client.kernel_status
        self.kernel_died = ""
        self.people: dict[UUID, Person] = people_of(client.people.values())
        self.role: str | None = client.role
        self.file_state: m.FileStateData | None = client.file_state
        self.why_closed = ""
        self.kernels: tuple[str, ...] = ()
        self.invites: list[str] = []
        self.versions: list[str] = []
        self.cells: list[str] = []
        self._notices: deque[str] = deque()  # filled on the loop, emptied by whoever asks

    def note(self, event: Event) -> None:
        """Take an event's news."""
        if isinstance(event, DeltaApplied):
            self._note_author(event.delta)
        elif isinstance(event, CellStatesChanged):
            self.cell_states = event.states
        elif isinstance(event, KernelChanged):
            self._note_kernel(event.status)
        elif isinstance(event, PeopleChanged):
            self.people = event.people
        elif isinstance(event, RoleChanged):
            if event.role != self.role:
                self._notices.append(event.message or _role_notice(event.role))
            self.role = event.role
        elif isinstance(event, FileMoved):
            self.moved_to(event.path)
        elif isinstance(event, FileStateChanged):
            self._note_file(event.state)
        elif isinstance(event, Noticed):
            self._notices.append(event.text)
        elif isinstance(event, ConnectionChanged) and event.state == "closed":
            self.why_closed = event.detail

    def _note_kernel(self, status: m.KernelStatusUpdate) -> None:
        self.kernel = status
        state = status.kernel.execution_state
        if state == m.KernelStateName.RESTARTING:
            self.kernel_died = status.reason or ""  # "" if somebody restarts it
        elif state not in m.KERNEL_ALIVE_STATES:
            self.kernel_died = ""  # told of as what it is now

    def _note_author(self, delta: m.FileDeltaBase) -> None:
        cell_id, author = cell_of(delta), delta.created_by_id
        kept = isinstance(delta, m.CellExecuteDelta | m.CellOutputCollectionReplace)
        if cell_id is not None and author != self._client.user_id and not kept:
            self.edited_by[cell_id] = author

    def _note_file(self, new: m.FileStateData) -> None:
        """Note whether the file is written; whoever uses the session hears of a change, once."""
        before = self.file_trouble
        self.file_state = new
        if self.file_trouble and self.file_trouble != before:
            self._notices.append(self.file_trouble)
        elif before and not self.file_trouble:
            self._notices.append(f"{self.path} is written to its file again")

    def moved_to(self, path: str) -> None:
        """Note where the notebook lies now; the user hears of it unless it was this session."""
        old = self.path
        if path == old:
            return
        filename = PurePosixPath(path).name
        self.file = self.file.model_copy(update={"path": path, "filename": filename})
        if path != self.renaming_to:
            self._notices.append(f"{old} has been renamed, it is {path} now")

    @property
    def noticed(self) -> bool:
        """Whether there is something for `take_notices`."""
        return bool(self._notices)

    def take_notices(self) -> list[str]:
        """Return what the user should hear of before anything else, once."""
        notices = []
        with contextlib.suppress(IndexError):
            while True:
                notices.append(self._notices.popleft())
        return notices

    @property
    def path(self) -> str:
        """The notebook's path below the server's directory."""
        return self.file.path

    @property
    def local_path(self) -> Path | None:
        """The same on this machine, for a notebook of the embedded server."""
        return None if self.root is None else self.root / self.path

    @property
    def file_trouble(self) -> str:
        """What keeps the notebook from its file, in one line; empty if nothing does."""
        state = self.file_state
        return state.reason if state is not None and state.troubled else ""


def _root_of(local_path: Path, path: str) -> Path:
    return local_path.parents[len(PurePosixPath(path).parts) - 1]


def _role_notice(role: str | None) -> str:
    if role is None:
        return "this notebook is no longer shared with you; ask its owner for a new link"
    return f"your role here is now {role}"
