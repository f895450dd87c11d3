"""Loading the notebook anew: when, how often, and when it is given up."""

from __future__ import annotations

from ..errors import InconsistentState
from .effects import Reload
from .subscription import Subscription

__all__ = ["RELOAD_PAUSE", "Reloads"]

RELOAD_PAUSE = 0.5
"""Seconds between attempts to load the notebook, doubled each time."""

_CALM = 1.0  # seconds of being live, after which a server that asks for a reload is heard at once


class Reloads:
    """The reloads of one copy of a notebook.

    Parameters
    ----------
    subscription
        Counts the reloads in a row.

    Attributes
    ----------
    possible
        Whether there is a way to load the notebook.
    under_way
        Whether it is being loaded.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.possible = False
        self.under_way = False
        self._subscription = subscription
        self._reason = ""
        self._pause = RELOAD_PAUSE

    def begin(self, reason: str, now: float, *, told: bool) -> Reload | InconsistentState:
        """Return when the notebook is loaded anew, or why it is not.

        Parameters
        ----------
        reason
            Why the copy is out of step, in words.
        now
            A monotonic time in seconds.
        told
            The server asks for it. One that does so again and again is heard no more often than
            every `RELOAD_PAUSE`.
        """
        hasty = told and self._subscription.live_for(now) < _CALM
        if not self.possible:
            return InconsistentState(f"{reason}: connect again to load the notebook anew")
        if not self._subscription.may_reload(now, told=told):
            return InconsistentState(
                f"{reason}; loading the notebook anew did not help: connect again, "
                "and if that fails too, restart the server"
            )
        self.under_way, self._reason, self._pause = True, reason, RELOAD_PAUSE
        return Reload(now + (RELOAD_PAUSE if hasty else 0.0))

    def failed(self, error: Exception, now: float) -> Reload | InconsistentState:
        """Return when it is tried again, or why no more."""
        if not self._subscription.may_reload(now):
            self.under_way = False
            return InconsistentState(f"{self._reason}; loading it anew failed: {error}")
        pause, self._pause = self._pause, self._pause * 2
        return Reload(now + pause)

    def done(self) -> None:
        """Note that the notebook was loaded."""
        self.under_way = False
