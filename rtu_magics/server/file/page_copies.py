"""What pages of JupyterLab have of a notebook when they are not live.

Such a page loads a notebook once, and later saves all of it. What it did is the difference to what
it had loaded, or saved before. So that is kept for each page: by a mark that it is given with the
notebook, in the metadata, and sends back with each save. Where a page has none, because it was
opened before anybody worked on the notebook here, it is told by what its request says of it, or
else by which of the kept states is most like what it sends.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ...document.plain import whole
from ...models import Notebook
from ..store import Database
from ..store import page_bases as queries
from .format import BaseCell, DiskBase
from .io import read_notebook

__all__ = ["FIRST", "PageCopies", "PageCopy", "as_sent", "mark", "nearest", "take_mark"]

KEEP = 64  # copies of one notebook
FIRST = "first"  # in the place of a page: whatever had the notebook before it was known here
MARK = "rtu_magics"
_TRANSIENT = ("orig_nbformat", "orig_nbformat_minor", "signature")  # as in nbformat


@dataclass(slots=True)
class PageCopy:
    """What a page has.

    Attributes
    ----------
    base
        What it loaded or saved last, with the cells' ids of the room.
    head
        The last delta of the room at that time, None if that is not known.
    renamed
        The ids of cells in the room that have others in the page, by those.
    told
        Whether others were told that it does not show what they do.
    """

    base: DiskBase
    head: UUID | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    told: bool = False

    def dumps(self) -> bytes:
        """Return it as bytes, to be stored."""
        head = None if self.head is None else str(self.head)
        content = [self.base.dumps(), head, self.renamed, self.told]
        return zlib.compress(json.dumps(content).encode(), 1)

    @classmethod
    def loads(cls, content: bytes) -> PageCopy:
        """Return what `dumps` made."""
        base, head, renamed, told = json.loads(zlib.decompress(content))
        return cls(DiskBase.loads(base), None if head is None else UUID(head), renamed, told)


class PageCopies:
    """The copies that the store has.

    Parameters
    ----------
    database
        The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, file_id: UUID) -> dict[str, bytes]:
        """Return the copies of a notebook by page, as `PageCopy.dumps` made them, newest first."""
        with self._database.transaction() as connection:
            return {row.page: row.body for row in queries.page_bases_of(connection, file_id)}

    def put(self, file_id: UUID, page: str, content: bytes) -> None:
        """Keep what a page has now, and let those go that nobody has used for long."""
        with self._database.transaction() as connection:
            queries.put_page_base(connection, file_id, page, content)
            rows = queries.page_bases_of(connection, file_id)
            queries.drop_page_bases(connection, file_id, [row.page for row in rows[KEEP:]])


def mark(content: dict[str, Any]) -> str:
    """Mark a notebook that a page is about to load; returns the mark."""
    page = uuid4().hex
    metadata = content.get("metadata")
    if isinstance(metadata, dict):
        metadata[MARK] = {"page": page}
    return page


def take_mark(content: Any) -> str:
    """Take the mark out of what a page saves and return it, "" if there is none."""
    metadata = content.get("metadata") if isinstance(content, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get(MARK), dict):
        return ""
    given = metadata[MARK].pop("page", "")
    if not metadata[MARK]:
        del metadata[MARK]
    return given if isinstance(given, str) else ""


def as_sent(
    content: Mapping[str, Any],
    base: DiskBase | None,
    renamed: Mapping[str, str] | None = None,
    room_ids: Set[str] = frozenset(),
) -> Notebook:
    """Return the notebook that went to a page or came from one.

    Parameters
    ----------
    content
        The JSON of it; not changed. What nbformat takes out of a file is left out, and whole
        floats are whole numbers: to a page they are the same.
    base
        What the page had before.
    renamed, room_ids
        As in `PageCopy` and `read_notebook`.

    Raises
    ------
    InvalidMessage
        It is none.
    """
    copy: dict[str, Any] = json.loads(json.dumps(content))
    take_mark(copy)
    metadata = copy.get("metadata")
    for key in _TRANSIENT:
        if isinstance(metadata, dict):
            metadata.pop(key, None)
    for cell in _dicts(copy.get("cells")):
        if isinstance(cell.get("metadata"), dict):
            cell["metadata"].pop("trusted", None)
        if renamed and cell.get("id") in renamed:
            cell["id"] = renamed[cell["id"]]
    return read_notebook(json.dumps(whole(copy)).encode(), base, room_ids)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def nearest(notebook: Notebook, copies: Iterable[PageCopy]) -> PageCopy | None:
    """Return the copy that a notebook was most likely made from; of several alike the first.

    Examples
    --------
    >>> from rtu_magics.models import CodeCell
    >>> def copy(source):
    ...     return PageCopy(DiskBase.of(Notebook(cells=[CodeCell(id="a", source=source)])))
    >>> sent = Notebook(cells=[CodeCell(id="a", source="x = 12")])
    >>> nearest(sent, [copy("y = 3"), copy("x = 1")]).base.cells[0].source
    'x = 1'
    """
    return min(copies, key=lambda one: _farness(notebook, one.base), default=None)


def _farness(notebook: Notebook, base: DiskBase) -> tuple[int, int]:
    """Return how many cells differ, and by how many characters."""
    had = {cell.id: cell for cell in base.cells}
    cells = characters = 0
    for cell in notebook.cells:
        old = had.pop(cell.id, None)
        if old is None or (old.cell_type, old.source) != (cell.cell_type, cell.source):
            cells += 1
            characters += _span(old, cell.source)
    kept = [cell.id for cell in notebook.cells if cell.id not in had]
    order = [cell.id for cell in base.cells if cell.id not in had]
    known = set(order)
    moved = [cell_id for cell_id in kept if cell_id in known] != order
    left = sum(len(cell.source) for cell in had.values())
    return cells + len(had) + moved, characters + left


def _span(old: BaseCell | None, new: str) -> int:
    """Return how much of two texts lies between what they begin and end with alike."""
    was = "" if old is None else old.source
    shorter = min(len(was), len(new))
    start = next((at for at in range(shorter) if was[at] != new[at]), shorter)
    rest = shorter - start
    end = next((at for at in range(rest) if was[-1 - at] != new[-1 - at]), rest)
    return max(len(was), len(new)) - start - end
