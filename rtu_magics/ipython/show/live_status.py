"""The status in a terminal, updating in its place until Ctrl-C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ...errors import ClientClosed
from ...foreign import shown
from ...widgets.status.state import Strip, line_of

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["picture", "watch"]

_SIGNS = {
    "idle": ("○", "dim"),
    "text": ("·", "dim"),
    "queued": ("◔", "yellow"),
    "running": ("◑", "bold yellow"),
    "asking": ("?", "bold yellow"),
    "done": ("●", "green"),
    "failed": ("✗", "bold red"),
}
_COLOURS = {"live": "green", "idle": "green", "busy": "yellow", "reconnecting": "yellow"}


def picture(session: Session) -> Group:
    """Return what is shown now."""
    line = line_of(session)
    strip = Strip(session).whole()["cells"]
    table = Table.grid(padding=(0, 2))
    connection, where, kernel, *rest = map(shown, line.words)
    table.add_row("connection", Text(connection, _COLOURS.get(line.connection, "red")))
    table.add_row("notebook", Text(where))
    table.add_row(
        "kernel", Text(kernel.removeprefix("kernel "), _COLOURS.get(line.kernel_state, ""))
    )
    for words in rest:
        if words == line.file_trouble:
            table.add_row("file", Text(words, "bold red"))
        else:
            table.add_row("", Text(words, "dim"))
    marks = Text()
    for _, mark, *_rest in strip:
        sign, style = _SIGNS.get(mark, _SIGNS["idle"])
        marks.append(f"{sign} ", style)
    table.add_row("cells", marks)
    return Group(table, Text("Ctrl-C ends this; the session stays", "dim"))


def watch(session: Session) -> None:
    """Show a session's status until Ctrl-C, or until the session ends."""

    async def drawn() -> Group:
        return picture(session)

    with Live(picture(session), refresh_per_second=4, transient=False) as live:
        try:
            while session.open:
                time.sleep(0.25)
                live.update(session.call(drawn()))
        except (KeyboardInterrupt, ClientClosed):  # also just while it is asked
            return
