"""A remote output in the form that the mirror's front end takes.

Only what is shown goes there: of a mimebundle the preferred entry and the plain text, of a long
stream its two ends. Larger entries are named with their length and sent on their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...models import CellOutput, Output

__all__ = [
    "MAX_ENTRY",
    "MAX_INLINE",
    "bundle",
    "entry_text",
    "from_notebook",
    "from_run",
    "grow_stream",
    "preferred",
    "size_of",
]

MAX_INLINE = 48_000  # characters of one entry that go along with everything else
MAX_ENTRY = 16_000_000  # characters of one entry that are sent at all
STREAM_LIMIT = 120_000  # characters of a stream that are kept
STREAM_HEAD = 20_000
STREAM_TAIL = 60_000
TRACEBACK_LIMIT = 60_000

_PREFERRED = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "application/json",
    "application/geo+json",
)
# Shown by a note; the front end need not be given them.
_NEVER = ("application/vnd.jupyter.widget-view+json", "application/javascript")

View = dict[str, Any]


def entry_text(value: Any) -> str:
    """Return an entry of a mimebundle as text: lists of lines joined, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return json.dumps(value)


def preferred(names: Mapping[str, Any]) -> str | None:
    """Return the mimetype to show of a bundle, apart from plain text.

    Examples
    --------
    >>> preferred({"text/plain": "x", "image/png": "…", "text/latex": "$x$"})
    'text/latex'
    """
    html = names.get("text/html")
    if isinstance(html, str) and "<script" in html.lower():
        # Interactive plots come with a picture beside the script that would draw them.
        picture = next((n for n in _PREFERRED if n.startswith("image/") and n in names), None)
        if picture is not None:
            return picture
    found = next((name for name in _PREFERRED if name in names), None)
    if found is None:
        others = [n for n in names if n not in _NEVER and n != "text/plain"]
        found = next((n for n in others if n.endswith("+json") or n.startswith("text/")), None)
    return found


def from_run(output: Output) -> View:
    """Return an output of a run."""
    made: View = {"id": str(output.id)}
    if output.type == "stream":
        content = output.content
        text = content.raw if content is not None and content.raw is not None else ""
        made |= {"k": "stream", "name": output.stream_name or "stdout", "text": ""}
        return grow_stream(made, text)
    if output.type == "error":
        return made | _error(output.ename, output.evalue, output.traceback)
    data = dict(output.data or {})
    links = dict(output.links or {})
    content = output.content
    if not data and not links and content is not None:  # another server's
        if content.raw is not None:
            data[content.mimetype] = content.raw
        elif content.url is not None:
            links[content.mimetype] = content.url
    kind = "result" if output.type == "execute_result" else "data"
    return made | {"k": kind} | bundle(data, output.metadata or {}, links)


def from_notebook(index: int, output: CellOutput) -> View:
    """Return an output that the notebook came with."""
    made: View = {"id": f"e{index}"}
    if output.output_type == "stream":
        return grow_stream(made | {"k": "stream", "name": output.name, "text": ""}, output.text)
    if output.output_type == "error":
        return made | _error(output.ename, output.evalue, output.traceback)
    kind = "result" if output.output_type == "execute_result" else "data"
    return made | {"k": kind} | bundle(output.data, output.metadata, {})


def grow_stream(view: View, text: str) -> View:
    """Add text to a stream, of which the middle is dropped when it grows long."""
    whole = view["text"] + text
    if len(whole) > STREAM_LIMIT:
        view["cut"] = view.get("cut", 0) + len(whole) - STREAM_HEAD - STREAM_TAIL
        whole = whole[:STREAM_HEAD] + whole[-STREAM_TAIL:]
    view["text"] = whole
    return view


def _error(ename: str | None, evalue: str | None, traceback: list[str] | None) -> View:
    text = "\n".join(traceback or ())
    if len(text) > TRACEBACK_LIMIT:
        text = f"{text[: TRACEBACK_LIMIT // 2]}\n…\n{text[-TRACEBACK_LIMIT // 2 :]}"
    return {"k": "error", "ename": ename or "", "evalue": (evalue or "")[:2000], "tb": text}


def bundle(data: Mapping[str, Any], metadata: Mapping[str, Any], links: Mapping[str, str]) -> View:
    """Return what is shown of a mimebundle, some of whose entries may come by link."""
    shown = preferred({**links, **data})
    kept: dict[str, Any] = {}
    omitted: dict[str, int] = {}
    for name in (shown, "text/plain"):
        if name is None:
            continue
        if name in data:
            value = data[name]
            text = entry_text(value)
            if len(text) <= MAX_INLINE:
                kept[name] = value if name.endswith("json") else text
            elif name == "text/plain" and shown is not None:
                continue  # only the fallback of what is shown
            else:
                omitted[name] = len(text)
        elif name in links:
            omitted[name] = -1  # its length is not known before it is fetched
    view: View = {"data": kept}
    foreign = next((name for name in _NEVER if name in data or name in links), None)
    if shown is None and not kept and not omitted and foreign is None:
        foreign = next(iter((*data, *links)), "")
    if foreign is not None and shown is None:
        view["foreign"] = foreign  # the front end says why it is not shown
    if omitted:
        view["omit"] = omitted
    about = metadata.get(shown) if shown is not None else None
    if isinstance(about, dict):
        view["meta"] = {shown: {k: about[k] for k in ("width", "height", "alt") if k in about}}
    return view


def size_of(views: list[View]) -> int:
    """Return about how many characters outputs take on their way."""
    total = 0
    for view in views:
        total += 80 + len(view.get("text", "")) + len(view.get("tb", ""))
        total += sum(len(entry_text(value)) for value in view.get("data", {}).values())
    return total
