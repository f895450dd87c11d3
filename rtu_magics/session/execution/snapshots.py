"""What was missed of a run's outputs, fetched: snapshots of its collections."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from ...errors import APIError
from ..context import Context
from ..events import Event
from .fetch import with_streams
from .run_outputs import RunOutputs

__all__ = ["missed_outputs", "shown_by"]

logger = logging.getLogger(__name__)


def shown_by(context: Context, targets: Iterable[str]) -> dict[str, UUID]:
    """Return the collection that each cell shows now, of those that show one."""
    found = {cell_id: context.collection_of(cell_id) for cell_id in targets}
    return {cell_id: one for cell_id, one in found.items() if one is not None}


async def missed_outputs(
    context: Context, outputs: RunOutputs, targets: Iterable[str]
) -> AsyncIterator[Event]:
    """Yield what snapshots of a run's collections hold that was not passed on.

    Parameters
    ----------
    context
        Where it runs.
    outputs
        Which of its outputs were passed on.
    targets
        The run's cells.

    Raises
    ------
    RTUError
        One cannot be fetched; what came before it is passed on.
    """
    for cell_id in targets:
        # What a cell shows now may be another run's, or be cleared and go on with this one's:
        known = (outputs.collections.get(cell_id), context.collection_of(cell_id))
        for collection_id in filter(None, dict.fromkeys(known)):
            try:
                found = await context.api.get_output_collection(collection_id)
            except APIError as exc:
                logger.debug("no output collection: %s", exc)
                continue
            for event in outputs.missed(cell_id, await with_streams(context.api, found)):
                yield event
