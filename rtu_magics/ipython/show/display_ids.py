"""Which local display shows which remote output."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from ...models import Output
    from ...session import Session

__all__ = ["DisplayIds", "display_ids"]


class DisplayIds:
    """Which local display shows which remote output.

    A remote ``display_id`` is only unique in its kernel, so the local one carries the run in its
    name. One instance serves a session: a later run may update what an earlier one displayed.

    Parameters
    ----------
    limit
        The number of outputs to remember; the oldest are forgotten.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._local: OrderedDict[UUID, str] = OrderedDict()

    def assign(self, output: Output) -> str | None:
        """Return the local display id for a new output, None if it has no remote one."""
        if output.display_id is None:
            return None
        run = output.execution_id or output.parent_collection_id
        local = f"rtu-{run.hex[:12]}-{output.display_id}"
        self._local[output.id] = local
        while len(self._local) > self._limit:
            self._local.popitem(last=False)
        return local

    def find(self, output_ids: tuple[UUID, ...]) -> list[str]:
        """Return the local displays of these outputs, each once."""
        return list(dict.fromkeys(self._local[i] for i in output_ids if i in self._local))


_display_ids: weakref.WeakKeyDictionary[Session, DisplayIds] = weakref.WeakKeyDictionary()


def display_ids(session: Session) -> DisplayIds:
    """Return a session's display ids: a later run may update what an earlier one displayed."""
    return _display_ids.setdefault(session, DisplayIds())
