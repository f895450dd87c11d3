"""The outputs of runs as somebody keeps them: fetched whole, and folded from their events.

Large entries come by link; here they are put where they belong.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from ...document import is_binary
from ...errors import RTUError
from ..events import Event, OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated

if TYPE_CHECKING:
    from ...client import APIClient
    from ...models import Output, OutputCollection

__all__ = [
    "OutputFold",
    "fetch_bundle",
    "fetch_collection",
    "fetch_stream",
    "stream_text",
    "with_streams",
]

logger = logging.getLogger(__name__)

V = TypeVar("V")

TIMEOUT = 60.0  # seconds; the content may be some ten MB over a slow line


def stream_text(output: Output) -> str:
    """Return the inline text of a stream output, empty when it is given by link."""
    content = output.content
    return content.raw if content is not None and content.raw is not None else ""


async def fetch_bundle(api: APIClient, links: dict[str, str]) -> dict[str, Any]:
    """Fetch entries of a mimebundle.

    Parameters
    ----------
    api
        The client of the server that made the links.
    links
        Their addresses by mimetype.

    Returns
    -------
    dict
        The entries as a kernel sends them: base64 for binary types, objects for JSON. One that
        cannot be fetched is left out.
    """
    found: dict[str, Any] = {}
    for mimetype, url in links.items():
        try:
            content = (await api.rest.request("GET", url, timeout=TIMEOUT)).content
            if is_binary(mimetype):
                found[mimetype] = base64.b64encode(content).decode()
            elif mimetype == "application/json" or mimetype.endswith("+json"):
                found[mimetype] = json.loads(content)
            else:
                found[mimetype] = content.decode()
        except (RTUError, ValueError) as exc:
            logger.warning("an entry of an output (%s) cannot be fetched: %s", mimetype, exc)
    return found


async def fetch_collection(api: APIClient, collection_id: UUID) -> OutputCollection:
    """Return a collection as it is now, with its streams' text in it.

    Raises
    ------
    APIError
        It is gone.
    RTUError
        A stream cannot be fetched, or the server cannot be reached.
    """
    return await with_streams(api, await api.get_output_collection(collection_id))


async def with_streams(api: APIClient, collection: OutputCollection) -> OutputCollection:
    """Return a collection with its streams' text in it, fetched where it comes by link.

    Raises
    ------
    RTUError
        One cannot be fetched.
    """
    outputs = [await fetch_stream(api, output) for output in collection.outputs]
    return collection.model_copy(update={"outputs": outputs})


async def fetch_stream(api: APIClient, output: Output) -> Output:
    """Return a stream output with its text in it, fetched if it comes by link.

    Raises
    ------
    RTUError
        It cannot be fetched.
    """
    content = output.content
    if output.type != "stream" or content is None or content.raw is not None or not content.url:
        return output
    text = (await api.rest.request("GET", content.url, timeout=TIMEOUT)).content.decode()
    return output.model_copy(update={"content": content.model_copy(update={"raw": text})})


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
