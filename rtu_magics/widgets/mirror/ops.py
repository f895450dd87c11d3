"""Operations that wait to be sent: each is made when it is, of what there is by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .text import splices

if TYPE_CHECKING:
    from ...models import CellState

__all__ = ["Edit", "Fixed", "Op", "Text", "Whole", "nothing", "same_state"]

Op: TypeAlias = list[Any]


def nothing() -> Op | None:
    """Make nothing: what stood here is not to be sent any more."""
    return None


def same_state(one: CellState | None, other: CellState | None) -> bool:
    """Return whether two states are the same to a reader."""
    # Every event holds every cell: compared by hand, which takes a fraction of the models' time.
    if one is None or other is None:
        return one is other
    return (
        one.state == other.state
        and one.execution_id == other.execution_id
        and one.execution_count == other.execution_count
        and one.cause == other.cause
        and one.waiting_for_input == other.waiting_for_input
    )


class Fixed:
    """An operation that is known already."""

    def __init__(self, op: Op) -> None:
        self.op = op

    def __call__(self) -> Op:
        """Return the operation."""
        return self.op


class Edit:
    """A cell's text, from what the front ends have to what it is when this is sent."""

    def __init__(
        self, sources: dict[str, str], cell_id: str, before: str, author: str | None
    ) -> None:
        self.sources, self.cell_id, self.before, self.author = sources, cell_id, before, author

    def __call__(self) -> Op | None:
        """Return the operation, None when there is nothing to send any more."""
        now = self.sources.get(self.cell_id)
        if now is None:  # deleted since
            return None
        made: Op = ["src", self.cell_id, splices(self.before, now)]
        return [*made, self.author] if self.author is not None else made


class Text:
    """More text of a stream."""

    LIMIT = 60_000  # characters; of more, the whole stream as it is kept is less

    def __init__(self, cell_id: str, view: dict[str, Any], text: str) -> None:
        self.cell_id, self.view, self.pieces, self.length = cell_id, view, [text], len(text)

    def add(self, text: str) -> None:
        """Let it go on."""
        self.length += len(text)
        if self.length <= self.LIMIT:
            self.pieces.append(text)

    def __call__(self) -> Op:
        """Return the operation."""
        if self.length > self.LIMIT:
            return ["out=", self.cell_id, dict(self.view)]
        return ["txt", self.cell_id, self.view["id"], "".join(self.pieces)]


class Whole:
    """An output as it is when this is sent."""

    def __init__(self, kind: str, cell_id: str, view: dict[str, Any]) -> None:
        self.kind, self.cell_id, self.view = kind, cell_id, view

    def __call__(self) -> Op:
        """Return the operation."""
        return [self.kind, self.cell_id, dict(self.view)]
