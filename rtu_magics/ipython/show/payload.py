"""What a remote cell's reply asks of its front end, done here as a local one does it.

Help (``len?``, R's ``?mean``) goes to this front end's pager; code for the next cell (``%load``,
``%recall``) goes into a cell that runs it remotely again. Nothing that would end this kernel, or
open a file of the other machine, is done: a line says what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...foreign import shown
from .bundles import filter_bundle

if TYPE_CHECKING:
    from ...session import Session
    from ...session.events import PayloadReceived

__all__ = ["show_payload"]

_CELL = re.compile(r"\s--cell[ =]\S+")


def show_payload(
    shell: Any,
    session: Session,
    event: PayloadReceived,
    say: Callable[[str], None],
    header: str | None = None,
) -> None:
    """Do what a payload asks.

    Parameters
    ----------
    shell
        The shell of the calling cell.
    session, event
        What ran, and what its reply asks.
    say
        Prints a line.
    header
        The first line of a calling cell that holds the remote cell's code, empty if it is nothing
        but that code; None if the calling cell only names the remote cell.
    """
    for item in event.payload:
        source = str(item.get("source", ""))
        if source == "page":
            _page(shell, session, item)
        elif source == "set_next_input":
            _next_input(shell, session, event.cell_id, item, header)
        elif source in ("edit", "edit_magic"):
            where = shown(item.get("filename", ""), width=200)
            say(f"the remote cell asks to edit {where}, a file of the remote machine")
        elif source == "ask_exit":
            say("the remote cell asked its kernel to end; this one goes on")
        else:
            name = shown(source, width=60)
            say(f"the remote cell asks its front end for {name!r}, which is not done here")


def _page(shell: Any, session: Session, item: dict[str, Any]) -> None:
    data = filter_bundle(dict(item.get("data") or {}), trusted=session.trusts_outputs)
    text = shown(data.get("text/plain", ""), lines=True, colours=True)
    start = int(item.get("start") or 0)
    manager = getattr(shell, "payload_manager", None)
    if manager is not None and hasattr(shell, "kernel"):
        page = {"source": "page", "data": {**data, "text/plain": text}, "start": start}
        manager.write_payload(page)
    else:
        from IPython.core.page import page as show_page

        show_page(text, start)


def _next_input(
    shell: Any, session: Session, cell_id: str, item: dict[str, Any], header: str | None
) -> None:
    text, replace = str(item.get("text", "")), bool(item.get("replace"))
    if not session.trusts_outputs:
        text = shown(text, lines=True)  # code that reads other than it runs
    if header:
        header = f"{header if replace else _CELL.sub('', header)}\n"
    elif header is None:
        # The calling cell does not hold what is to be replaced: the remote cell does.
        header = f"%%rtu_edit {cell_id}\n" if replace and cell_id else "%%rtu_exec\n"
        replace = False
    shell.set_next_input(f"{header}{text}", replace=replace)
