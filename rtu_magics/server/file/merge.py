"""Changes of a notebook file by another program, as ordinary deltas.

Pure. Compares the file as it is now with its base (what it held when we last read or wrote it) and
makes the same changes in the room, whatever the room did meanwhile: cells added, deleted, moved,
edited (merged with the room's edits), metadata set, outputs replaced.
"""

from __future__ import annotations

import difflib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ...document import ABSENT, ORIGINAL, NotebookBuilder, longest_rising, merge_text, unnamed_parts
from ...errors import PatchFailed, SquashError
from ...models import CodeCell, FileDeltaAdapter, FileDeltaBase, MarkdownCell, Notebook, RawCell
from .format import BaseCell, DiskBase, file_metadata, outputs_key

__all__ = ["Merge", "distance", "merge_file", "name_cells"]

_LARGE = 512 * 1024  # characters of a cell; a change may have hardly more
_ALIKE = 0.6  # of two sources: the one may have become the other

Cell = CodeCell | MarkdownCell | RawCell


@dataclass(slots=True)
class Merge:
    """What another program's changes come to.

    Attributes
    ----------
    deltas
        To apply in this order.
    outputs
        Cells that exist in the room and whose outputs the file replaced.
    removed
        Keys of metadata that the file has no more, with the cell's id (None: the notebook's own).
        No delta can say that.
    parts
        Attachments and what nbformat does not name, where the file has something else there: the
        cell's id (None: the notebook), the key, the value (`ABSENT`: none). No delta can say that.
    lost
        What the file has and the deltas cannot bring, in words: the file's state then has to be
        kept as a version.
    renamed
        Cells that come back under a new id, by the one that they have in the file.
    """

    deltas: list[FileDeltaBase] = field(default_factory=list)
    outputs: list[CodeCell] = field(default_factory=list)
    removed: list[tuple[str | None, str]] = field(default_factory=list)
    parts: list[tuple[str | None, str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many changes there are."""
        return len(self.deltas) + len(self.outputs) + len(self.removed) + len(self.parts)


def name_cells(
    notebook: Notebook,
    raw_ids: list[str | None],
    base: DiskBase,
    room_ids: Set[str] = frozenset(),
) -> None:
    """Give cells that have no id in the file, or a new one, the ids they had in the base.

    Some programs write no ids, some make new ones at each turn. Cells are told by their source.

    Parameters
    ----------
    notebook
        The file, normalised: cells without an id got a random one there.
    raw_ids
        The ids in the file itself, None where there is none.
    base
        What the file held before.
    room_ids
        The ids of the room's cells; they mean those cells.
    """
    named = {
        text: cell.id
        for cell in base.cells
        for path, text in (cell.rest or {}).get(ORIGINAL, ())
        if path == ["id"]
    }
    for cell, raw in zip(notebook.cells, raw_ids, strict=False):
        if raw is not None and raw != cell.id:  # an id that no cell can have here
            cell.id = named.pop(json.dumps(raw), cell.id)
    used = {cell.id for cell, raw in zip(notebook.cells, raw_ids, strict=False) if raw == cell.id}
    known = {cell.id for cell in base.cells} | room_ids
    free = [cell for cell in base.cells if cell.id not in used]
    strange = [cell for cell in notebook.cells if cell.id not in used or cell.id not in known]
    for old, new, same in _pairs(free, strange):
        if same or new.id not in used or _alike(old.source, new.source):
            new.id = old.id


def _pairs(old: Sequence[BaseCell], new: Sequence[Cell]) -> Iterator[tuple[BaseCell, Cell, bool]]:
    """Yield cells that may be the same, and whether they look it; both rise from pair to pair.

    The n-th cell with some text is taken for the n-th with that text, as far as their order allows;
    as many others in between, on both sides, for one another. However many cells are alike, that
    takes as long as sorting them.
    """
    places: dict[tuple[str, str], deque[int]] = defaultdict(deque)
    for at, cell in enumerate(old):
        places[_shape(cell)].append(at)
    same = [
        (places[_shape(cell)].popleft(), at)
        for at, cell in enumerate(new)
        if places.get(_shape(cell))
    ]
    staying = longest_rising([at for at, _ in same])
    i = j = 0
    for old_at, new_at in (*(pair for pair in same if pair[0] in staying), (len(old), len(new))):
        if old_at - i == new_at - j:
            yield from ((*pair, False) for pair in zip(old[i:old_at], new[j:new_at], strict=True))
        if old_at < len(old):
            yield old[old_at], new[new_at], True
        i, j = old_at + 1, new_at + 1


def _shape(cell: BaseCell | Cell) -> tuple[str, str]:
    return cell.cell_type, cell.source


def _alike(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one, other).quick_ratio() > _ALIKE


def distance(notebook: Notebook, base: DiskBase) -> int:
    """Return how many cells differ between a file and its base."""
    have = {cell.id: _shape(cell) for cell in notebook.cells}
    had = {cell.id: _shape(cell) for cell in base.cells}
    return sum(have.get(cell_id) != had.get(cell_id) for cell_id in have.keys() | had.keys())


def merge_file(
    file_id: UUID, file: Notebook, base: DiskBase, room: NotebookBuilder, *, revive: bool = False
) -> Merge:
    """Return what brings the file's changes since `base` into the room.

    Parameters
    ----------
    file_id
        The notebook, for the deltas.
    file
        What the file holds now. Its cells are not changed, except that one which comes back with
        the id of a deleted cell gets a new id.
    base
        What the file held when we last read or wrote it.
    room
        The notebook as its deltas made it; not changed.
    revive
        Whether a cell that was deleted here and edited there comes back.
    """
    merge = Merge()
    trial = room.copy()
    before = {cell.id: cell for cell in base.cells}
    now = {cell.id: cell for cell in file.cells}

    def put(kind: str, action: str, properties: dict[str, Any], resource_id: str = "") -> bool:
        delta = FileDeltaAdapter.validate_python(
            {
                "file_id": file_id,
                "delta_type": kind,
                "delta_action": action,
                "properties": properties,
                **({"resource_id": resource_id} if resource_id else {}),
            }
        )
        try:
            trial.apply_delta(delta, strict=True)
        except SquashError as exc:
            merge.lost.append(str(exc))
            return False
        merge.deltas.append(delta)
        return True

    for cell in base.cells:
        if cell.id not in now and cell.id in trial:
            present = trial.get_cell(cell.id)[1]
            if present.source != cell.source:
                merge.lost.append(f"cell {cell.id} was deleted in the file and edited here")
                continue
            put("nb_cells", "delete", {"id": cell.id})

    previous: str | None = None
    for new in file.cells:
        old = before.get(new.id)
        spent = new.id in trial.deleted_cell_ids
        edited = old is not None and new.source != old.source
        if new.id not in trial and (old is None or not spent or (revive and edited)):
            if spent:
                merge.renamed[new.id] = new.id = str(uuid4())
            added = new.model_copy(update={"metadata": file_metadata(new)}).model_dump()
            later = _lighten(added, new)
            if put("nb_cells", "add", {"id": new.id, "cell": added, "after_id": previous}):
                previous = new.id
                merge.parts += [(new.id, *part) for part in later]
                if isinstance(new, CodeCell) and len(added["outputs"]) < len(new.outputs):
                    merge.outputs.append(new)
            continue
        if new.id not in trial:
            if edited:
                merge.lost.append(f"cell {new.id} was edited in the file and deleted here")
        else:
            previous = new.id
            for change in _cell_changes(new, old, trial.get_cell(new.id)[1], merge):
                put(*change, new.id)
            rest = None if old is None else old.rest
            for part in _part_changes(unnamed_parts(new), rest, unnamed_parts(trial.cell(new.id))):
                merge.parts.append((new.id, *part))
            if isinstance(new, CodeCell) and outputs_key(new) != (old.outputs if old else ""):
                merge.outputs.append(new)

    _put_moves(put, file, base, trial)
    for key, value in file.metadata.items():
        changed = key not in base.metadata or base.metadata[key] != value
        if changed and trial.nb.metadata.get(key, ...) != value:
            put("nb_metadata", "update", {"path": [key], "value": value})
    for key in base.metadata.keys() - file.metadata.keys():
        if trial.nb.metadata.get(key, ...) == base.metadata[key]:
            merge.removed.append((None, key))
    parts = unnamed_parts(file)
    if _has_ids(base.rest):
        _keep_ids(parts)
    for part in _part_changes(parts, base.rest, unnamed_parts(trial.nb)):
        merge.parts.append((None, *part))
    return merge


def _has_ids(rest: dict[str, Any] | None) -> bool:
    return not any(path == ["nbformat_minor"] for path, _ in (rest or {}).get(ORIGINAL, ()))


def _keep_ids(parts: dict[str, Any]) -> None:
    """Go on writing ids into a file that had them: the other program only knows an older format."""
    if not _has_ids(parts):
        kept = [entry for entry in parts[ORIGINAL] if entry[0] != ["nbformat_minor"]]
        parts.pop(ORIGINAL)
        if kept:
            parts[ORIGINAL] = kept


def _lighten(cell: dict[str, Any], new: Cell) -> list[tuple[str, Any]]:
    """Take out of a new cell what makes it too large for a delta; returns its unnamed parts."""
    if len(json.dumps(cell)) < _LARGE:
        return []
    if cell.get("outputs"):
        cell["outputs"] = []
        if len(json.dumps(cell)) < _LARGE:
            return []
    parts = unnamed_parts(new)
    for key in parts:
        del cell[key]
    return list(parts.items())


def _part_changes(
    new: dict[str, Any], old: dict[str, Any] | None, present: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield which of its unnamed parts the file changed, and to what."""
    old = present if old is None else old
    for key in sorted(new.keys() | old.keys()):
        value = new.get(key, ABSENT)
        if value != old.get(key, ABSENT) and value != present.get(key, ABSENT):
            yield key, value


def _cell_changes(
    new: Cell, old: BaseCell | None, present: Cell, merge: Merge
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    was_type = old.cell_type if old else present.cell_type
    if new.cell_type not in (was_type, present.cell_type):
        yield "cell_metadata", "replace", {"type": new.cell_type}
    was = old.source if old else present.source
    if new.source not in (was, present.source):
        source = new.source
        if present.source != was:
            try:
                source = merge_text(was, present.source, new.source)
            except PatchFailed:
                merge.lost.append(f"cell {new.id} was changed both in the file and here")
                source = present.source
        if source != present.source:
            yield "cell_contents", "replace", {"source": source}
    had = old.metadata if old else file_metadata(present)
    have = file_metadata(new)
    for key, value in have.items():
        if had.get(key, ...) != value and file_metadata(present).get(key, ...) != value:
            if key == "noteable" and isinstance(value, dict):
                for inner, inner_value in value.items():
                    path = ["noteable", inner]
                    yield "cell_metadata", "update", {"path": path, "value": inner_value}
                continue
            yield "cell_metadata", "update", {"path": [key], "value": value}
    for key in had.keys() - have.keys():
        if file_metadata(present).get(key, ...) == had[key]:
            merge.removed.append((new.id, key))


def _put_moves(
    put: Callable[..., bool], file: Notebook, base: DiskBase, trial: NotebookBuilder
) -> None:
    """Move cells into the file's order, if somebody changed the order there."""
    wanted = [cell.id for cell in file.cells if cell.id in trial]
    in_file = set(wanted)
    common = [cell.id for cell in base.cells if cell.id in in_file]
    order_then = {cell_id: at for at, cell_id in enumerate(common)}
    known = [cell_id for cell_id in wanted if cell_id in order_then]
    if known == common:
        return
    ranks = {cell_id: at for at, cell_id in enumerate(wanted)}
    present = [cell_id for cell_id in trial.cell_ids if cell_id in ranks]
    staying = longest_rising([ranks[cell_id] for cell_id in present])
    previous: str | None = None
    for cell_id in wanted:
        if ranks[cell_id] not in staying:
            put("nb_cells", "move", {"id": cell_id, "after_id": previous})
        previous = cell_id
