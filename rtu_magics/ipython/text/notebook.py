"""Sessions, cells and outputs as text, fit to be shown. Pure: strings in, strings out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...foreign import shown
from ...models import FINISHED_STATES
from ...session.execution.end_words import end_word

if TYPE_CHECKING:
    from uuid import UUID

    from ...models import File
    from ...session import CellView, Session, SessionStatus

__all__ = [
    "cell_labels",
    "cell_table",
    "cell_text",
    "conflict",
    "notebook_table",
    "output_text",
    "session_table",
    "status_text",
    "table",
]

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_STATE_WORDS = {
    "": "",
    "not_run": "",
    "queued": "queued",
    "executing": "running",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as columns of text; whatever stands in them is shown as text in one line.

    Examples
    --------
    >>> print(table(["#", "text"], [["1", "one"], ["10", "ten"]]))
    #   text
    1   one
    10  ten
    """
    lines = [list(head), *([shown(text) for text in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def first_line(source: str, width: int = 60) -> str:
    r"""Return the first line of a text that holds anything, shortened.

    Examples
    --------
    >>> first_line("\n\nimport numpy\nx = 1")
    'import numpy …'
    """
    lines = [line for line in source.splitlines() if line.strip()]
    if not lines:
        return ""
    text = " ".join(shown(lines[0]).split())
    more = len(lines) > 1
    if len(text) > width:
        text, more = text[: width - 2], True
    return f"{text} …" if more else text


def state_word(view: CellView) -> str:
    """Return a cell's state in a word, with its count: ``ok [3]``."""
    word = _STATE_WORDS.get(view.state_name, view.state_name)
    if view.state is not None and view.state.waiting_for_input:
        word = "waits for input"
    elif view.state is not None and view.state.state in FINISHED_STATES:
        word = end_word(view.state)
        if view.is_outdated:
            word += ", changed since"
    count = view.execution_count
    return f"{word} [{count}]".strip() if count is not None else word


def cell_labels(views: Sequence[CellView]) -> Callable[[str], str]:
    """Return a function from a cell's id to how people name it; cells that are gone go by id."""
    labels = {view.id: f"{view.position} ({shown(view.short_id)})" for view in views}
    return lambda cell_id: labels.get(cell_id, shown(cell_id[:8]))


def cell_table(views: Sequence[CellView]) -> str:
    """Return a notebook's cells as a table."""
    if not views:
        return "the notebook has no cells yet; %%rtu_add adds one"
    rows = [
        [str(v.position), v.short_id, v.type_name, state_word(v), first_line(v.cell.source)]
        for v in views
    ]
    return table(["#", "id", "type", "state", "source"], rows)


def status_text(status: SessionStatus) -> str:
    """Return a session's status in a few lines."""
    kernel = status.kernel_state.replace("_", " ")
    if status.kernel_name is not None and kernel != "not started":
        kernel = f"{status.kernel_name}, {kernel}"
    cells = "" if status.cells is None else str(status.cells)
    if status.running:
        numbers = ", ".join(str(v.position) for v in status.running)
        cells += f", running or queued: {numbers}"
    if status.failed:
        cells += f", failed: {', '.join(str(v.position) for v in status.failed)}"
    if status.not_run:
        cells += f", not run: {', '.join(str(v.position) for v in status.not_run)}"
    if status.outdated:
        cells += f", changed since they ran: {', '.join(str(v.position) for v in status.outdated)}"
    if status.cells is None:
        cells = "not known while the connection is lost"
    lines = [
        f"session     {status.name}",
        f"notebook    {status.path} at {status.server_url}",
        f"connection  {status.connection}",
        f"kernel      {kernel}",
        f"cells       {cells}",
        *([f"file        {status.file_trouble}"] if status.file_trouble else []),
        *([f"your role   {status.role}"] if status.role not in (None, "owner") else []),
    ]
    return "\n".join(map(shown, lines))


def session_table(sessions: Sequence[Session]) -> str:
    """Return the open sessions as a table, the default one marked."""
    if not sessions:
        return "no session is open; %rtu_connect opens one"
    rows = [
        [
            "*" if session is sessions[-1] else "",
            session.name,
            session.path,
            session.context.lives_at,
            session.connection,
            session.client.kernel_state.replace("_", " "),
            time.strftime("%H:%M", time.localtime(session.opened_at)),
        ]
        for session in sessions
    ]
    head = ["", "name", "notebook", "server", "connection", "kernel", "since"]
    return table(head, rows)


def notebook_table(files: Sequence[File], open_as: Mapping[UUID, str]) -> str:
    """Return notebooks as a table, with the sessions that are open on them."""
    if not files:
        return "there are no notebooks; %rtu_new PATH makes one"
    return table(["notebook", "session"], [[f.path, open_as.get(f.id, "")] for f in files])


def cell_text(session: Session, ref: str | int) -> str:
    """Return a cell with its source and outputs as text; from then on it counts as seen."""
    cell = session.cell(ref)
    head = f"# cell {session.label(cell.id)}, {cell.cell_type}"
    lines = [shown(head), shown(cell.source, lines=True)]
    outputs = session.outputs(cell.id)
    if outputs:
        lines.append("# outputs")
    lines += [output_text(output).rstrip("\n") for output in outputs]
    return "\n".join(lines)


def output_text(output: Any, *, colour: bool = True) -> str:
    """Return an output as text: of a run (`Output`), or one that the notebook came with.

    Parameters
    ----------
    output
        The output.
    colour
        Whether a traceback keeps its colours.
    """
    kind = getattr(output, "type", None) or output.output_type
    if kind == "stream":
        text = getattr(output, "text", None)
        if text is None:
            content = output.content
            text = content.raw if content and content.raw is not None else _linked(content)
        return _overprinted(str(text))
    if kind == "error":
        text = "\n".join(output.traceback or [f"{output.ename}: {output.evalue}"])
        return shown(text, lines=True, colours=True) if colour else _uncoloured(text)
    data = output.data or {}
    if not data and getattr(output, "content", None) is not None:
        content = output.content
        data = {content.mimetype: content.raw if content.raw is not None else _linked(content)}
    if "text/plain" in data:
        others = [mimetype for mimetype in data if mimetype != "text/plain"]
        more = f"  [also {', '.join(others)}]" if others else ""
        return f"{shown(_joined(data['text/plain']), lines=True, colours=colour)}{shown(more)}"
    return shown(f"[{', '.join(data) or 'empty output'}]")


def _overprinted(text: str) -> str:
    """Return a stream's text as a terminal leaves it: a progress bar is its last state."""
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.replace("\r\n", "\n").split("\n"))
    return shown(text, lines=True, colours=True)


def _last_state(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


def _uncoloured(text: str) -> str:
    return shown(_COLOURS.sub("", text), lines=True)


def _joined(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _linked(content: Any) -> str:
    return f"[long output: {content.url}]" if content is not None and content.url else ""


def conflict(label: str, mine: str, theirs: str) -> str:
    """Return both texts of an edit that cannot be merged."""
    return "\n".join(
        [
            shown(f"──── cell {label} as it is now ────"),
            shown(theirs, lines=True),
            "──── your text, not sent ────",
            shown(mine, lines=True),
            "────────────────────",
        ]
    )
