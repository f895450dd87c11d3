"""The mirror: a remote notebook, live, below a cell.

Python's part of it. The renderer lies in ``frontend/`` and is built into ``static/``; its
``store.js`` lists the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import traitlets

from ...errors import RTUError
from ...foreign import shown
from ...session import background, on_loop
from ...session.events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    OutputAppended,
    OutputsCleared,
    OutputsUpdated,
)
from ..comms import hear_at_once
from ..renderer import RenderedWidget
from ..writer import writer as the_writer
from .actions import MirrorActions
from .feed import MirrorFeed, Scheduler
from .static_page import static_html

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["Mirror", "mirrors", "static_html"]

PICTURE_PAUSE = 20.0  # seconds between a change and the picture of it that a saved notebook keeps
_SEEN_IN_PICTURE = (
    CellStatesChanged,
    DeltaApplied,
    OutputAppended,
    OutputsCleared,
    OutputsUpdated,
)

_open: list[Mirror] = []
_open_lock = threading.Lock()


def mirrors(session: Session | None = None) -> list[Mirror]:
    """Return the mirrors that are open, the oldest first.

    Parameters
    ----------
    session
        Only this session's.
    """
    with _open_lock:
        return [mirror for mirror in _open if session is None or mirror.session is session]


def _place() -> tuple[str, str] | None:
    """Return the local cell that runs now and its run, where the front end tells it."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    if not isinstance(parent, dict):
        return None
    cell = parent.get("metadata", {}).get("cellId")
    run = parent.get("header", {}).get("msg_id")
    return (cell, run) if cell and run else None


class Mirror(RenderedWidget):
    """A remote notebook that shows itself and every change of it.

    Showing it twice gives two views of one mirror. Its callbacks are freed by `close`, and when the
    session is closed.

    Parameters
    ----------
    session
        The session to mirror.
    cells
        Cells to show, as magics name them; None for the whole notebook.
    height
        The largest height as CSS, such as ``"400px"``.
    writer
        Who sends; the process's one writer by default.

    Examples
    --------
    ::

        mirror = Mirror(session)
        mirror.show()
        mirror.follow("Ada")
        mirror.close()
    """

    height = traitlets.Unicode("").tag(sync=True)
    own_id = traitlets.Unicode("").tag(sync=True)  # by which the front end finds its model

    _ended = True  # until it is whole: Python closes also what could not be made

    def __init__(
        self,
        session: Session,
        cells: Iterable[str | int] | None = None,
        *,
        height: str = "",
        writer: Scheduler | None = None,
    ) -> None:
        chosen = None if cells is None else session.resolve_all(list(cells))
        super().__init__(height=height)
        self.own_id = self.model_id or ""
        self.session = session
        self.cells = chosen
        self._display_ids: list[str] = []
        self._ended = False
        self._place: tuple[str, str] | None = None
        self._picture_timer: asyncio.TimerHandle | None = None
        if writer is None:
            writer = the_writer()
        self._feed = MirrorFeed(session, chosen, self._send_message, writer)
        self._actions = MirrorActions(self._feed)
        self._writer = writer
        self.on_msg(self._on_message)
        hear_at_once(self)
        self._unsubscribe = session.hub.subscribe(self._on_event)
        with _open_lock:
            _open.append(self)
        self._feed.refresh()

    # ------------------------------------------------------------------ messages

    def _send_message(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(Exception):  # the front end or the comm may just have gone
            self.send(message)

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        self._actions.hand_over(content)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionChanged) and event.state == "closed":
            # Sent first: then nothing more comes.
            self._writer.schedule((self, "end"), self._end)
        elif isinstance(event, _SEEN_IN_PICTURE):
            self._picture_outdated()

    def _picture_outdated(self) -> None:
        # On the background thread, as every event is; so is the picture made.
        waits = self._picture_timer is not None or not self._display_ids
        if not waits and background().running:
            loop = background().loop
            self._picture_timer = loop.call_later(PICTURE_PAUSE, self._renew_picture)

    def _renew_picture(self) -> None:
        self._picture_timer = None
        if not self._ended:
            picture = self.static()
            self._writer.schedule((self, "picture"), lambda: self._show_picture(picture))

    # ------------------------------------------------------------------ what users call

    def jump(self, cell: str | int) -> None:
        """Scroll to a cell, in every view."""
        self._feed.post({"t": "jump", "cell": self.session.resolve(cell)})

    def follow(self, who: str | None) -> None:
        """Scroll with somebody; None ends that.

        Parameters
        ----------
        who
            A user id, a name, or the beginning of one.

        Raises
        ------
        RTUError
            Nobody of that name is there, or several are.
        """
        user_id = None if who is None else self._find_person(who)
        self._feed.post({"t": "follow", "user": user_id})

    def _find_person(self, who: str) -> str:
        people = list(self.session.people.values())
        wanted = who.casefold()
        named = [(person, (person.name or "").casefold()) for person in people]
        for found in (
            [person for person in people if str(person.user_id) == who],
            [person for person, name in named if name == wanted],
            [person for person, name in named if name.startswith(wanted)],
        ):
            if len(found) == 1:
                return str(found[0].user_id)
            if found:
                raise RTUError(f"several people are called {who!r}; give more of the name")
        names = ", ".join(sorted(p.name for p in people if p.name)) or "nobody"
        raise RTUError(f"nobody called {who!r} is here; here: {names}")

    def static(self) -> str:
        """Return the mirror as it is now, as HTML that needs nothing else; from any thread."""
        return on_loop(
            lambda: static_html(
                self.session,
                self.cells,
                outputs=self._feed.state.board.outputs,
                mirror_id=self.model_id or "",
            )
        )

    def show(self) -> None:
        """Display the live view, and below it the picture that a saved notebook will show.

        Only one of the two is seen at a time.
        """
        from IPython.display import display as ipython_display

        display: Any = ipython_display
        self._replace_older(_place())
        display_id = f"rtu-mirror-{uuid4().hex[:12]}"
        self._display_ids.append(display_id)
        display(self, display_id=f"{display_id}-live")
        display(
            {"text/html": self.static(), "text/plain": shown(f"Mirror of {self.session.path}")},
            raw=True,
            display_id=f"{display_id}-static",
        )

    def _replace_older(self, place: tuple[str, str] | None) -> None:
        """Close what an earlier run of the same cell has shown: its outputs are gone."""
        self._place = place
        if place is None:
            return
        cell, run = place
        for other in mirrors():
            there = other._place
            if other is not self and there is not None and there[0] == cell and there[1] != run:
                other.close()

    def close(self) -> None:
        """End the mirror: free its callbacks and leave its picture in place of each view."""
        if not self._ended:
            self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        with _open_lock:
            if self in _open:
                _open.remove(self)
        self._unsubscribe()
        self._feed.flush()
        self._feed.close()
        self._actions.close()
        self._writer.forget((self, "end"))
        self._writer.forget((self, "picture"))
        timer = self._picture_timer
        if timer is not None and background().running:
            background().loop.call_soon_threadsafe(timer.cancel)
        self._show_picture(self.static())
        super().close()

    def _show_picture(self, picture: str) -> None:
        from IPython import get_ipython
        from IPython.display import update_display as ipython_update

        if get_ipython() is None:  # nobody displays anything; IPython would print it
            return
        update_display: Any = ipython_update
        with contextlib.suppress(Exception):  # no front end any more: nobody is there to see it
            for display_id in self._display_ids:
                update_display(
                    {"text/html": picture, "text/plain": shown(f"Mirror of {self.session.path}")},
                    raw=True,
                    display_id=f"{display_id}-static",
                )
