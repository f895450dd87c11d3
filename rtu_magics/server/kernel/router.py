"""From a kernel's output messages to who takes them: a widget that captures, or a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ...document import OutputWidgets
from .past_requests import PastRequests

__all__ = ["OutputRouter"]

logger = logging.getLogger(__name__)

_WIDGETS_EVERY = 0.1  # seconds between two updates of what widgets have captured


class OutputRouter:
    """Hands each output of one kernel to whom it belongs.

    Attributes
    ----------
    past
        The requests, of whose outputs those are what no widget captures.
    """

    def __init__(self) -> None:
        self.past = PastRequests()
        self._widgets = OutputWidgets()
        self._due: asyncio.TimerHandle | None = None

    def take(self, message: Mapping[str, Any], ours: str) -> None:
        """Take an iopub message that is no status; `ours` as for `PastRequests.take`."""
        rest: Mapping[str, Any] | None = message
        try:
            rest = self._widgets.route(message)
        except Exception:  # not as the protocol has it: its cell's, then
            logger.debug("what widgets take could not be told", exc_info=True)
        if rest is not None:
            self.past.take(rest, ours)
        if self._widgets.changed and self._due is None:
            self._due = asyncio.get_running_loop().call_later(_WIDGETS_EVERY, self.settle)

    def settle(self) -> None:
        """Show now what widgets have captured in their views."""
        self.close()
        if not self._widgets.changed:
            return
        for request, message in self._widgets.updates():
            run = self.past.get(request)
            if run is not None:
                run.on_message(message)

    def close(self) -> None:
        """Show nothing more by itself."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
