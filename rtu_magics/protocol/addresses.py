"""How a person names a cell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import AmbiguousCell, CellNotFound

__all__ = ["is_position", "positions_of", "resolve_cell"]

_POSITION = re.compile(r"[+-]?[0-9]{1,9}")
_SEVERAL = re.compile(r"-?\d{1,4}(?:[-:,]-?\d{1,4})+")
_SHORT = 3  # digits; one random id in sixteen begins with a given one
_SHOWN = 4  # candidates named in the message about an ambiguous prefix


def is_position(ref: str) -> bool:
    """Return whether a reference counts cells, so that it depends on all of them.

    Examples
    --------
    >>> is_position("-1"), is_position("."), is_position("4f1c")
    (True, False, False)
    """
    return bool(_POSITION.fullmatch(ref.strip()))


def positions_of(ref: str) -> list[str] | None:
    """Return the positions that a range or a list names, None if it is neither.

    Raises
    ------
    CellNotFound
        It runs backwards, or has no end: the message says how it is written.

    Examples
    --------
    >>> positions_of("2-4"), positions_of("2,4-5"), positions_of("4f1c-22")
    (['2', '3', '4'], ['2', '4', '5'], None)
    """
    if not _SEVERAL.fullmatch(ref.strip()):
        return None
    found: list[str] = []
    for part in ref.strip().split(","):
        first, mark, last = part.partition("-")
        if part.startswith("-") or ":" in part:
            raise CellNotFound(f"{ref} is no range: write 2-4 for the cells 2, 3 and 4")
        if not mark:
            found.append(first)
        elif int(first) > int(last):
            raise CellNotFound(f"{ref} runs backwards: write {last}-{first}")
        else:
            found += map(str, range(int(first), int(last) + 1))
    return found


def resolve_cell(ref: str, cell_ids: Sequence[str], last_touched: str | None = None) -> str:
    """Return the id of the cell that `ref` names.

    Tried in this order: ``.`` (the cell last touched), a whole id, a position, the beginning of an
    id. A number of four digits or more that is no position of this notebook may still be the
    beginning of an id; a shorter one is not, for it would often name a cell that nobody meant.

    Parameters
    ----------
    ref
        ``.``, an id, a 1-based position such as ``3``, a position from the end such as ``-1``, or
        the beginning of an id.
    cell_ids
        The ids of the notebook's cells, in order.
    last_touched
        The cell that ``.`` stands for, if there is one.

    Raises
    ------
    AmbiguousCell
        Several ids begin with `ref`.
    CellNotFound
        No cell fits.

    Examples
    --------
    >>> cells = ["a1f0", "a2c4", "b7d2"]
    >>> resolve_cell("b", cells), resolve_cell("1", cells), resolve_cell("-1", cells)
    ('b7d2', 'a1f0', 'b7d2')
    >>> resolve_cell(".", cells, last_touched="a2c4")
    'a2c4'
    """
    ref = ref.strip()
    if ref == ".":
        return _last_touched(cell_ids, last_touched)
    if ref in cell_ids:
        return ref
    is_number = bool(_POSITION.fullmatch(ref))
    n = len(cell_ids)
    no_position = f"no cell at position {ref}: positions are 1 to {n}, or -1 to -{n}"
    if is_number:
        position = int(ref)
        if 1 <= position <= n:
            return cell_ids[position - 1]
        if -n <= position <= -1:
            return cell_ids[position]
        if n and len(ref) <= _SHORT:
            raise CellNotFound(no_position)
    found = [cell_id for cell_id in cell_ids if ref and cell_id.startswith(ref)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise AmbiguousCell(f"{ref!r} fits {len(found)} cells ({shown}): give more of the id")
    if not cell_ids:
        raise CellNotFound(f"no cell {ref!r}: the notebook is empty, add one with %%rtu_add")
    if is_number:
        raise CellNotFound(no_position)
    if _SEVERAL.fullmatch(ref):
        raise CellNotFound(f"{ref} names several cells, and one is wanted here: give it alone")
    raise CellNotFound(f"no cell {ref[:80]!r}: %rtu_cells lists the cells and their ids")


def _last_touched(cell_ids: Sequence[str], last_touched: str | None) -> str:
    if last_touched is None:
        raise CellNotFound("no cell was touched yet, so '.' names none: give an id or a position")
    if last_touched not in cell_ids:
        raise CellNotFound(f"the cell last touched ({last_touched}) has been deleted: name another")
    return last_touched
