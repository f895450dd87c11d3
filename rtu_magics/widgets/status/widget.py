"""The live status: connection, kernel, people, a mark for each cell, and the common buttons.

The words and buttons are ipywidgets; the strip of marks is a small module of its own, because its
marks change one by one, count seconds and take clicks without a kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anywidget
import ipywidgets
import traitlets

from ... import models as m
from ...errors import KernelNotStarted, RTUError
from ...foreign import shown
from ...session import background, on_loop
from ...session.events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    FileStateChanged,
    KernelChanged,
    PeopleChanged,
    RoleChanged,
    UsageChanged,
)
from ...session.ops import files
from ...session.ops.kernel import READY_STATES
from ...tasks import TaskSet
from ..comms import hear_at_once
from ..standin import stand_in
from ..writer import PACE, Writer, writer
from .state import MAY_EDIT, MAY_RUN, Line, Strip, line_of

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["Status", "statuses"]

logger = logging.getLogger(__name__)

_STATIC = Path(__file__).parents[1] / "static"
_SHOWN = (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    FileStateChanged,
    KernelChanged,
    PeopleChanged,
    RoleChanged,
    UsageChanged,
)
_BAD = ("closed", "refused", "failed", "shutdown", "culled")

_open: list[Status] = []
_open_lock = threading.Lock()


def statuses(session: Session | None = None) -> list[Status]:
    """Return the open statuses, the oldest first; with `session` only its own."""
    with _open_lock:
        return [one for one in _open if session is None or one.session is session]


class _StripWidget(anywidget.AnyWidget):
    _esm = _STATIC / "status.js"
    _css = _STATIC / "status.css"
    file_id = traitlets.Unicode("").tag(sync=True)


class Status(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets carries no types
    """A session's live status.

    Parameters
    ----------
    session
        The session.
    pace
        Who sends; the process's one writer by default.

    Examples
    --------
    ::

        Status(session).show()
    """

    _ended = True  # until it is whole: Python closes also what could not be made

    def __init__(self, session: Session, *, pace: Writer | None = None) -> None:
        self.session = session
        self._writer = pace or writer()
        self._strip_state = Strip(session)
        self._load: UsageChanged | None = None
        self._out: deque[dict[str, Any]] = deque()
        self._line: Line = on_loop(lambda: line_of(session))
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = TaskSet()
        self._display_ids: list[str] = []
        self._ended = False
        self._words = ipywidgets.HTML(_line_html(self._line))
        self._strip = _StripWidget(file_id=str(session.file.id))
        self._strip.on_msg(self._on_message)
        self._buttons = {
            "run": self._button("Run all", "fast-forward", self._run_all),
            "interrupt": self._button("Interrupt", "stop", self._interrupt),
            "restart": self._button("Restart", "refresh", self._restart),
            "save": self._button("Save", "save", self._save),
        }
        self._say = ipywidgets.HTML("")
        buttons = ipywidgets.HBox([*self._buttons.values(), self._say])
        super().__init__([self._words, self._strip, buttons])
        self.add_class("rtu-status-box")
        hear_at_once(self._strip, *self._buttons.values())
        self._allow()
        self._unsubscribe = session.hub.subscribe(self._on_event)
        with _open_lock:
            _open.append(self)
        self._soon(self._tell_all)

    def __repr__(self) -> str:
        return shown(" · ".join(self._line.words))

    # ------------------------------------------------------------------ from the session

    def _soon(self, fn: Callable[[], None]) -> None:
        if background().running:
            background().loop.call_soon_threadsafe(fn)

    def _on_event(self, event: Event) -> None:
        if self._ended or not isinstance(event, _SHOWN):
            return
        if isinstance(event, UsageChanged):
            self._load = event
        if isinstance(event, ConnectionChanged) and event.state == "closed":
            on_loop(self._collect)  # whoever closed the session did so on a thread of theirs
            self._writer.schedule((id(self), "end"), self._end)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PACE, self._collect)

    def _collect(self) -> None:
        """Note what is new; on the background thread, where the notebook stands still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ended:
            return
        if self._strip_state.told:
            self._out.extend(self._strip_state.changes())
        self._line = line_of(self.session, self._load)
        if self._line.retry_in is not None and background().running:
            self._timer = background().loop.call_later(1.0, self._collect)
        self._writer.schedule((id(self), "send"), self._send_out)

    def _tell_all(self) -> None:
        if not self._ended:
            self._out.clear()  # what waits is in it
            self._out.append(self._strip_state.whole())
            self._collect()

    def _send_out(self) -> None:
        with contextlib.suppress(Exception):  # the front end or the comm may just have gone
            with contextlib.suppress(IndexError):  # the loop may take back what waits
                while True:
                    self._strip.send(self._out.popleft())
            self._words.value = _line_html(self._line)
            self._allow()

    def _allow(self) -> None:
        live = self._line.connection == "live"
        role = self._line.role
        self._buttons["run"].disabled = not (live and role in MAY_RUN)
        self._buttons["interrupt"].disabled = not (live and role in MAY_RUN)
        self._buttons["restart"].disabled = not (live and role in MAY_RUN)
        self._buttons["save"].disabled = not (live and role in MAY_EDIT)

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, dict) and content.get("a") == "hello":
            self._soon(self._tell_all)

    # ------------------------------------------------------------------ the buttons

    def _button(
        self, text: str, icon: str, act: Callable[[], Coroutine[Any, Any, str]]
    ) -> ipywidgets.Button:
        button = ipywidgets.Button(
            description=text, icon=icon, layout=ipywidgets.Layout(width="auto")
        )
        button.on_click(lambda _: self._soon(lambda: self._begin(act)))
        return button

    def _begin(self, act: Callable[[], Coroutine[Any, Any, str]]) -> None:
        async def do() -> None:
            try:
                text = await act()
            except (RTUError, OSError, TimeoutError) as exc:
                text = str(exc)
            except Exception:
                logger.exception("a button of the status failed")
                text = "that did not work; the log of this kernel says why"
            self._writer.schedule((id(self), "say"), lambda: self._show_words(text))

        self._tasks.spawn(do())

    def _show_words(self, text: str) -> None:
        with contextlib.suppress(Exception):
            self._say.value = f'<span role="status">{html.escape(text)}</span>'

    async def _run_all(self) -> str:
        client = self.session.client
        if client.kernel_state not in READY_STATES:
            await self.session.kernel.launch()
        await client.new_delta_request(m.CellExecuteAll(file_id=client.file_id))
        return ""

    async def _session_id(self) -> Any:
        status = await self.session.kernel.status()
        if status is None:
            raise KernelNotStarted("no remote kernel runs; Run all starts one")
        return status.session_id

    async def _interrupt(self) -> str:
        await self.session.api.interrupt_kernel(await self._session_id())
        return "interrupt sent"

    async def _restart(self) -> str:
        await self.session.api.restart_kernel(await self._session_id())
        return "the kernel restarts; its variables are gone"

    async def _save(self) -> str:
        return f"saved {await files.save(self.session.context)}"

    # ------------------------------------------------------------------ showing and ending

    def static(self) -> str:
        """Return the status as it is now, as HTML that needs nothing else."""
        when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        words = html.escape(" · ".join(self._line.words[1:]))  # whether it is live, it cannot say
        return stand_in(
            "rtu-status-box", "rtu-static-status", f"<small>{words}, as it was on {when}</small>"
        )

    def show(self) -> None:
        """Display the live status, and below it the words that a saved notebook will show."""
        from IPython.display import display as ipython_display

        display: Any = ipython_display
        display_id = f"rtu-status-{uuid4().hex[:12]}"
        self._display_ids.append(display_id)
        display(self)
        display(
            {"text/html": self.static(), "text/plain": repr(self)}, raw=True, display_id=display_id
        )

    def close(self) -> None:
        """End the status: free its callbacks and leave its last words."""
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
        for key in ("send", "end", "say"):
            self._writer.forget((id(self), key))
        with contextlib.suppress(Exception):  # no front end any more: nobody is there to see it
            self._leave_words()
        # anywidget and ipywidgets keep some widgets for good: not with our callbacks in them.
        self._strip.on_msg(self._on_message, remove=True)
        for button in self._buttons.values():
            button._click_handlers.callbacks.clear()
        for widget in (*self._buttons.values(), self._say, self._words, self._strip):
            widget.close()
        super().close()

    def _leave_words(self) -> None:
        from IPython.display import update_display as ipython_update

        update_display: Any = ipython_update
        for display_id in self._display_ids:
            update_display(
                {"text/html": self.static(), "text/plain": repr(self)},
                raw=True,
                display_id=display_id,
            )


def _line_html(line: Line) -> str:
    connection, where, kernel, *rest = (html.escape(part) for part in line.words)
    state = line.kernel_state
    kernel_is = "good" if state == "idle" else "bad" if state in _BAD else "busy"
    if state == "not started":
        kernel_is = "none"
    is_ = "good" if line.connection == "live" else "bad"
    if line.connection in ("connecting", "reconnecting"):
        is_ = "busy"
    parts = [
        f'<span><span class="rtu-status-dot" data-is="{is_}"></span><b>{connection}</b></span>',
        f"<span>{where}</span>",
        f'<span data-kernel="{html.escape(state)}">'
        f'<span class="rtu-status-dot" data-is="{kernel_is}"></span>{kernel}</span>',
        *(
            f'<span class="rtu-status-file" role="alert">{part}</span>'
            if line.file_trouble and part == html.escape(line.file_trouble)
            else f'<span class="rtu-dim">{part}</span>'
            for part in rest
        ),
    ]
    return f'<div class="rtu-status-line" role="status">{"".join(parts)}</div>'
