"""A log of deltas as steps that a front end can take forwards and back, without asking anybody.

Pure: logs in, steps out. The operations are the mirror's own (`frontend/src/renderer/store.js`
lists them), so that the mirror's renderer shows the past, too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ... import models as m
from ...document import NotebookBuilder
from ...errors import RTUError
from ...session.changes import cell_of, words_of
from ..mirror.cells import Clock, cell_view, language_of, type_of
from ..mirror.text import splices

__all__ = ["Past", "Step", "past_of"]

logger = logging.getLogger(__name__)

Op = list[Any]


@dataclass(frozen=True)
class Step:
    """What one delta did.

    Attributes
    ----------
    ops, back
        Operations that do it, and those that take it back.
    author
        The author's place in `Past.authors`.
    at
        When, in milliseconds since 1970.
    what
        In words: ``edited``, ``added``, ``ran``.
    cell_id
        The cell, None for the whole notebook.
    """

    ops: list[Op]
    back: list[Op]
    author: int
    at: int | None
    what: str
    cell_id: str | None

    def told(self) -> list[Any]:
        """Return it as the front end takes it."""
        return [self.author, self.at, self.what, self.cell_id, self.ops, self.back]


@dataclass
class Past:
    """A notebook's past.

    Attributes
    ----------
    cells
        The notebook's cells before the first step, as the front end takes them.
    steps
        What happened, the oldest first.
    authors
        Ids and names of those who did it.
    complete
        Whether there is nothing earlier that the server still knows.
    """

    cells: list[dict[str, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    authors: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = True

    def author(self, raw: Any, user_id: object) -> int:
        """Return somebody's place in `authors`, a new one for somebody new."""
        known = m.DeltaAuthor.model_validate(raw or {})
        key = str(known.user_id or user_id or "")
        for place, (other, _) in enumerate(self.authors):
            if other == key:
                return place
        self.authors.append((key, known.name or "somebody"))
        return len(self.authors) - 1


def past_of(logs: Iterable[m.DeltaLog]) -> Past:
    """Return the past that some logs tell.

    Parameters
    ----------
    logs
        Pieces of one notebook's chain that follow each other, the oldest first. Where a piece does
        not begin with what the one before ends with, a version was restored in between.
    """
    past = Past()
    builder: NotebookBuilder | None = None
    for log in logs:
        begin = NotebookBuilder(m.parse_notebook(json.dumps(log.start.notebook).encode()))
        if builder is None:
            past.cells = _views(begin)
            past.complete = not log.more
        elif _texts(builder) != _texts(begin):
            ops = [*_removal(builder), *_insertion(begin)]
            back = [*_removal(begin), *_insertion(builder)]
            # The log doesn't say who did it.
            author = past.author({"name": "an owner"}, "restored")
            past.steps.append(Step(ops, back, author, None, "restored a version", None))
        builder = begin
        for raw in log.deltas:
            step = _step(past, builder, raw)
            if step is not None:
                past.steps.append(step)
    return past


def _step(past: Past, builder: NotebookBuilder, raw: dict[str, Any]) -> Step | None:
    try:
        delta = m.FileDeltaAdapter.validate_python(raw)
        what = words_of(builder, delta)
        cell_id = cell_of(delta)
        structure = isinstance(delta, m.NBCellsAdd | m.NBCellsDelete | m.NBCellsMove)
        old = _Cell(builder, cell_id, structure)
        builder.apply_delta(delta)
    except (ValidationError, RTUError) as exc:
        logger.warning("a change in the history cannot be read: %s", exc)
        return None
    if what is None:
        return None
    author = past.author(raw.get("author"), delta.created_by_id)
    new = _Cell(builder, cell_id, structure)
    ops, back = _ops(delta, cell_id, old, new, past.authors[author][0])
    at = None if delta.created_at is None else round(delta.created_at.timestamp() * 1000)
    return Step(ops, back, author, at, what, cell_id)


class _Cell:
    """What a step may change of a cell, as it is now."""

    def __init__(self, builder: NotebookBuilder, cell_id: str | None, structure: bool) -> None:
        self.source = ""
        self.kind: list[str | None] = []
        self.after: str | None = None
        self.view: dict[str, Any] = {}
        if cell_id is None or cell_id not in builder:
            return
        cell = builder.cell(cell_id)
        self.source = cell.source
        self.kind = [type_of(cell), language_of(cell)]
        if structure:
            at = builder.index_of(cell_id)
            self.after = None if at == 0 else builder.cell_ids[at - 1]
            self.view = _view(cell)


def _ops(
    delta: m.FileDeltaBase, cell_id: str | None, old: _Cell, new: _Cell, user_id: str
) -> tuple[list[Op], list[Op]]:
    """Return what a delta does, and what takes it back."""
    if isinstance(delta, m.NBCellsAdd):
        return [["add", new.after, new.view]], [["del", cell_id]]
    if isinstance(delta, m.NBCellsDelete):
        return [["del", cell_id]], [["add", old.after, old.view]]
    if isinstance(delta, m.NBCellsMove):
        return [["mv", cell_id, new.after]], [["mv", cell_id, old.after]]
    if isinstance(delta, m.CellContentsUpdate | m.CellContentsReplace):
        return (
            [["src", cell_id, splices(old.source, new.source), user_id]],
            [["src", cell_id, splices(new.source, old.source), user_id]],
        )
    if isinstance(delta, m.CellMetadataReplace) and old.kind != new.kind:
        return [["type", cell_id, *new.kind]], [["type", cell_id, *old.kind]]
    return [], []


def _view(cell: Any) -> dict[str, Any]:
    view, _ = cell_view(cell, None, Clock(), [], left=0)
    return {**view, "n": None, "outs": []}


def _views(builder: NotebookBuilder) -> list[dict[str, Any]]:
    return [_view(cell) for cell in builder.cells]


def _texts(builder: NotebookBuilder) -> list[tuple[str, str, str]]:
    return [(cell.id, type_of(cell), cell.source) for cell in builder.cells]


def _removal(builder: NotebookBuilder) -> list[Op]:
    return [["del", cell.id] for cell in builder.cells]


def _insertion(builder: NotebookBuilder) -> list[Op]:
    ops: list[Op] = []
    after: str | None = None
    for view in _views(builder):
        ops.append(["add", after, view])
        after = view["id"]
    return ops
