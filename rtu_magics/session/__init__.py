"""Sessions: synchronous verbs over the asynchronous client, and the only thread.

`connect` opens a `Session`, `sessions` knows those that are open, `stop_background` ends the
thread.
"""

from ..document.three_way import EditConflict
from .changes import Change
from .endpoint.opener import connect
from .events import InputRequested
from .execution.events import CellFinished, CellStarted, Finished, Reconnected, Reconnecting
from .execution.execution import Execution
from .hints import cell_hints, invite_hints, kernel_hints, version_hints
from .registry import sessions
from .session import Session
from .thread import background, on_loop, stop_background
from .views import CellView, SessionStatus

__all__ = [
    "CellFinished",
    "CellStarted",
    "CellView",
    "Change",
    "EditConflict",
    "Execution",
    "Finished",
    "InputRequested",
    "Reconnected",
    "Reconnecting",
    "Session",
    "SessionStatus",
    "background",
    "cell_hints",
    "connect",
    "invite_hints",
    "kernel_hints",
    "on_loop",
    "sessions",
    "stop_background",
    "version_hints",
]
