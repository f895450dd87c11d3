"""The history slider: a notebook's past, played in the front end.

Python's part of it. Everything there is to know is sent once; sliding and playing ask nobody, so
they go on while the kernel is busy. The front end's part is ``frontend/src/history.js``.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import traitlets

from ...errors import RTUError
from ...session import on_loop
from ..comms import hear_at_once
from ..mirror.cells import notebook_language
from ..renderer import RenderedWidget
from ..standin import stand_in
from ..writer import Writer, writer
from .steps import Past, past_of

if TYPE_CHECKING:
    from ...models import DeltaLog
    from ...session import Session

__all__ = ["History", "past"]

logger = logging.getLogger(__name__)

MOST_STEPS = 5_000
_PAGE = 500  # deltas that are asked for at once
_PIECE = 50_000  # characters of a message: Jupyter servers drop what is too much at once


async def past(session: Session, limit: int = 1_000) -> Past:
    """Ask the server for a notebook's past.

    Parameters
    ----------
    session
        The session.
    limit
        How many steps at most; the latest ones.
    """
    logs: list[DeltaLog] = []
    before: UUID | None = None
    missing = limit
    while missing > 0:
        try:
            log = await session.api.get_log(session.file.id, min(_PAGE, missing), before)
        except RTUError:
            if not logs:
                raise
            break  # the server has just dropped what is earlier
        logs.insert(0, log)
        missing -= len(log.deltas)
        if not log.more or not log.deltas:
            break
        before = UUID(str(log.deltas[0]["id"]))
    return await asyncio.to_thread(past_of, logs)  # a long past takes a while


class History(RenderedWidget):
    """A notebook's past, to slide through and to play.

    Parameters
    ----------
    session
        The session.
    limit
        How many steps at most; the latest ones.
    pace
        Who sends; the process's one writer by default.

    Raises
    ------
    RTUError
        Nothing has been changed yet, as far as the server still knows.

    Examples
    --------
    ::

        History(session).show()
    """

    kind = traitlets.Unicode("history").tag(sync=True)

    _ended = True  # until it is whole: Python closes also what could not be made

    def __init__(self, session: Session, limit: int = 1_000, *, pace: Writer | None = None) -> None:
        if not 1 <= limit <= MOST_STEPS:
            raise RTUError(f"{limit} steps: ask for 1 to {MOST_STEPS}")
        found = session.call(past(session, limit))
        if not found.steps:
            raise RTUError(f"nobody has changed {session.path} yet; there is nothing to play")
        super().__init__()
        self.path = session.path
        self.steps = found.steps
        self.authors = found.authors
        self._pieces = self._told(session, found)
        self._next = 0
        self._ended = False
        self._writer = pace or writer()
        self.on_msg(self._on_message)
        hear_at_once(self)
        self._begin()

    def _told(self, session: Session, found: Past) -> list[str]:
        language = on_loop(lambda: notebook_language(session))
        text = json.dumps(
            {
                "t": "past",
                "path": session.path,
                "language": language,
                "complete": found.complete,
                "authors": found.authors,
                "cells": found.cells,
                "steps": [step.told() for step in found.steps],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]

    def _begin(self) -> None:
        """Send everything, from the first piece on; from any thread."""
        self._writer.schedule((id(self), "send"), self._send_first)

    def _send_first(self) -> None:
        self._next = 0
        self._send_piece()

    def _send_piece(self) -> None:
        if self._ended or self._next >= len(self._pieces):
            return
        i, count = self._next, len(self._pieces)
        with contextlib.suppress(Exception):  # the front end or the comm may just have gone
            self.send({"t": "piece", "i": i, "n": count, "s": self._pieces[i]})
        self._next = i + 1
        if self._next < count:
            self._writer.schedule((id(self), "send"), self._send_piece)

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, dict) and content.get("a") == "hello" and not self._ended:
            self._begin()

    def static(self) -> str:
        """Return who did how much, as HTML that needs nothing else."""
        count: dict[str, int] = {}
        for step in self.steps:
            name = self.authors[step.author][1]
            count[name] = count.get(name, 0) + 1
        names = ", ".join(f"{name} ({n})" for name, n in count.items())
        words = html.escape(f"{len(self.steps)} changes of {self.path}, by {names}")
        body = f"<small>{words}; <code>%rtu_replay</code> plays them</small>"
        return stand_in("rtu-history", "rtu-static-history", body)

    def show(self) -> None:
        """Display the slider, and below it the words that a saved notebook will show."""
        from IPython.display import display as ipython_display

        display: Any = ipython_display
        display(self)
        plain = f"{len(self.steps)} changes of {self.path}"
        display(
            {"text/html": self.static(), "text/plain": plain},
            raw=True,
            display_id=f"rtu-history-{uuid4().hex[:12]}",
        )

    def close(self) -> None:
        """Free what the slider holds."""
        if not self._ended:
            self._ended = True
            self._writer.forget((id(self), "send"))
        super().close()
