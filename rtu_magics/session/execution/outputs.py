"""The outputs of runs as somebody keeps them: folded from their events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from ..events import Event, OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated

if TYPE_CHECKING:
    from ...models import Output

__all__ = ["OutputFold", "stream_text"]

V = TypeVar("V")


def stream_text(output: Output) -> str:
    """Return the inline text of a stream output, empty when it is given by link."""
    content = output.content
    return content.raw if content is not None and content.raw is not None else ""


@dataclass(frozen=True)
class _Item(Generic[V]):
    collection_id: UUID
    displays: bool
    kept: V


class OutputFold(Generic[V]):
    """Outputs in order, as the events leave them; what is kept of each is the caller's affair.

    Pure. It holds the outputs of one collection, or of all those of a run.

    Parameters
    ----------
    made
        Makes what is kept of an output.
    grown
        Lets what is kept of a stream go on with a text.
    shown
        Lets what is kept of a display show something new.

    Examples
    --------
    Keeping lists of texts::

        fold = OutputFold(lambda output: [stream_text(output)], list.append, lambda kept, new: None)
        fold.take(OutputAppended(output))
        fold.take(OutputContinued(more))
        list(fold)
    """

    def __init__(
        self,
        made: Callable[[Output], V],
        grown: Callable[[V, str], object],
        shown: Callable[[V, OutputsUpdated], object],
    ) -> None:
        self._made = made
        self._grown = grown
        self._shown = shown
        self._items: dict[UUID, _Item[V]] = {}

    def __iter__(self) -> Iterator[V]:
        """Iterate over what is kept, in order, as it is now; from any thread."""
        return iter([item.kept for item in list(self._items.values())])

    def __len__(self) -> int:
        return len(self._items)

    def take(self, event: Event) -> list[V]:
        """Take an event; returns what changed or came by it, and nothing for other events."""
        if isinstance(event, OutputAppended):
            return self._append([event.output])
        if isinstance(event, OutputContinued):
            item = self._items.get(event.output.id)
            if item is None:
                return []
            self._grown(item.kept, stream_text(event.output))
            return [item.kept]
        if isinstance(event, OutputsUpdated):
            found = [self._items[i] for i in event.output_ids if i in self._items]
            changed = [item.kept for item in found if item.displays]
            for kept in changed:
                self._shown(kept, event)
            return changed
        if isinstance(event, OutputsCleared):
            return self.replace(event.collection_id, event.outputs)
        return []

    def replace(self, collection_id: UUID, outputs: Iterable[Output]) -> list[V]:
        """Make these a collection's outputs; those of others stay before them."""
        others = {i: item for i, item in self._items.items() if item.collection_id != collection_id}
        self._items = others
        return self._append(outputs)

    def _append(self, outputs: Iterable[Output]) -> list[V]:
        came = []
        for output in outputs:
            if output.id not in self._items:
                displays = output.type not in ("stream", "error")
                kept = self._made(output)
                self._items[output.id] = _Item(output.parent_collection_id, displays, kept)
                came.append(kept)
        return came
