"""A log of deltas, read as what people did: who changed which cell, when, from what to what.

Pure: a log in, changes out. The notebook is replayed from where the log starts, because a delta
alone does not say what it changed (a patch holds pieces of text, a deletion none at all).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from .. import models as m
from ..document import NotebookBuilder
from ..errors import RTUError

__all__ = ["Change", "cell_of", "read_log", "words_of"]

logger = logging.getLogger(__name__)

_ONE_SITTING = timedelta(minutes=2)  # edits of one cell by one person closer than this are one


@dataclass(frozen=True)
class Change:
    """What somebody did.

    Attributes
    ----------
    what
        In words, what was done to the cell: ``added``, ``edited``, ``moved to the top``.
    at
        When, UTC; for several edits in one go, the last.
    author, author_id
        Who.
    cell_id
        The cell, None if it concerns the whole notebook.
    before, after
        The cell's text, where that changed.
    runs
        Whether it ran something and changed nothing.
    execution_id, end
        What it ran, and how that ended if it is known and not well (`run_word`).
    """

    what: str
    at: datetime | None
    author: str
    author_id: UUID | None
    cell_id: str | None = None
    before: str = ""
    after: str = ""
    runs: bool = False
    execution_id: UUID | None = None
    end: str = ""

    @property
    def cells(self) -> str:
        """What it concerns, by its id."""
        return self.cell_id or "the notebook"


def cell_of(delta: m.FileDeltaBase) -> str | None:
    """Return the id of the cell that a delta concerns, None when it is no single one."""
    if isinstance(delta, m.NBCellsAdd | m.NBCellsDelete | m.NBCellsMove):
        return delta.properties.id
    resource = delta.resource_id
    return None if resource == m.NULL_RESOURCE_SENTINEL else resource


def read_log(log: m.DeltaLog) -> list[Change]:
    """Return what happened in a log, the oldest first.

    Parameters
    ----------
    log
        A piece of a notebook's chain.
    """
    changes: list[Change] = []
    latest: dict[str, int] = {}  # cell id → index of its last change of text
    for change in _replay(log):
        key = change.cell_id
        index = latest.get(key) if key is not None else None
        if change.what == "edited" and index is not None and _one_go(changes[index], change):
            joined = replace(change, what=changes[index].what, before=changes[index].before)
            changes[index] = replace(change, what="")  # its place is where it ended
            changes.append(joined)
        else:
            changes.append(change)
        if key is not None and not change.runs:
            latest[key] = len(changes) - 1
    return [c for c in changes if c.what and not (c.what == "edited" and c.before == c.after)]


def _one_go(earlier: Change, later: Change) -> bool:
    if earlier.what not in ("edited", "added") or earlier.author_id != later.author_id:
        return False
    if earlier.at is None or later.at is None:
        return False
    return later.at - earlier.at <= _ONE_SITTING


def _replay(log: m.DeltaLog) -> Iterator[Change]:
    builder = NotebookBuilder(m.parse_notebook(_json(log.start.notebook)))
    for raw in log.deltas:
        try:
            delta = m.FileDeltaAdapter.validate_python(raw)
            author = m.DeltaAuthor.model_validate(raw.get("author") or {})
            before = _text(builder, cell_of(delta))
            what = words_of(builder, delta)
            builder.apply_delta(delta)
        except (ValidationError, RTUError) as exc:
            logger.warning("a change in the history cannot be read: %s", exc)
            continue
        if what is None:
            continue
        cell_id = cell_of(delta)
        after = _text(builder, cell_id)
        changed = isinstance(
            delta, m.NBCellsAdd | m.NBCellsDelete | m.CellContentsUpdate | m.CellContentsReplace
        )
        yield Change(
            what=what,
            at=delta.created_at,
            author=author.name or "somebody",
            author_id=author.user_id or delta.created_by_id,
            cell_id=cell_id,
            before=before if changed else "",
            after=after if changed else "",
            runs=isinstance(delta, m.CellExecuteDelta),
            execution_id=delta.id if isinstance(delta, m.CellExecuteDelta) else None,
        )


def _json(notebook: dict[str, Any]) -> bytes:
    import json

    return json.dumps(notebook).encode()


def _text(builder: NotebookBuilder, cell_id: str | None) -> str:
    return builder.cell(cell_id).source if cell_id is not None and cell_id in builder else ""


def words_of(builder: NotebookBuilder, delta: m.FileDeltaBase) -> str | None:
    """Say what a delta is about to do; None for what the server keeps for itself."""
    if isinstance(delta, m.NBCellsAdd):
        return "added"
    if isinstance(delta, m.NBCellsDelete):
        return "deleted"
    if isinstance(delta, m.NBCellsMove):
        after = delta.properties.after_id
        return "moved to the top" if after is None else f"moved after {after}"
    if isinstance(delta, m.CellContentsUpdate | m.CellContentsReplace):
        return "edited"
    if isinstance(delta, m.CellMetadataReplace):
        language = delta.properties.language
        return f"made {'sql' if language == 'sql' else delta.properties.type or language}"
    if isinstance(delta, m.CellMetadataUpdate):
        path = ".".join(str(key) for key in delta.properties.path)
        return f"set {path}"
    if isinstance(delta, m.NBMetadataUpdate):
        return f"set {'.'.join(str(key) for key in delta.properties.path)}"
    if isinstance(delta, m.CellExecuteAll):
        return "ran all cells"
    if isinstance(delta, m.CellExecuteBefore):
        return "ran all up to"
    if isinstance(delta, m.CellExecuteAfter):
        return "ran all from"
    if isinstance(delta, m.CellExecute):
        return "ran"
    return None
