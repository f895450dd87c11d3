"""Sessions: synchronous verbs over the asynchronous client, and the only thread.

`connect` opens a `Session`, `sessions` knows those that are open, `stop_background` ends the
thread.
"""

from .changes import Change
from .editing import EditConflict
from .events import InputRequested
from .execution import Execution
from .hints import cell_hints, invite_hints, kernel_hints, version_hints
from .loop import background, on_loop, stop_background
from .opening import connect
from .registry import sessions
from .run_events import CellFinished, CellStarted, Finished, Reconnected, Reconnecting
from .session import Session
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
