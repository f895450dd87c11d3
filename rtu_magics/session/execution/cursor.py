"""Which outputs of a run have been passed on already, so that none is lost or doubled.

Pure: it is told what arrived and answers what is new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from ..events import Event, OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated
from .outputs import stream_text

if TYPE_CHECKING:
    from ...models import Output

__all__ = ["Progress"]


class Progress:
    """The outputs of one collection that were passed on.

    While everything arrives, the live events are passed on as they are. After a gap (the
    connection was lost) nobody knows which piece of a stream comes next, so from then on
    everything is taken from snapshots of the whole collection, see `catch_up`.
    """

    def __init__(self) -> None:
        self._seen: dict[UUID, int] = {}  # output id → characters of text passed on
        self._shown: dict[UUID, object] = {}  # output id → bundle passed on
        self.gapped = False

    def take(self, event: Event) -> bool:
        """Note a live event; returns whether it is to be passed on."""
        if isinstance(event, OutputAppended):
            if self.gapped or event.output.id in self._seen:
                return False
            self._note(event.output)
            return True
        if isinstance(event, OutputContinued):
            if self.gapped:
                return False
            self._seen[event.output.id] = self._seen.get(event.output.id, 0) + len(
                stream_text(event.output)
            )
            return True
        if isinstance(event, OutputsCleared):
            self._seen.clear()
            self._shown.clear()
            for output in event.outputs:
                self._note(output)
            return True
        if isinstance(event, OutputsUpdated):
            for output_id in event.output_ids:
                if output_id in self._shown:
                    self._shown[output_id] = event.data
            return True
        return True

    def catch_up(
        self, collection_id: UUID, outputs: Iterable[Output], cell_id: str | None = None
    ) -> list[Event]:
        """Compare with a snapshot of the collection; returns what has to be passed on.

        Parameters
        ----------
        collection_id
            The collection.
        outputs
            Its outputs now.
        cell_id
            The cell whose run it belongs to.
        """
        now = list(outputs)
        ids = {output.id for output in now}
        events: list[Event] = []
        if any(output_id not in ids for output_id in self._seen):
            execution_id = next((o.execution_id for o in now if o.execution_id), None)
            cleared = OutputsCleared(collection_id, tuple(now), cell_id, execution_id)
            self.take(cleared)
            return [cleared]
        for output in now:
            if output.id not in self._seen:
                self._note(output)
                events.append(OutputAppended(output))
            elif self._is_stream(output):
                text = stream_text(output)
                done = self._seen[output.id]
                if len(text) > done and output.content is not None:
                    rest = output.content.model_copy(update={"raw": text[done:]})
                    piece = output.model_copy(update={"content": rest, "continues": True})
                    self._seen[output.id] = len(text)
                    events.append(OutputContinued(piece))
            elif output.data is not None and not self._shows_still(output):
                self._shown[output.id] = output.data
                events.append(
                    OutputsUpdated(
                        (output.id,),
                        output.data,
                        output.metadata or {},
                        output.display_id,
                        output.execution_id,
                        output.links or {},
                    )
                )
        return events

    def shows(self, output_ids: Iterable[UUID]) -> bool:
        """Whether one of these outputs has been passed on."""
        return any(output_id in self._seen for output_id in output_ids)

    def compact(self) -> None:
        """Keep digests of the bundles instead of the bundles: the run is over."""
        self._shown = {output_id: _digest(shown) for output_id, shown in self._shown.items()}

    def _note(self, output: Output) -> None:
        self._seen[output.id] = len(stream_text(output)) if self._is_stream(output) else 0
        if output.data is not None:
            self._shown[output.id] = output.data

    def _shows_still(self, output: Output) -> bool:
        shown = self._shown.get(output.id)
        return shown == (_digest(output.data) if isinstance(shown, bytes) else output.data)

    @staticmethod
    def _is_stream(output: Output) -> bool:
        return output.type == "stream"


def _digest(shown: object) -> bytes:
    if isinstance(shown, bytes):
        return shown
    return hashlib.blake2b(json.dumps(shown, sort_keys=True, default=str).encode()).digest()
