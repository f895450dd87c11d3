"""Where the cells stand, as plain data that any thread may keep.

The document belongs to the background loop. Whoever needs the order of its cells elsewhere gets
this: made on the loop when the order has changed since it was last asked for, and never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..foreign import shown
from .thread import on_loop

if TYPE_CHECKING:
    from ..client import RTUClient
    from ..document import NotebookBuilder

__all__ = ["LatestPositions", "Positions", "short_ids"]


@dataclass(frozen=True)
class Positions:
    """The cells of a notebook in order.

    Attributes
    ----------
    ids
        Their ids.

    Examples
    --------
    >>> Positions(("0123456789ab", "cd")).label("cd")
    '2 (cd)'
    >>> Positions(("a",)).label("a cell that has gone")
    'a cell t'
    """

    ids: tuple[str, ...]

    @cached_property
    def short(self) -> Mapping[str, str]:
        """For each id as much of its beginning as names it."""
        return short_ids(self.ids)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The 0-based position of each cell."""
        return {cell_id: at for at, cell_id in reversed(list(enumerate(self.ids)))}

    def label(self, cell_id: str) -> str:
        """Return how to show a cell to people: its position and the beginning of its id."""
        at = self.index.get(cell_id)
        return shown(cell_id[:8] if at is None else f"{at + 1} ({self.short[cell_id]})")


class LatestPositions:
    """Returns the present `Positions` of a client's notebook, to any thread.

    Parameters
    ----------
    client
        The client; loading its notebook anew gives it another builder.
    """

    def __init__(self, client: RTUClient) -> None:
        self._client = client
        self._known: tuple[NotebookBuilder, int, Positions] | None = None

    def __call__(self) -> Positions:
        """Return them; the loop is asked only if the order is another one than the last time."""
        known, builder = self._known, self._client.builder
        if known is not None and known[0] is builder and known[1] == builder.order_number:
            return known[2]
        return on_loop(self._read)

    def _read(self) -> Positions:
        builder = self._client.builder
        number = builder.order_number
        found = Positions(tuple(builder.cell_ids))
        self._known = builder, number, found
        return found


def short_ids(ids: Sequence[str], least: int = 8) -> dict[str, str]:
    """Return for each cell id as much of its beginning as names it.

    Examples
    --------
    >>> short_ids(["0123456789ab", "0123456799ab", "1"])
    {'0123456789ab': '012345678', '0123456799ab': '012345679', '1': '1'}
    """
    ordered = sorted(ids)
    found: dict[str, str] = {}
    for before, cell_id, after in zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False):
        same = max(_common(cell_id, before), _common(cell_id, after))
        found[cell_id] = cell_id[: max(least, same + 1)]
    return {cell_id: found[cell_id] for cell_id in ids}


def _common(one: str, other: str) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
