"""Which remote cell a cell of this notebook made: running it again runs that one again."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import CellNotFound

if TYPE_CHECKING:
    from ..session import Session

__all__ = ["Calling", "calling_cell", "put_cell"]


@dataclass(frozen=True)
class Calling:
    """The cell of this notebook that runs, as its front end names it.

    Attributes
    ----------
    cell_id
        The front end's id of it, the same whenever it runs.
    request_id
        Of this one time.
    """

    cell_id: str
    request_id: str


@dataclass
class _Made:
    by_cell: dict[str, tuple[str, str]] = field(default_factory=dict)
    by_text: dict[str, str] = field(default_factory=dict)


_made: weakref.WeakKeyDictionary[Session, _Made] = weakref.WeakKeyDictionary()


def calling_cell(shell: Any) -> Calling | None:
    """Return the calling cell, None where the front end does not say (a terminal never does).

    JupyterLab, Notebook and VS Code put ``cellId`` into the metadata of an execute request; IPython
    9.16 hands the same on as ``cell_meta``.
    """
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if get_parent is not None else None
    if not isinstance(parent, dict):
        return None
    cell_id = (parent.get("metadata") or {}).get("cellId")
    request_id = (parent.get("header") or {}).get("msg_id")
    if not isinstance(cell_id, str) or not cell_id or not isinstance(request_id, str):
        return None
    return Calling(cell_id, request_id)


def put_cell(shell: Any, session: Session, source: str, say: Callable[[str], object]) -> str:
    """Put a text into the remote cell that the calling cell made before, or else a new one.

    Parameters
    ----------
    shell
        The IPython shell.
    session
        Where to.
    source
        The text.
    say
        Called with one line where the same text is a cell already and nobody knows whose.

    Returns
    -------
    str
        The remote cell's id.
    """
    made = _made.setdefault(session, _Made())
    calling = calling_cell(shell)
    if calling is None:
        twin = _still_there(session, made.by_text.get(source))
        cell_id = made.by_text[source] = session.add(source).id
        if twin is not None:
            say(
                f"note: this text made cell {twin} before, and another cell now; "
                f"%rtu_exec {twin.partition(' ')[0]} runs that one again"
            )
        return cell_id
    before = made.by_cell.get(calling.cell_id)
    # A loop in one cell makes a cell each time.
    if before is not None and before[1] != calling.request_id:
        try:
            cell_id = session.edit(before[0], source).id
        except CellNotFound:
            pass  # somebody deleted it
        else:
            made.by_cell[calling.cell_id] = (cell_id, calling.request_id)
            return cell_id
    cell_id = session.add(source).id
    made.by_cell[calling.cell_id] = (cell_id, calling.request_id)
    return cell_id


def _still_there(session: Session, cell_id: str | None) -> str | None:
    """Return how people name a cell, None if there is none."""
    if cell_id is None:
        return None
    try:
        return session.label(session.resolve(cell_id))
    except CellNotFound:
        return None
