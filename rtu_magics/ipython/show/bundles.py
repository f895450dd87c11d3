"""What of a remote mimebundle is shown in the calling cell, and in what form.

A front end trusts what a cell of its user's puts out. What a remote cell puts out is its user's own
only where the session's outputs are trusted (`Session.trusts_outputs`); everything else is shown by
the rules of `harmless`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html import escape
from typing import Any

from ...foreign import shown
from ...foreign_html import LONGEST, cleaned, without_tex_links

__all__ = ["DROPPED_MIMETYPES", "filter_bundle", "filter_metadata", "harmless", "wanted"]

DROPPED_MIMETYPES = (
    "application/vnd.jupyter.widget-view+json",  # the widget's model lives in the other kernel
    "application/javascript",  # remote scripts are not trusted, whoever wrote them
    "application/ecmascript",
    "application/x-javascript",
    "text/javascript",
    "text/ecmascript",
)

_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_HARMLESS = (
    "text/plain",
    "text/html",
    "text/markdown",
    "text/latex",
    "image/svg+xml",
    "application/json",
    *_PICTURES,
)
_SIZES = ("width", "height")


def filter_bundle(data: dict[str, Any], *, trusted: bool = True) -> dict[str, Any]:
    """Return a mimebundle without what must not or cannot be shown here.

    Parameters
    ----------
    data
        The bundle: values by mimetype.
    trusted
        Whether whoever made it may run scripts in the reader's page, by HTML.

    Examples
    --------
    >>> filter_bundle({"application/javascript": "alert(1)", "text/plain": "<JS>"})
    {'text/plain': '<JS>'}
    >>> filter_bundle({"application/javascript": "alert(1)"})
    {'text/plain': '[application/javascript of the remote cell is not shown here]'}
    >>> filter_bundle({"text/html": "<b onclick='x()'>b</b>"}, trusted=False)
    {'text/html': '<b>b</b>'}
    """
    if not trusted:
        return harmless(data)
    kept = {
        mimetype: value for mimetype, value in data.items() if mimetype not in DROPPED_MIMETYPES
    }
    dropped = [mimetype for mimetype in data if mimetype in DROPPED_MIMETYPES]
    if dropped and not kept:
        kept["text/plain"] = f"[{dropped[0]} of the remote cell is not shown here]"
    return kept


def filter_metadata(metadata: dict[str, Any], *, trusted: bool = True) -> dict[str, Any]:
    """Return a bundle's metadata; where it is not trusted, only how large pictures are."""
    if trusted:
        return metadata
    kept: dict[str, Any] = {}
    for mimetype in _PICTURES:
        about = metadata.get(mimetype)
        if isinstance(about, dict):
            sizes = {k: about[k] for k in _SIZES if isinstance(about.get(k), int | float)}
            kept |= {mimetype: sizes} if sizes else {}
    return kept


def wanted(mimetype: str, *, trusted: bool = True) -> bool:
    """Return whether an entry of a bundle may be shown at all."""
    return mimetype not in DROPPED_MIMETYPES if trusted else mimetype in _HARMLESS


def harmless(data: dict[str, Any]) -> dict[str, Any]:
    r"""Return what a mimebundle says, without what runs, loads, or reaches beyond its place.

    HTML and markdown are built anew (`rtu_magics.foreign_html`); a drawing becomes a picture, in
    which no script runs; TeX that links becomes text. Everything else that a front end hands to a
    renderer of its own (plots of plotly and vega, which fetch data, maps, documents, widgets) is
    left out: the picture or the text beside it is shown.

    Examples
    --------
    >>> harmless({"text/latex": r"\href{javascript:x()}{y}"})
    {'text/plain': '\\href{javascript:x()}{y}'}
    >>> harmless({"application/x": {}})["text/plain"]
    '[application/x is shown where outputs are trusted: %rtu_config trust_outputs on]'
    """
    kept: dict[str, Any] = {}
    for mimetype in _HARMLESS:
        value = data.get(mimetype)
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "".join(value)
        if value is not None:
            _FORMS[mimetype](value, kept) if mimetype in _FORMS else _keep(mimetype, value, kept)
    if not kept:
        names = ", ".join(shown(mimetype, width=100) for mimetype in data) or "an empty output"
        kept["text/plain"] = (
            f"[{names} is shown where outputs are trusted: %rtu_config trust_outputs on]"
        )
    return kept


def _keep(mimetype: str, value: Any, kept: dict[str, Any]) -> None:
    """Keep a picture, or JSON, which front ends show as a tree."""
    if mimetype == "application/json" or (isinstance(value, str) and _BASE64.fullmatch(value)):
        kept[mimetype] = value


def _plain(value: Any, kept: dict[str, Any]) -> None:
    kept["text/plain"] = shown(value, lines=True, colours=True)


def _html(value: Any, kept: dict[str, Any]) -> None:
    if isinstance(value, str) and len(value) <= LONGEST:
        clean = cleaned(value)
        if clean.strip():
            kept["text/html"] = clean


def _markdown(value: Any, kept: dict[str, Any]) -> None:
    if isinstance(value, str) and len(value) <= LONGEST and "text/html" not in kept:
        from markdown_it import MarkdownIt

        rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(value)
        kept["text/html"] = cleaned(rendered)


def _latex(value: Any, kept: dict[str, Any]) -> None:
    if not isinstance(value, str):
        return
    if without_tex_links(value):
        kept["text/latex"] = shown(value, lines=True)
    else:
        kept["text/plain"] = shown(value, lines=True)


def _drawing(value: Any, kept: dict[str, Any]) -> None:
    if isinstance(value, str) and len(value) <= LONGEST and "text/html" not in kept:
        text = base64.b64encode(value.encode("utf-8", "replace")).decode()
        alt = escape(shown(kept.get("text/plain", "a drawing"), width=200))
        kept["text/html"] = f'<img src="data:image/svg+xml;base64,{text}" alt="{alt}">'


_FORMS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "text/plain": _plain,
    "text/html": _html,
    "text/markdown": _markdown,
    "text/latex": _latex,
    "image/svg+xml": _drawing,
}
