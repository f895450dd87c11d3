"""Which cells come, go and move when one order of them becomes another; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ...document import longest_rising

__all__ = ["Rearranged", "rearrange"]


@dataclass(slots=True)
class Rearranged:
    """What makes one order of another, to be done in this sequence.

    Attributes
    ----------
    gone
        Ids that leave.
    placed
        Id, the one after which it goes (None: the top), and whether it is new.
    """

    gone: list[str] = field(default_factory=list)
    placed: list[tuple[str, str | None, bool]] = field(default_factory=list)


def rearrange(
    have: Sequence[str],
    want: Sequence[str],
    anew: Collection[str] = (),
    moving: Collection[str] = (),
) -> Rearranged:
    """Return the fewest steps from one order of cells to another.

    Parameters
    ----------
    have, want
        Ids, each once.
    anew
        Those among both that have to leave and come again.
    moving
        Those that are to be moved rather than others, where either would do.

    Examples
    --------
    >>> rearrange(["a", "b", "c"], ["c", "a", "new"])
    Rearranged(gone=['b'], placed=[('a', 'c', False), ('new', 'a', True)])
    """
    if list(have) == list(want) and not anew:
        return Rearranged()
    wanted = set(want) - set(anew)
    found = Rearranged([cell_id for cell_id in have if cell_id not in wanted])
    ranks = {cell_id: at for at, cell_id in enumerate(want)}
    known = {cell_id for cell_id in have if cell_id in wanted}
    resting = (one for one in have if one in known and one not in moving)
    staying = longest_rising([ranks[cell_id] for cell_id in resting])
    previous: str | None = None
    for at, cell_id in enumerate(want):
        if cell_id not in known:
            found.placed.append((cell_id, previous, True))
        elif at not in staying:
            found.placed.append((cell_id, previous, False))
        previous = cell_id
    return found
