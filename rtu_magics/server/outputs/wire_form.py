"""One output in its three shapes: as stored, as the protocol shows it, as one content by link."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from ...document import RunOutput, bundle_content, mime_text
from ...models import Output, OutputContent
from ..wire.frames import LINK_BASE

__all__ = [
    "MAX_EVENT_INLINE",
    "MAX_REST_INLINE",
    "STORED_BASE",
    "STREAM_PIECE",
    "LinkMaker",
    "body_of",
    "from_body",
    "from_stored",
    "pieces",
    "representation",
    "split_bundle",
    "when",
    "wire_output",
]

LinkMaker = Callable[[UUID, str], str]
"""From an output's id and a mimetype to a signed link to that content."""

STREAM_PIECE = 128 * 1024
"""Characters of text in one event; escaped in JSON, each may take six bytes."""

STORED_BASE = "\ue000rtu\ue001"
"""How `LINK_BASE`, which is another one in each process, is written in the store."""

MAX_EVENT_INLINE = 256 * 1024
MAX_REST_INLINE = 1024 * 1024
_MAX_EVALUE = 20_000
_MAX_TRACEBACK = 200_000

_DISPLAY_KEYS = frozenset({"output_type", "data", "metadata", "transient"})
_KNOWN = {
    "stream": frozenset({"output_type", "name", "text"}),
    "error": frozenset({"output_type", "ename", "evalue", "traceback"}),
    "execute_result": _DISPLAY_KEYS | {"execution_count"},
}
_ERROR_MIMETYPE = "application/vnd.rtu.error"


def when(seconds: float) -> datetime:
    """Return a stored time as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def body_of(output: RunOutput) -> dict[str, Any]:
    """Return an output as it is stored; a stream's text is stored apart."""
    if output.output_type == "stream":
        return {**output.unknown, "output_type": "stream", "name": output.name, "text": ""}
    if output.output_type == "error":
        return {
            **output.unknown,
            "output_type": "error",
            "ename": output.ename,
            "evalue": output.evalue,
            "traceback": output.traceback,
        }
    body = {
        **output.unknown,
        "output_type": output.output_type,
        "data": output.data,
        "metadata": output.metadata,
        "transient": output.transient,
    }
    if output.output_type == "execute_result":
        body["execution_count"] = output.execution_count
    return body


def from_body(body: Mapping[str, Any]) -> RunOutput:
    """Return an output from how it is stored, or how a notebook file holds it."""
    kind = str(body["output_type"])
    known = _KNOWN.get(kind, _DISPLAY_KEYS)
    unknown = {key: value for key, value in body.items() if key not in known}
    if unknown.get("execution_count", ...) is None:
        del unknown["execution_count"]  # stored with every display once
    if kind == "stream":
        return RunOutput(
            kind,
            name=str(body.get("name", "stdout")),
            _chunks=[body.get("text", "")],
            unknown=unknown,
        )
    if kind == "error":
        return RunOutput(
            kind,
            ename=str(body.get("ename", "")),
            evalue=str(body.get("evalue", "")),
            traceback=list(body.get("traceback") or ()),
            unknown=unknown,
        )
    return RunOutput(
        kind,
        data=dict(body.get("data") or {}),
        metadata=dict(body.get("metadata") or {}),
        transient=dict(body.get("transient") or {}),
        execution_count=body.get("execution_count") if kind == "execute_result" else None,
        unknown=unknown,
    )


def from_stored(body: dict[str, Any]) -> RunOutput:
    """Return an output from its stored body, with the whole of its text in it."""
    if body["output_type"] == "stream":
        body["text"] = body["text"].replace(STORED_BASE, LINK_BASE)
    return from_body(body)


def split_bundle(
    data: Mapping[str, Any], link: Callable[[str], str], limit: int
) -> tuple[dict[str, Any], OutputContent, dict[str, str]]:
    """Split a bundle into what goes inline, the content to show, and links to the rest."""
    inline: dict[str, Any] = {}
    links: dict[str, str] = {}
    left = 2 * limit
    for mimetype, value in data.items():
        size = len(value) if isinstance(value, str) else len(mime_text(value))
        if size <= limit and size <= left:
            inline[mimetype] = value
            left -= size
        else:
            links[mimetype] = link(mimetype)
    content = bundle_content(data, link, max_inline=limit)
    return inline, content, links


def representation(output: RunOutput, mimetype: str) -> str | None:
    """Return an output's content in one mimetype as text (base64 for binary ones), or None."""
    if output.output_type == "stream":
        return output.text if mimetype == f"application/vnd.rtu.{output.name}" else None
    if output.output_type == "error":
        return json.dumps(body_of(output)) if mimetype == _ERROR_MIMETYPE else None
    return mime_text(output.data[mimetype]) if mimetype in output.data else None


def wire_output(
    output: RunOutput,
    output_id: UUID,
    collection_id: UUID,
    link: LinkMaker,
    limit: int,
    *,
    created_at: float,
    updated_at: float,
    text: str | None = None,
    execution_id: UUID | None = None,
    cell_id: str | None = None,
) -> Output:
    """Return an output as the protocol shows it.

    Parameters
    ----------
    output, output_id, collection_id, execution_id, cell_id, created_at, updated_at
        What it is.
    link
        Makes links for what does not go inline.
    limit
        The longest text that goes inline, in characters.
    text
        For a stream, the piece to show instead of the whole.
    """
    extra: dict[str, Any] = {}
    if output.output_type == "stream":
        mimetypes = [f"application/vnd.rtu.{output.name}"]
        shown = output.text if text is None else text
        if text is None and len(shown) > limit:
            content = OutputContent(mimetype=mimetypes[0], url=link(output_id, mimetypes[0]))
        else:
            content = OutputContent(mimetype=mimetypes[0], raw=shown)
        extra["stream_name"] = output.name
    elif output.output_type == "error":
        mimetypes = [_ERROR_MIMETYPE]
        evalue = _clip(output.evalue, _MAX_EVALUE)
        content = OutputContent(mimetype=_ERROR_MIMETYPE, raw=f"{output.ename}: {evalue}")
        extra.update(ename=output.ename, evalue=evalue, traceback=_clip_lines(output.traceback))
    else:
        mimetypes = list(output.data)
        data, content, links = split_bundle(output.data, lambda m: link(output_id, m), limit)
        extra.update(data=data, metadata=output.metadata, transient=output.transient)
        if links:
            extra["links"] = links
        if output.execution_count is not None:
            extra["execution_count"] = output.execution_count
    return Output(
        id=output_id,
        created_at=when(created_at),
        updated_at=when(updated_at),
        type=output.output_type,
        available_mimetypes=mimetypes,
        content_metadata=OutputContent(mimetype=content.mimetype, url=content.url),
        content=content,
        parent_collection_id=collection_id,
        display_id=output.display_id,
        execution_id=execution_id,
        cell_id=cell_id,
        **extra,
    )


def pieces(text: str) -> Iterator[str]:
    """Cut text into pieces for events, never within what becomes the address of a link."""
    start = 0
    while start < len(text):
        end = start + STREAM_PIECE
        at = text.find(LINK_BASE, end - len(LINK_BASE), end + len(LINK_BASE))
        if 0 <= at < end < at + len(LINK_BASE):
            end = at
        yield text[start:end]
        start = end


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _clip_lines(lines: list[str]) -> list[str]:
    left, kept = _MAX_TRACEBACK, []
    for line in lines:
        if len(line) > left:
            kept.append(_clip(line, left))
            break
        left -= len(line)
        kept.append(line)
    return kept
