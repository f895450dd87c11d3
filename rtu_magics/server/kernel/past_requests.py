"""What a kernel was asked lately: whose outputs it is that come after their request has ended.

A thread, a timer, an asyncio task or a process that a cell started prints when it likes. A kernel
says in the parent header to which request an output belongs, and a front end keeps to that for as
long as it shows the cell. So does the server, for as long as the kernel lives:

- for the latest request of each cell, until the cell is deleted or another request of it begins;
- for code without a cell, as long as the run is known (`Runs`);
- for those that a later request of the same cell has replaced, the newest `SUPERSEDED` of a kernel.
  What they put out goes to the outputs of their own run, where who still looks at it sees it, and
  not to the cell, which shows the later run (JupyterLab drops it then).

Beyond that an output is dropped, and the log says so once. It never goes to another cell.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .asked import AskedRequest

__all__ = ["SUPERSEDED", "PastRequests"]

logger = logging.getLogger(__name__)

SUPERSEDED = 32
"""Requests of one kernel that are remembered although their cell has been run again."""


class PastRequests:
    """The requests of one kernel by message id, the one that runs among them.

    Parameters
    ----------
    superseded
        See `SUPERSEDED`.
    """

    def __init__(self, superseded: int = SUPERSEDED) -> None:
        self._most = superseded
        self._by_id: dict[str, AskedRequest] = {}
        self._latest: dict[str, str] = {}  # place → message id
        self._superseded: OrderedDict[str, None] = OrderedDict()
        self._dropped: str | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, run: AskedRequest, place: str) -> None:
        """Note a request.

        Parameters
        ----------
        run
            The request.
        place
            Whose latest one it is now: a cell's id, or what stands for code without a cell.
        """
        before = self._latest.get(place)
        if before is not None:
            self._superseded[before] = None
            while len(self._superseded) > self._most:
                oldest, _ = self._superseded.popitem(last=False)
                self._by_id.pop(oldest, None)
        self._latest[place] = run.message_id
        self._by_id[run.message_id] = run

    def get(self, message_id: str | None) -> AskedRequest | None:
        """Return the request that an output's parent header names, or None."""
        return None if message_id is None else self._by_id.get(message_id)

    def forget(self, place: str) -> None:
        """Forget the latest request of a place: nothing of it is shown any more."""
        message_id = self._latest.pop(place, None)
        if message_id is not None:
            self._by_id.pop(message_id, None)

    def take(self, message: Mapping[str, Any], ours: str) -> None:
        """Hand an output to the request that it names as its parent, whenever it comes.

        Parameters
        ----------
        message
            From the kernel.
        ours
            The name of our own client: what others have asked for goes to them.
        """
        parent = message.get("parent_header") or {}
        run = self.get(parent.get("msg_id"))
        if run is not None:
            try:
                run.take(message)
            except Exception:
                logger.exception("an output could not be taken")
        elif parent.get("session") == ours and parent.get("msg_id") != self._dropped:
            self._dropped = parent.get("msg_id")
            logger.info("output of a request that is not known any more: %s", self._dropped)
