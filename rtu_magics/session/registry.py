"""The open sessions of this process, by name; the newest is the default."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import SessionError

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Registry", "sessions"]


class Registry:
    """Sessions by name, in the order in which they became the newest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        """Yield the sessions, the newest last."""
        return iter(list(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)

    def free_name(self, wanted: str) -> str:
        """Return a name that is not taken: the one wanted, or it with a number."""
        name, number = wanted, 2
        while name in self._sessions:
            name, number = f"{wanted}-{number}", number + 1
        return name

    def check_free(self, name: str) -> None:
        """Check that a name is not taken.

        Raises
        ------
        SessionError
            It is.
        """
        taken = self._sessions.get(name)
        if taken is not None:
            raise SessionError(
                f"session {name!r} is already open (on {taken.path}); choose another name or "
                f"close it with %rtu_disconnect -s {name}"
            )

    def add(self, session: Session) -> None:
        """Add a session, or make it the newest again."""
        with self._lock:
            self._sessions.pop(session.name, None)
            self._sessions[session.name] = session

    def remove(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            if self._sessions.get(session.name) is session:
                del self._sessions[session.name]

    def get(self, name: str | None = None) -> Session:
        """Return a session.

        Parameters
        ----------
        name
            Its name; None for the newest.

        Raises
        ------
        SessionError
            There is none.
        """
        if not self._sessions:
            raise SessionError("no session is open; %rtu_connect opens one")
        if name is None:
            return next(reversed(self._sessions.values()))
        try:
            return self._sessions[name]
        except KeyError:
            names = ", ".join(self._sessions)
            raise SessionError(f"no session is called {name!r}; open are: {names}") from None


sessions = Registry()
"""The sessions of this process."""
