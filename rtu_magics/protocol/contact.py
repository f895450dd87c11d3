"""How the connection of a copy is, as people are told."""

from __future__ import annotations

from ..errors import ConnectionLost, TransportError
from .effects import Effects, NotReady, Say

__all__ = ["Contact"]


class Contact:
    """What is said about connections that come and go.

    Until the notebook was there once, whoever waits for it hears why it is not, once per
    connection; the next attempt follows all the same. Later losses are a state, and no error.

    Attributes
    ----------
    was_live
        Whether the notebook was caught up once.
    """

    def __init__(self) -> None:
        self.was_live = False
        self._told_why = False

    def connected(self) -> None:
        """Note that a connection is open."""
        self._told_why = False

    def not_ready(self, error: Exception) -> Effects:
        """Note why this connection will not do."""
        self._told_why = True
        return () if self.was_live else (NotReady(error),)

    def attempt_failed(self, error: TransportError) -> Effects:
        """Note that no connection could be made."""
        if self.was_live:
            return (Say("reconnecting", str(error)),)
        return (Say("connecting", str(error)), *self.not_ready(error))

    def lost(self) -> Effects:
        """Note that the connection ended."""
        if self.was_live:
            return (Say("reconnecting", "the connection was lost"),)
        if self._told_why:
            return ()
        said = "the server closed the connection before the notebook was there: try again"
        return self.not_ready(ConnectionLost(said))
