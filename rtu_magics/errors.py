"""Every exception of the package, drawn once.

::

    RTUError
    ├── TransportError              the wire
    │   ├── ConnectFailed           no connection could be made
    │   └── ConnectionLost          an open connection ended
    ├── AuthenticationFailed        the server does not accept the token
    ├── PermissionDenied            the server knows you and says no
    ├── SubscribeTimeout            no answer to the subscription in time
    ├── ClientClosed                the client or session was shut down
    ├── InvalidMessage              a message that is not RTU
    ├── APIError                    a REST call failed (carries the status)
    │   └── FileUnknown             the server has no such notebook
    ├── CannotUndo                  there is nothing to take back, or others changed it since
    ├── DeltaError                  one change of the document
    │   ├── DeltaRejected           the server refused it (carries the cause)
    │   │   └── NotPermitted        this role may not do that (also a PermissionDenied)
    │   └── SquashError             it cannot be applied to this copy
    │       └── PatchFailed         a hunk of a text patch does not apply
    ├── InconsistentState           this copy can no longer follow the server's
    ├── CellNotFound                no such cell (also a LookupError)
    │   └── AmbiguousCell           an id prefix that fits several cells
    ├── KernelError                 the remote kernel
    │   ├── KernelNotStarted        (also a RuntimeError)
    │   ├── KernelUnknown           no kernel of that name is installed there
    │   └── KernelDied              it died while it ran
    ├── RemoteCellError             a remote cell raised (ename, evalue, traceback)
    ├── RunTimeout                  a run took longer than it was allowed to (also a TimeoutError)
    ├── TargetError                 a connect target that cannot be understood
    ├── SessionError                no such session, or a name already taken
    └── EmbeddedServerError         the server on this machine did not start

A message says what happened and what to do next, in one line. IPython shows exactly that line,
without a traceback, because `RTUError` defines ``_render_traceback_``. What it quotes of other
people's text is shown as text (`rtu_magics.foreign`).
"""

from __future__ import annotations

from typing import ClassVar

from .foreign import shown

__all__ = [
    "APIError",
    "AmbiguousCell",
    "AuthenticationFailed",
    "CannotUndo",
    "CellNotFound",
    "ClientClosed",
    "ConnectFailed",
    "ConnectionLost",
    "DeltaError",
    "DeltaRejected",
    "EmbeddedServerError",
    "FileUnknown",
    "InconsistentState",
    "InvalidMessage",
    "KernelDied",
    "KernelError",
    "KernelNotStarted",
    "KernelUnknown",
    "NotPermitted",
    "PatchFailed",
    "PermissionDenied",
    "RTUError",
    "RemoteCellError",
    "RunTimeout",
    "SessionError",
    "SquashError",
    "SubscribeTimeout",
    "TargetError",
    "TransportError",
]


class RTUError(Exception):
    """Base of every error that this package raises on purpose."""

    def __str__(self) -> str:
        """Return the message: names, causes and answers of others are quoted in it."""
        return shown(super().__str__())

    shown_as: ClassVar[str] = ""
    """What people see it called, where programs tell more apart than people have to."""

    def _render_traceback_(self) -> list[str]:
        """Show one line in IPython instead of our own frames."""
        return [f"{self.shown_as or type(self).__name__}: {self}"]


class TransportError(RTUError):
    """The wire failed."""


class ConnectFailed(TransportError):
    """No connection could be made."""


class ConnectionLost(TransportError):
    """An open connection ended."""


class AuthenticationFailed(RTUError):
    """The server does not accept the token.

    Attributes
    ----------
    reason
        One of `rtu_magics.models.RefusalReason` where the token is not why, None otherwise.
    """

    reason: str | None = None

    @classmethod
    def saying(cls, message: str | None) -> AuthenticationFailed:
        """Return the error for what a server says, with what to do about it."""
        if message and ";" in message:  # it says so itself
            return cls(message)
        said = message or "the server does not accept the token"
        return cls(f"{said}: check the token, or get a new one")


class PermissionDenied(RTUError):
    """The server knows you and says no.

    Attributes
    ----------
    wordless
        Whether it gave no reason; so do servers of another kind that do not know the token.
    """

    wordless: bool = False


class SubscribeTimeout(RTUError):
    """The server did not answer a subscription in time."""


class ClientClosed(RTUError):
    """The client or session was shut down while something waited for it."""


class InvalidMessage(RTUError):
    """A message that cannot be understood as RTU.

    Parameters
    ----------
    message
        What is wrong, in one line.
    event
        The error event that answers it on the wire: ``invalid_event`` or ``invalid_data``.
    transaction_id
        The request's transaction id as a string, if it could be read.
    channel
        The request's channel, if it could be read.
    """

    def __init__(
        self,
        message: str,
        *,
        event: str = "invalid_data",
        transaction_id: str | None = None,
        channel: str = "system",
    ) -> None:
        super().__init__(message)
        self.event = event
        self.transaction_id = transaction_id
        self.channel = channel


class APIError(RTUError):
    """A REST call failed.

    Parameters
    ----------
    message
        What went wrong, in one line.
    status
        The HTTP status, or None when no answer came.
    reason
        What went wrong for programs, one of `RefusalReason`; None where the server does not say.
    """

    def __init__(self, message: str, status: int | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class FileUnknown(APIError):
    """The server has no such notebook, or nothing that the asker may see."""


class CannotUndo(RTUError):
    """An edit cannot be taken back: there is none, or others have changed it since."""


class DeltaError(RTUError):
    """One change of the document failed."""


class DeltaRejected(DeltaError):
    """The server refused a delta.

    Parameters
    ----------
    cause
        The server's reason.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class NotPermitted(DeltaRejected, PermissionDenied):
    """The server refused a delta because of who sent it."""

    shown_as = "PermissionDenied"


class SquashError(DeltaError):
    """A delta cannot be applied to this copy of the notebook; the copy is unchanged."""


class PatchFailed(SquashError):
    """A hunk of a text patch does not apply.

    Parameters
    ----------
    message
        What failed, in one line.
    hunk
        The 1-based number of the first hunk that failed, 0 if the patch cannot be parsed.
    """

    def __init__(self, message: str, hunk: int = 0) -> None:
        super().__init__(message)
        self.hunk = hunk


class InconsistentState(RTUError):
    """A copy of the notebook can no longer follow the chain of deltas of the server."""


class CellNotFound(RTUError, LookupError):
    """No such cell."""


class AmbiguousCell(CellNotFound):
    """A cell id prefix that fits several cells."""


class KernelError(RTUError):
    """Something is wrong with the remote kernel."""


class KernelNotStarted(KernelError, RuntimeError):
    """The notebook has no running kernel."""


class KernelUnknown(KernelError):
    """No kernel of that name is installed on the server."""


class KernelDied(KernelError):
    """The remote kernel died while it ran a cell."""


class RemoteCellError(RTUError):
    """A remote cell raised.

    Parameters
    ----------
    message
        One line: which cell, and what it raised.
    ename, evalue
        Name and text of the remote exception.
    traceback
        The remote traceback's lines, with their ANSI colours.
    cell_id
        The cell that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        ename: str = "",
        evalue: str = "",
        traceback: list[str] | None = None,
        cell_id: str = "",
    ) -> None:
        super().__init__(message)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback or []
        self.cell_id = cell_id


class RunTimeout(RTUError, TimeoutError):
    """A run took longer than it was allowed to."""


class TargetError(RTUError):
    """A connect target that cannot be understood."""


class SessionError(RTUError):
    """No session of that name is open, or the name is taken."""


class EmbeddedServerError(RTUError):
    """The server on this machine did not start."""
