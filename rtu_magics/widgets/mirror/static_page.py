"""A mirror that stands still: what a saved notebook shows when no kernel feeds it any more."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..picture_size import pixels
from ..standin import stand_in
from .cells import embedded_outputs, type_of
from .outputs import View

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["static_html"]

MAX_LENGTH = 150_000  # characters of the whole
MAX_SOURCE = 10_000
MAX_TEXT = 4_000
MAX_IMAGE = 40_000
MAX_PIXELS = 4_000_000  # of one picture; a few kilobytes can unfold into gigabytes

_ANSI = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]|\x1b\].*?(?:\x07|\x1b\\)")
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

_CODE = (
    "margin:2px 0;padding:5px 9px;border:1px solid rgba(128,128,128,.4);border-radius:5px;"
    "white-space:pre-wrap;font-family:monospace;font-size:12.5px;unicode-bidi:isolate"
)
_TEXT = "margin:2px 9px;white-space:pre-wrap;font-family:monospace;font-size:12px"


def static_html(
    session: Session,
    cells: Iterable[str] | None = None,
    *,
    outputs: Callable[[str], list[View] | None] | None = None,
    mirror_id: str = "",
) -> str:
    """Return the remote notebook as it is now, as HTML that needs nothing else.

    Parameters
    ----------
    session
        The session; its copy of the notebook is read, nothing is asked of the server.
    cells
        The ids of the cells to show; None for all.
    outputs
        Returns a cell's outputs as far as they are known. By default those that the notebook came
        with.
    mirror_id
        The live mirror that this one stands in for.

    Returns
    -------
    str
        No more than some 150,000 characters: of a long notebook, the beginning.
    """
    chosen = None if cells is None else frozenset(cells)
    shown = [c for c in session.client.builder.cells if chosen is None or c.id in chosen]
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    title = html.escape(session.path)
    parts = [
        f'<div data-mirror="{html.escape(mirror_id)}">',
        f'<div style="font-size:12px;opacity:.75">{title} as it was on {when}; '
        f"<code>%rtu_mirror</code> shows it live</div>",
    ]
    length = 0
    for index, cell in enumerate(shown):
        known = outputs(cell.id) if outputs is not None else None
        if known is None and cell.cell_type == "code":
            known = embedded_outputs(cell)
        part = _cell(cell, known or [])
        length += len(part)
        if length > MAX_LENGTH:
            parts.append(f'<div style="{_TEXT}">… {len(shown) - index} more cells</div>')
            break
        parts.append(part)
    parts.append("</div>")
    return stand_in("rtu-mirror", "rtu-static-mirror", "\n".join(parts))


def _cell(cell: Any, outputs: list[View]) -> str:
    source = _clean(cell.source, MAX_SOURCE)
    count = getattr(cell, "execution_count", None)
    if cell.cell_type == "code":
        label = "sql" if type_of(cell) == "sql" else f"[{count if count is not None else ' '}]"
        body = f'<pre style="{_CODE}">{source}</pre>'
    else:
        label = ""
        body = f'<div style="margin:4px 9px;white-space:pre-wrap">{source}</div>'
    shown = "".join(_output(view) for view in outputs[:20])
    if len(outputs) > 20:
        shown += f'<pre style="{_TEXT}">… {len(outputs) - 20} more outputs</pre>'
    return (
        f'<div style="display:flex"><div style="flex:none;width:48px;padding:8px 6px 0 0;'
        f'text-align:right;font:12px monospace;opacity:.75">{label}</div>'
        f'<div style="flex:1;min-width:0">{body}{shown}</div></div>'
    )


def _output(view: View) -> str:
    if view["k"] == "stream":
        return f'<pre style="{_TEXT}">{_clean(view["text"], MAX_TEXT)}</pre>'
    if view["k"] == "error":
        text = _clean(view["tb"] or f"{view['ename']}: {view['evalue']}", MAX_TEXT)
        return f'<pre style="{_TEXT};border-left:3px solid #b3261e;padding-left:6px">{text}</pre>'
    data = view.get("data", {})
    for name in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        value = data.get(name)
        if isinstance(value, str) and len(value) <= MAX_IMAGE:
            safe = re.sub(r"[^A-Za-z0-9+/=]", "", value)
            if not 0 < (pixels(safe) or 0) <= MAX_PIXELS:
                continue
            return f'<img alt="output" style="max-width:100%" src="data:{name};base64,{safe}">'
    text = data.get("text/plain") or data.get("text/markdown") or data.get("text/latex")
    if isinstance(text, str):
        return f'<pre style="{_TEXT}">{_clean(text, MAX_TEXT)}</pre>'
    names = ", ".join((*data, *view.get("omit", ()))) or view.get("foreign", "")
    return f'<pre style="{_TEXT};opacity:.75">[output: {html.escape(names)}]</pre>'


def _clean(text: str, limit: int) -> str:
    """Return text for HTML: escaped, cut, without what a terminal or a bidi algorithm obeys."""
    plain = _ANSI.sub("", text)
    cut = (
        plain if len(plain) <= limit else f"{plain[:limit]}\n… {len(plain) - limit} more characters"
    )
    return html.escape(_HIDDEN.sub("\N{REPLACEMENT CHARACTER}", cut))
