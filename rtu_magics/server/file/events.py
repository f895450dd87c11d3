"""What can happen to a notebook's file, and what can be done about it; see `state`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Allowed",
    "Changed",
    "Denied",
    "Doing",
    "Due",
    "Effect",
    "Event",
    "Failed",
    "Found",
    "Held",
    "KeepVersion",
    "NotNotebook",
    "Released",
    "Renamed",
    "SaveAsked",
    "SetTimer",
    "ShowState",
    "Tell",
    "Vanished",
    "Write",
    "Wrote",
]

Doing = Literal["read", "write", "render", "store"]
"""What went wrong: the file cannot be read or written, the notebook not be made into one, or
another program's change not be stored."""

# Events


@dataclass(frozen=True, slots=True)
class Changed:
    """The room changed; `revive`: a file that was deleted is wanted again."""

    now: float
    revive: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """The time has come that `SetTimer` named."""

    now: float


@dataclass(frozen=True, slots=True)
class Wrote:
    """The file holds the room's content of this generation, written or found so."""

    now: float
    generation: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong that may go well the next time."""

    now: float
    doing: Doing
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """The file was read and is a notebook, or what it was when we last read or wrote it."""

    now: float


@dataclass(frozen=True, slots=True)
class Vanished:
    """The file is not there, nor anywhere else."""

    now: float


@dataclass(frozen=True, slots=True)
class NotNotebook:
    """The file was read, whole and at rest, and is no notebook."""

    now: float
    reason: str


@dataclass(frozen=True, slots=True)
class SaveAsked:
    """Somebody wants the file written whatever is there."""

    now: float


@dataclass(frozen=True, slots=True)
class Held:
    """Another program owns the file: `reason` says which, in a sentence's beginning."""

    now: float
    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """It does not any more."""

    now: float


@dataclass(frozen=True, slots=True)
class Denied:
    """The system does not let this server write the file."""

    now: float
    reason: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """It does now."""

    now: float


@dataclass(frozen=True, slots=True)
class Renamed:
    """The file has another name from now on."""

    now: float
    name: str


Event = (
    Changed
    | Due
    | Wrote
    | Failed
    | Found
    | Vanished
    | NotNotebook
    | SaveAsked
    | Held
    | Released
    | Denied
    | Allowed
    | Renamed
)


# Effects


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send `Due` at this time; None: at no time."""

    at: float | None


@dataclass(frozen=True, slots=True)
class Write:
    """Bring the file up to date now."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Say this in the log, as an error or as good news."""

    text: str
    error: bool = True


@dataclass(frozen=True, slots=True)
class ShowState:
    """Let everybody who has the notebook open know its condition."""


@dataclass(frozen=True, slots=True)
class KeepVersion:
    """Keep the room as a version with this name, before anything happens to it or the file."""

    name: str


Effect = SetTimer | Write | Tell | ShowState | KeepVersion
