"""What front ends have to be told and have not been yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ops import Op, nothing

__all__ = ["Pending"]

_OUTPUT_KINDS = ("out", "new", "txt")


class Pending:
    """Operations in the order in which they are to be sent.

    One that was put with a key, such as ``("src", cell_id)``, takes in what comes with the same key
    later, in its place. Keys are the kind of the operation and what it is about.
    """

    def __init__(self) -> None:
        self._makers: list[Callable[[], Op | None]] = []
        self._open: dict[tuple[str, ...], int] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._makers)

    def __contains__(self, key: tuple[str, ...]) -> bool:
        """Whether there is an operation with this key that takes in more."""
        return key in self._open

    def put(self, make: Callable[[], Op | None], *key: str) -> None:
        """Add an operation; one with the same key takes the place of the earlier one.

        Parameters
        ----------
        make
            Returns the operation when it is sent, None when there is nothing to send any more.
        key
            Nothing for an operation that stands for itself.
        """
        if key:
            at = self._open.get(key)
            if at is not None:
                self._makers[at] = make
                return
            self._open[key] = len(self._makers)
        self._makers.append(make)

    def get(self, *key: str) -> Any:
        """Return the operation with a key as it was put, so that more goes into it, or None."""
        at = self._open.get(key)
        return None if at is None else self._makers[at]

    def seal(self, cell_id: str) -> None:
        """Let nothing more go into the operations of a cell."""
        for key in [key for key in self._open if cell_id in key]:
            del self._open[key]

    def drop_outputs(self, cell_id: str) -> None:
        """Send nothing of what was put of single outputs of a cell."""
        for key in [key for key in self._open if key[0] in _OUTPUT_KINDS and key[1] == cell_id]:
            self._makers[self._open.pop(key)] = nothing

    def clear(self) -> None:
        """Forget everything."""
        self._makers.clear()
        self._open.clear()

    def take(self) -> list[Op]:
        """Return what there is to send now, and forget it."""
        ops = [op for make in self._makers if (op := make()) is not None]
        self.clear()
        return ops
