"""Mimebundles: what a notebook file may hold, and the one content that the protocol shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..models import OutputContent

__all__ = [
    "best_mimetype",
    "bundle_content",
    "is_binary",
    "is_json_mimetype",
    "mime_text",
    "valid_bundle",
]

_JSON_MIMETYPE = re.compile(r"application/(.*\+)?json")  # as in the nbformat 4.5 schema
_TEXT_IMAGES = frozenset({"image/svg+xml"})

_PREFERENCE = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "text/latex",
    "application/json",
    "text/plain",
)


def best_mimetype(data: Mapping[str, Any]) -> str:
    """Return the richest mimetype of a bundle that every viewer can show.

    Parameters
    ----------
    data
        Values by mimetype. Of types that we do not know the first is taken, unless there is plain
        text beside it.

    Examples
    --------
    >>> best_mimetype({"text/plain": "<Figure>", "image/png": "iVBORw0KGgo="})
    'image/png'
    """
    for mimetype in _PREFERENCE:
        if mimetype in data:
            return mimetype
    return next(iter(data), "text/plain")


def is_binary(mimetype: str) -> bool:
    """Return whether a bundle holds the type in base64 (Jupyter messaging protocol)."""
    main = mimetype.partition("/")[0]
    if main in ("image", "audio", "video", "font"):
        return mimetype not in _TEXT_IMAGES
    return mimetype in ("application/pdf", "application/octet-stream")


def is_json_mimetype(mimetype: str) -> bool:
    """Return whether a bundle holds the type as JSON (nbformat 4.5 schema)."""
    return _JSON_MIMETYPE.fullmatch(mimetype) is not None


def mime_text(value: Any) -> str:
    r"""Return a bundle's value as one string: lines joined, JSON dumped.

    Examples
    --------
    >>> mime_text(["a\n", "b"]), mime_text({"a": 1})
    ('a\nb', '{"a": 1}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def bundle_content(
    data: Mapping[str, Any],
    link: Callable[[str], str | None] | None = None,
    *,
    max_inline: int = 256 * 1024,
) -> OutputContent:
    """Choose the one representation of a mimebundle that the RTU protocol shows.

    Parameters
    ----------
    data
        Values by mimetype.
    link
        Returns a URL for a mimetype of this bundle, None if it has none. Without it everything is
        inline.
    max_inline
        The longest text that stays inline, in characters; anything longer, and everything binary,
        goes by link.

    Examples
    --------
    >>> bundle_content({"text/plain": "4"})
    OutputContent(mimetype='text/plain', raw='4', url=None)
    """
    mimetype = best_mimetype(data)
    raw = mime_text(data.get(mimetype, ""))
    if link is not None and (is_binary(mimetype) or len(raw) > max_inline):
        url = link(mimetype)
        if url is not None:
            return OutputContent(mimetype=mimetype, url=url)
    return OutputContent(mimetype=mimetype, raw=raw)


def valid_bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle that nbformat accepts: text where it wants text, JSON as it is.

    Examples
    --------
    >>> valid_bundle({"text/plain": 4, "application/json": {"a": 1}})
    {'text/plain': '4', 'application/json': {'a': 1}}
    """
    return {
        str(mimetype): value
        if isinstance(value, str) or is_json_mimetype(mimetype)
        else mime_text(value)
        for mimetype, value in data.items()
    }
