"""A live document's cells by id: what changed in it, and changing it.

The schema is that of ``jupyter_ydoc.YNotebook``: an array ``cells`` of maps (``source`` a text,
``metadata`` a map, ``outputs`` an array) and a map ``meta``. Listing a thousand ids costs more than
everything else that an edit does, so they are kept here and follow from the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pycrdt import Array, Doc, Map, Text

from .splices import splices
from .touched import Touched

__all__ = ["ORIGIN", "LiveDocument", "made_output"]

ORIGIN = "rtu_magics"
"""Of our own transactions."""


_OF_RUNS = ("outputs", "execution_count", "execution_state")


class LiveDocument:
    """A live document; one thread, that of its loop, uses it.

    Parameters
    ----------
    ydoc
        The document.

    Attributes
    ----------
    touched
        What others changed since it was last emptied.
    """

    def __init__(self, ydoc: Doc) -> None:
        self.ydoc = ydoc
        self.touched = Touched()
        self._cells: Array = ydoc.get("cells", type=Array)
        self._meta: Map = ydoc.get("meta", type=Map)
        self._ids: list[Any] | None = None
        self._mine = False
        self._heard: Callable[[], None] = lambda: None
        self._subscriptions: list[tuple[Any, Any]] = []

    def watch(self, heard: Callable[[], None]) -> None:
        """Note from now on what others change; `heard` is called inside their transaction."""
        self._heard = heard
        self._subscriptions = [
            (self._cells, self._cells.observe_deep(self._cells_changed)),
            (self._meta, self._meta.observe_deep(self._meta_changed)),
        ]

    def unwatch(self) -> None:
        """Note nothing more."""
        for of, subscription in self._subscriptions:
            of.unobserve(subscription)
        self._subscriptions = []

    @property
    def busy(self) -> bool:
        """Whether somebody's transaction is open: what is written now would be part of it."""
        return self.ydoc._txn is not None

    # Reading

    @property
    def ids(self) -> list[Any]:
        """What stands as the cells' ids, in order."""
        if self._ids is None:
            with self.ydoc.transaction():
                self._ids = [cell.get("id") for cell in self._cells]
        return list(self._ids)

    def index_of(self, cell_id: str) -> int:
        """Return the place of the first cell with an id; ValueError if there is none."""
        return (self.ids if self._ids is None else self._ids).index(cell_id)

    def raw(self, index: int, *, outputs: bool = True) -> dict[str, Any]:
        """Return a cell in plain values, without its outputs where they are not asked for."""
        with self.ydoc.transaction():
            cell = self._cells[index]
            return {
                key: _plain(cell[key])
                for key in list(cell.keys())
                if outputs or key not in _OF_RUNS
            }

    def source_text(self, index: int) -> Text:
        """Return a cell's source as the document has it."""
        text: Text = self._cells[index]["source"]
        return text

    def metadata(self) -> dict[str, Any]:
        """Return the notebook's metadata."""
        found = _plain(self._meta.get("metadata"))
        return found if isinstance(found, dict) else {}

    def notebook(self) -> dict[str, Any]:
        """Return all of it in plain values."""
        with self.ydoc.transaction():
            meta = {key: _plain(self._meta[key]) for key in list(self._meta.keys())}
            cells = [self.raw(index) for index in range(len(self._cells))]
        for cell in cells:
            cell.pop("execution_state", None)
        return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, **meta, "cells": cells}

    def execution_state(self, cell_id: str) -> str:
        """Return what the page says of a cell: ``running`` or ``idle``."""
        return str(self._cells[self.index_of(cell_id)].get("execution_state") or "idle")

    # Writing

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make one transaction of what is written within; nobody else's may be open.

        Raises
        ------
        RuntimeError
            One is.
        """
        if self.busy and not self._mine:
            raise RuntimeError("the live document is being replaced")
        outer, self._mine = self._mine, True
        try:
            with self.ydoc.transaction(origin=ORIGIN):
                yield
        finally:
            self._mine = outer

    def insert(self, index: int, raw: Mapping[str, Any]) -> None:
        """Put a cell in plain values at a place."""
        with self.change():
            ids = self.ids
            self._cells.insert(index, _made(raw))
            ids.insert(index, raw.get("id"))
            self._ids = ids

    def delete(self, index: int) -> None:
        """Take the cell at a place away."""
        with self.change():
            ids = self.ids
            del self._cells[index]
            del ids[index]
            self._ids = ids

    def rename(self, index: int, cell_id: str) -> None:
        """Give the cell at a place another id."""
        with self.change():
            ids = self.ids
            self._cells[index]["id"] = ids[index] = cell_id
            self._ids = ids

    def set_source(self, index: int, source: str) -> None:
        """Make a cell's source another one, by as few changes as can be."""
        with self.change():
            cell = self._cells[index]
            text = cell.get("source")
            if not isinstance(text, Text):
                cell["source"] = Text(source)
                return
            for start, end, new in splices(str(text), source):
                if end > start:
                    del text[start:end]
                if new:
                    text.insert(start, new)

    def set_metadata(self, index: int | None, key: str, value: Any) -> None:
        """Set a key of a cell's metadata, or of the notebook's (None)."""
        with self.change():
            self._metadata_map(index)[key] = value

    def drop_metadata(self, index: int | None, key: str) -> None:
        """Take a key of a cell's metadata, or of the notebook's (None), away."""
        with self.change():
            found = self._metadata_map(index)
            if key in found:
                del found[key]

    def set_part(self, index: int, key: str, value: Any) -> None:
        """Set another key of a cell."""
        with self.change():
            self._cells[index][key] = value

    def drop_part(self, index: int, key: str) -> None:
        """Take another key of a cell away."""
        with self.change():
            cell = self._cells[index]
            if key in cell:
                del cell[key]

    def outputs_of(self, index: int) -> Array:
        """Return a cell's array of outputs, made if there is none; within `change`."""
        cell = self._cells[index]
        if not isinstance(cell.get("outputs"), Array):
            cell["outputs"] = Array()
        found: Array = cell["outputs"]
        return found

    def set_count(self, index: int, count: int | None) -> None:
        """Set a code cell's execution count."""
        with self.change():
            cell = self._cells[index]
            present = cell.get("execution_count")
            if present != count or "execution_count" not in cell:
                cell["execution_count"] = count

    def set_execution_state(self, index: int, state: str) -> None:
        """Say whether a code cell runs (``running``) or not (``idle``): pages show it."""
        with self.change():
            cell = self._cells[index]
            if cell.get("execution_state") != state:
                cell["execution_state"] = state

    def _metadata_map(self, index: int | None) -> Map:
        holder = self._meta if index is None else self._cells[index]
        if not isinstance(holder.get("metadata"), Map):
            holder["metadata"] = Map(_plain(holder.get("metadata")) or {})
        found: Map = holder["metadata"]
        return found

    # Hearing

    def _cells_changed(self, events: list[Any]) -> None:
        if self._mine:
            return
        for event in events:
            self._note(event)
        self._heard()

    def _note(self, event: Any) -> None:
        path = event.path
        if not path:
            self._follow(event.delta)
            self.touched.order = True
            return
        index = path[0]
        if len(path) == 1 and "id" in event.keys:
            self._ids = None
            self.touched.order = True
        ids = self.ids
        if not isinstance(index, int) or index >= len(ids):
            self._ids = None
            self.touched.order = True
            return
        keys = [path[1]] if len(path) > 1 else list(event.keys)
        if any(key in _OF_RUNS for key in keys):
            self.touched.outputs.add(ids[index])
        if any(key not in _OF_RUNS for key in keys):
            self.touched.cells.add(ids[index])

    def _follow(self, delta: list[dict[str, Any]]) -> None:
        """Keep the ids in step with a change of the array; what replaced a cell is touched."""
        if self._ids is None:
            return
        ids, at = self._ids, 0
        for step in delta:
            if "retain" in step:
                at += step["retain"]
            elif "delete" in step:
                gone = ids[at : at + step["delete"]]
                self.touched.cells.update(one for one in gone if isinstance(one, str))
                del ids[at : at + step["delete"]]
            else:
                new = [cell.get("id") if isinstance(cell, Map) else None for cell in step["insert"]]
                known = [one for one in new if isinstance(one, str)]
                self.touched.cells.update(known)
                self.touched.outputs.update(known)
                self.touched.replaced.update(known)
                ids[at:at] = new
                at += len(new)
        if len(ids) != len(self._cells):
            self._ids = None

    def _meta_changed(self, events: list[Any]) -> None:
        if not self._mine:
            self.touched.metadata = True
            self._heard()


def _plain(value: Any) -> Any:
    return value.to_py() if hasattr(value, "to_py") else value


def _made(raw: Mapping[str, Any]) -> Map:
    """Return a cell as the schema has it."""
    made = dict(raw)
    source = made.get("source", "")
    made["source"] = Text("".join(source) if isinstance(source, list) else str(source))
    metadata = made.get("metadata")
    made["metadata"] = Map(metadata if isinstance(metadata, dict) else {})
    if isinstance(made.get("outputs"), list):
        made["outputs"] = Array([made_output(output) for output in made["outputs"]])
    return Map(made)


def made_output(output: Any) -> Any:
    """Return an output as the schema has it: a stream's text can grow."""
    if not isinstance(output, dict):
        return output
    made = dict(output)
    if made.get("output_type") == "stream":
        text = made.get("text", "")
        made["text"] = Text("".join(text) if isinstance(text, list) else str(text))
    return Map(made)
