"""Outputs of remote cells and the collections that hold them.

An `Output` shows one content, as the RTU protocol has it. The keys from ``data`` on are ours: they
carry the whole output of the Jupyter messaging protocol beside it, and other clients ignore them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from .base import Model, Resource
from .brief import brief_repr, bundle_repr

__all__ = ["Output", "OutputCollection", "OutputContent"]


def _none(value: Any) -> bool:
    return value is None


def _empty(value: Any) -> bool:
    return not value


class OutputContent(Model):
    """One representation of an output: inline (``raw``, a string) or by link (``url``)."""

    mimetype: str
    raw: str | None = None
    url: str | None = None


class Output(Resource):
    """One output of a run.

    Attributes
    ----------
    type
        ``stream``, ``execute_result``, ``display_data`` or ``error``.
    available_mimetypes
        The mimetypes of the bundle. A stream's is ``application/vnd.rtu.stdout`` or ``….stderr``;
        an error's is ``application/vnd.rtu.error``.
    content, content_metadata
        The best representation; ``content_metadata`` is the same without the content.
    parent_collection_id
        The collection it belongs to.
    display_id
        The id that later ``update_display_data`` messages name.
    stream_name
        ``stdout`` or ``stderr`` for streams.
    continues
        In an ``append_output_event``: the content is the next piece of the text of the output with
        this id, which is the last of its collection.
    data, metadata, transient, execution_count, ename, evalue, traceback
        As in the Jupyter messaging protocol.
    links
        Where the entries of the bundle are that are too large to stand in ``data``, by mimetype.
    execution_id, cell_id
        The execute delta and the cell that made it.
    """

    type: str
    available_mimetypes: list[str] = Field(default_factory=list)
    content_metadata: OutputContent
    content: OutputContent | None = None
    content_for_llm: OutputContent | None = None
    parent_collection_id: UUID
    display_id: str | None = None
    stream_name: str | None = Field(default=None, exclude_if=_none)
    continues: bool = Field(default=False, exclude_if=_empty)
    data: dict[str, Any] | None = Field(default=None, exclude_if=_none)
    metadata: dict[str, Any] | None = Field(default=None, exclude_if=_none)
    transient: dict[str, Any] | None = Field(default=None, exclude_if=_none)
    links: dict[str, str] | None = Field(default=None, exclude_if=_none)
    execution_count: int | None = Field(default=None, exclude_if=_none)
    ename: str | None = Field(default=None, exclude_if=_none)
    evalue: str | None = Field(default=None, exclude_if=_none)
    traceback: list[str] | None = Field(default=None, exclude_if=_none)
    execution_id: UUID | None = Field(default=None, exclude_if=_none)
    cell_id: str | None = Field(default=None, exclude_if=_none)

    def __repr__(self) -> str:
        if self.type == "error":
            return brief_repr("Output", "error", f"{self.ename}: {self.evalue}")
        if self.data:
            return bundle_repr(self.type, self.data)
        content = self.content
        if content is not None and content.raw is not None:
            return brief_repr("Output", self.stream_name or self.type, content.raw)
        return f"<Output {self.stream_name or self.type}: by link>"


class OutputCollection(Resource):
    """The outputs of one run of one cell, in order of arrival.

    ``execution_id`` is ours: the id of the execute delta.
    """

    file_id: UUID
    cell_id: str | None = None
    widget_model_id: str | None = None
    outputs: list[Output] = Field(default_factory=list)
    execution_id: UUID | None = Field(default=None, exclude_if=_none)
    execution_count: int | None = Field(default=None, exclude_if=_none)
