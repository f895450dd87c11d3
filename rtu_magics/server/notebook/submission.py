"""What becomes of a submitted delta before it enters a chain; pure functions."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from ...document import NotebookBuilder
from ...errors import SquashError
from ...models import FileDeltaBase, NBCellsAdd

__all__ = ["digest_of", "sealed"]

_FILLED_IN = ("parent_delta_id", "created_at", "created_by_id")


def digest_of(delta: FileDeltaBase) -> str:
    """Return a digest of what a client submitted, the same for a retry."""
    exclude: dict[str, Any] = dict.fromkeys(_FILLED_IN, True)
    if isinstance(delta, NBCellsAdd):
        # The properties' id counts; a cell without its own gets a random one with every parse.
        exclude["properties"] = {"cell": {"id"}}
    content = delta.model_dump_json(exclude=exclude)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def sealed(
    builder: NotebookBuilder, delta: FileDeltaBase, parent: UUID, author: UUID
) -> FileDeltaBase:
    """Return a delta as it enters the chain after `parent`, its properties put into normal form.

    It is completed in place: whoever hands it in has no other use for it. A ``before_id`` becomes
    the equivalent ``after_id``, because other clients drop it.
    """
    if isinstance(delta, NBCellsAdd):
        new = delta.properties
        after_id = new.after_id or None
        if new.before_id and not after_id:
            if new.before_id not in builder:
                raise SquashError(f"cell {new.before_id[:80]!r} is not in the notebook")
            index = builder.index_of(new.before_id)
            after_id = builder.nb.cells[index - 1].id if index else None
        cell = new.cell if new.cell.id == new.id else new.cell.model_copy(update={"id": new.id})
        properties = {"after_id": after_id, "before_id": None, "cell": cell}
        delta.properties = new.model_copy(update=properties)
    delta.parent_delta_id = parent
    delta.created_at = datetime.now(timezone.utc)
    delta.created_by_id = author
    return delta
