"""What others changed in a live document, as ordinary deltas of our notebook; pure.

The events say where something changed, comparing says what: the notebook holds exactly what the
document held before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ...document import ABSENT, NotebookBuilder, make_patch
from ...document.builder import VALID_CELL_ID
from ...document.cell_types import change_type
from ...document.plain import copy_cell
from ...models import CodeCell, FileDeltaAdapter, FileDeltaBase
from .cells import BLANK, Cell, cell_from_live, is_blank, metadata_of, parts_of, same
from .live_cells import LiveCells
from .order import rearrange
from .past import Past
from .touched import Touched

__all__ = ["Changes", "changes_in", "mend_ids", "set_rest"]

_LARGE = 512 * 1024  # characters of a cell; a change may have hardly more


@dataclass(slots=True)
class Changes:
    """What a live document has that the notebook lacks.

    Attributes
    ----------
    deltas
        To apply in this order.
    removed
        Keys of metadata that are gone, with the cell's id (None: the notebook's own). No delta can
        say that.
    parts
        Attachments and what nbformat does not name: the cell's id, the key, the value (`ABSENT`:
        none). No delta can say that either.
    outputs
        Cells whose outputs did not fit into a delta.
    merged
        Ids of cells that the document has otherwise than the notebook will, once the deltas are in.
    """

    deltas: list[FileDeltaBase] = field(default_factory=list)
    removed: list[tuple[str | None, str]] = field(default_factory=list)
    parts: list[tuple[str, str, Any]] = field(default_factory=list)
    outputs: list[CodeCell] = field(default_factory=list)
    merged: set[str] = field(default_factory=set)

    @property
    def rest(self) -> bool:
        """Whether there is anything that no delta can say."""
        return bool(self.removed or self.parts)


def set_rest(builder: NotebookBuilder, changes: Changes) -> None:
    """Make in a notebook what no delta can say."""
    for cell_id, key in changes.removed:
        if cell_id is None:
            builder.nb.metadata.pop(key, None)
        elif cell_id in builder:
            builder.cell(cell_id).metadata.pop(key, None)
    for cell_id, key, value in changes.parts:
        builder.set_unnamed_part(cell_id, key, value)


def mend_ids(
    live: LiveCells, builder: NotebookBuilder, past: Past, *, revived: bool = True
) -> list[str]:
    """Give every cell of a document an id that is its own; returns those of changed cells.

    A cell that came back after it was deleted gets another one, as does one whose id no cell can
    have. Of two with one id the second does, and where it is a copy of the first it goes: both
    sides moved the cell.

    Parameters
    ----------
    live, builder, past
        The document, the notebook as it was before, and what our clients changed lately.
    revived
        Whether what is in the document alone came back; else it may have been deleted in the
        notebook meanwhile.
    """
    seen: dict[str, int] = {}
    fresh: list[str] = []
    index = 0
    while index < len(ids := live.ids):
        cell_id = ids[index]
        if isinstance(cell_id, str) and cell_id in seen:
            twins = [cell_from_live(live.raw(at)) for at in (seen[cell_id], index)]
            one = _one_of(twins, builder, past)
            if one is not None:
                live.delete(index)
                live.set_source(seen[cell_id], one.source)
                fresh.append(cell_id)
                continue
        elif _usable(cell_id, builder, revived):
            seen[cell_id] = index
            index += 1
            continue
        new = str(uuid4())
        live.rename(index, new)
        seen[new] = index
        fresh.append(new)
        index += 1
    return fresh


def changes_in(
    file_id: UUID,
    live: LiveCells,
    touched: Touched,
    builder: NotebookBuilder,
    past: Past,
) -> Changes:
    """Return what was changed in a live document, as deltas.

    Parameters
    ----------
    file_id
        The notebook, for the deltas.
    live
        The document; its ids have been mended.
    touched
        Where it changed.
    builder
        The notebook as it is without that; not changed.
    past
        What our clients changed lately.
    """
    found = Changes()

    def put(kind: str, action: str, properties: dict[str, Any], cell_id: str = "") -> None:
        resource = {"resource_id": cell_id} if cell_id else {}
        delta = {"delta_type": kind, "delta_action": action, "properties": properties, **resource}
        found.deltas.append(FileDeltaAdapter.validate_python({"file_id": file_id, **delta}))

    there = builder.cell_ids
    ids = live.ids if touched.order else there
    steps = rearrange(there, ids)
    for cell_id in steps.gone:
        put("nb_cells", "delete", {"id": cell_id})
    for cell_id, after_id, is_new in steps.placed:
        if not is_new:
            put("nb_cells", "move", {"id": cell_id, "after_id": after_id})
            continue
        cell = cell_from_live(live.raw(live.index_of(cell_id)))
        added = _fitting(cell, found)
        put("nb_cells", "add", {"id": cell_id, "cell": added, "after_id": after_id})
    for cell_id in sorted(touched.cells):
        if cell_id in builder and cell_id in ids:
            cell = builder.cell(cell_id)
            new = cell_from_live(live.raw(live.index_of(cell_id), outputs=False))
            if cell_id in touched.replaced and (merged := past.merged(new, cell)) is not new:
                found.merged.add(cell_id)
                new = merged
            for kind, action, properties in _cell_changes(new, cell, found):
                put(kind, action, properties, cell_id)
    if touched.metadata:
        present, now = builder.nb.metadata, live.metadata()
        for path, value in _values(now, present):
            if not (path[0] in BLANK and path[0] not in present and is_blank(now[path[0]])):
                put("nb_metadata", "update", {"path": path, "value": value})
        found.removed += [(None, key) for key in present if key not in now]
    return found


def _usable(cell_id: Any, builder: NotebookBuilder, revived: bool) -> bool:
    return (
        isinstance(cell_id, str)
        and VALID_CELL_ID.fullmatch(cell_id) is not None
        and (not revived or cell_id in builder or cell_id not in builder.deleted_cell_ids)
    )


def _one_of(twins: list[Cell], builder: NotebookBuilder, past: Past) -> Cell | None:
    """Return what two cells with one id come to, None if they are two.

    Where one of them is ours, the other is a copy of what it was when a page moved it.
    """
    first, second = twins
    if same(first.model_dump(), second.model_dump()):
        return first
    if first.id not in builder:
        return None
    present = builder.cell(first.id)
    if not same(*(one.model_dump(exclude={"source"}) for one in twins)):
        first, second = (past.merged(one, present) for one in twins)
        return first if same(first.model_dump(), second.model_dump()) else None
    copies = [one for one in twins if one.source != present.source]
    if len(copies) != 1 or not past.may_be_copy(copies[0], present):
        return None
    return past.merged(copies[0], present)


def _fitting(cell: Cell, found: Changes) -> dict[str, Any]:
    """Return a new cell as a delta takes it; outputs that are too large follow."""
    added = cell.model_dump()
    if isinstance(cell, CodeCell) and len(cell.model_dump_json()) > _LARGE:
        added["outputs"] = []
        found.outputs.append(cell)
    return added


def _cell_changes(
    new: Cell, present: Cell, found: Changes
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if new.cell_type != present.cell_type:
        yield "cell_metadata", "replace", {"type": new.cell_type}
        present = change_type(copy_cell(present), new.cell_type)
    if new.source != present.source:
        yield _source_change(present.source, new.source)
    had, has = metadata_of(present), metadata_of(new)
    for path, value in _values(has, had):
        yield "cell_metadata", "update", {"path": path, "value": value}
    found.removed += [(new.id, key) for key in had if key not in has]
    old_parts, parts = parts_of(present), parts_of(new)
    for key in sorted(old_parts.keys() | parts.keys()):
        value = parts.get(key, ABSENT)
        if value is ABSENT or key not in old_parts or not same(value, old_parts[key]):
            found.parts.append((new.id, key, value))


def _source_change(old: str, new: str) -> tuple[str, str, dict[str, Any]]:
    patch = make_patch(old, new) if old and new else ""
    if not patch or len(patch) > len(new) + 200:
        return "cell_contents", "replace", {"source": new}
    return "cell_contents", "update", {"patch": patch}


def _values(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[tuple[list[str], Any]]:
    """Yield what to set, and where, to get from one object to another, but for keys that go."""
    for key, value in now.items():
        if key not in before:
            yield [key], value
        elif not same(value, before[key]):
            old = before[key]
            if isinstance(value, dict) and isinstance(old, dict) and old.keys() <= value.keys():
                for path, inner in _values(value, old):
                    yield [key, *path], inner
            else:
                yield [key], value
