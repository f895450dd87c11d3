"""The outputs of one run: taken from the kernel, streamed to everybody, stored.

`LiveCollection` holds them while the run goes on and afterwards for the notebook on disk. Messages
pile up in it between two flushes; what goes out then is the least that brings everybody up to date:
one piece of text per stream, nothing of what was cleared meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from ...document import Appended, Cleared, Continued, OutputReducer, RunOutput, Updated
from ...models import (
    CellOutput,
    Output,
    OutputCollection,
    StreamOutput,
    UpdateOutputsByDisplayIdEventData,
)
from ..store import AnyConnection, runs
from ..wire.frames import LINK_BASE
from .truncation import without_link
from .wire_form import (
    MAX_EVENT_INLINE,
    MAX_REST_INLINE,
    STORED_BASE,
    LinkMaker,
    body_of,
    from_body,
    from_stored,
    pieces,
    representation,
    split_bundle,
    when,
    wire_output,
)

__all__ = ["LiveCollection"]

_DISPLAYS = ("display_data", "execute_result")


@dataclass(slots=True)
class _Recorded:
    id: UUID
    output: RunOutput
    created_at: float
    updated_at: float
    unsent: list[str] | None = None  # a stream's text that has not gone out; None: all unknown yet
    unstored: list[str] = field(default_factory=list)
    chunks_stored: int = 0
    stored: bool = False
    stored_once: bool = False


class LiveCollection:
    """The outputs of one run of one cell.

    Parameters
    ----------
    collection_id, file_id, cell_id, execution_id
        What it is and where it belongs.
    link
        Makes links for content that does not go inline.
    private_to
        The only one who may see it; None for everybody who may read the notebook.
    """

    def __init__(
        self,
        collection_id: UUID,
        file_id: UUID,
        cell_id: str | None,
        execution_id: UUID | None,
        *,
        link: LinkMaker,
        created_at: float | None = None,
        private_to: UUID | None = None,
    ) -> None:
        self.id = collection_id
        self.private_to = private_to
        self.file_id = file_id
        self.cell_id = cell_id
        self.execution_id = self.run_id = execution_id
        self.authors: set[UUID] = set()  # whose runs its outputs are of; none if that is not known
        self.created_at = self.updated_at = time.time() if created_at is None else created_at
        self.execution_count: int | None = None
        self._link = link
        self._reducer = OutputReducer()
        self._outputs: list[_Recorded] = []
        self._events: list[tuple[str, Any]] = []
        self._clear_store = False
        self._dirty = False

    # Taking

    def take(self, message: Mapping[str, Any]) -> str | None:
        """Take one iopub message; returns the display id that other runs may have to update."""
        foreign = None
        for change in self._reducer.process(message):
            self.updated_at = time.time()
            self._dirty = True
            match change:
                case Appended(output=output):
                    self._append(output)
                case Continued(index=index, text=text):
                    recorded = self._outputs[index]
                    assert recorded.unsent is not None
                    if not recorded.unsent:
                        self._events.append(("text", recorded))
                    recorded.unsent.append(text)
                    recorded.unstored.append(text)
                    recorded.updated_at = self.updated_at
                case Updated(display_id=display_id):
                    self._updated(change, self.run_id)
                    foreign = display_id
                case Cleared():
                    self._clear()
        if self._reducer.execution_count is not None:
            self.execution_count = self._reducer.execution_count
        return foreign

    def append_error(self, ename: str, evalue: str, traceback: list[str] | None = None) -> None:
        """Add an error output of the server's own, for example for a kernel that died."""
        lines = traceback or [f"\x1b[31m{ename}\x1b[0m: {evalue}"]
        self.take(
            {
                "msg_type": "error",
                "content": {"ename": ename, "evalue": evalue, "traceback": lines},
            }
        )

    def update_display(
        self, display_id: str, content: Mapping[str, Any], execution_id: UUID | None
    ) -> bool:
        """Show something new under a display id that another run updated; whether it was here."""
        change = self._reducer.update_display(display_id, content)
        if not change.indexes:
            return False
        self.updated_at = time.time()
        self._dirty = True
        self._updated(change, execution_id)
        return True

    def adopt(self, bodies: list[dict[str, Any]]) -> None:
        """Take outputs as they are stored, or as a notebook file holds them."""
        for body in bodies:
            self._adopt(from_body(body))
        self._dirty = True

    def _adopt(self, output: RunOutput) -> None:
        self._reducer.adopt(output)
        self._append(output)

    def _append(self, output: RunOutput) -> None:
        recorded = _Recorded(uuid4(), output, self.updated_at, self.updated_at)
        if output.output_type == "stream":
            recorded.unsent = [output.text]
            recorded.unstored = [output.text]
        self._outputs.append(recorded)
        # As it is now: an update before the next flush replaces its data, and is sent as well.
        shown = replace(output) if output.output_type in _DISPLAYS else output
        self._events.append(("append", (recorded, shown)))

    def _updated(self, change: Updated, execution_id: UUID | None) -> None:
        if not change.indexes:
            return
        for index in change.indexes:
            self._outputs[index].updated_at = self.updated_at
            self._outputs[index].stored = False
        self._events.append(("update", (change, execution_id)))

    def _clear(self) -> None:
        sent_nothing = bool(self._events) and all(kind == "append" for kind, _ in self._events)
        nothing_before = sent_nothing and len(self._events) == len(self._outputs)
        self._outputs = []
        self._events = [] if nothing_before else [("clear", None)]
        self._clear_store = True

    # Passing on

    @property
    def is_empty(self) -> bool:
        """Whether it has no outputs and no count: nothing of a run to be seen."""
        return not self._outputs and self.execution_count is None

    @property
    def has_error(self) -> bool:
        """Whether one of its outputs is an error."""
        return any(one.output.output_type == "error" for one in self._outputs)

    @property
    def has_unstored(self) -> bool:
        """Whether anything has to be stored."""
        return self._dirty

    @property
    def has_events(self) -> bool:
        """Whether anything has to go out."""
        return bool(self._events)

    def drain(self) -> list[tuple[str, str]]:
        """Return what has to go out, in order: event and data (JSON) of each."""
        events, self._events = self._events, []
        out: list[tuple[str, str]] = []
        for kind, subject in events:
            if kind == "append":
                out += self._drain_append(*subject)
            elif kind == "text":
                out += self._drain_text(subject)
            elif kind == "update":
                out.append(("update_outputs_by_display_id_event", self._update_data(*subject)))
            else:
                data = self._bounded(lambda limit: self.to_wire(limit, only=0))
                out.append(("update_output_collection_event", data))
        return out

    def _drain_append(self, recorded: _Recorded, shown: RunOutput) -> list[tuple[str, str]]:
        if recorded.unsent is None:
            data = self._bounded(lambda limit: self._wire(recorded, limit, output=shown))
            return [("append_output_event", data)]
        text, recorded.unsent = "".join(recorded.unsent), []
        head = next(pieces(text), "")
        first = self._wire(recorded, MAX_EVENT_INLINE, head).model_dump_json()
        return [("append_output_event", first), *self._continued(recorded, text[len(head) :])]

    def _drain_text(self, recorded: _Recorded) -> list[tuple[str, str]]:
        text, recorded.unsent = "".join(recorded.unsent or ()), []
        return self._continued(recorded, text)

    def _continued(self, recorded: _Recorded, text: str) -> list[tuple[str, str]]:
        out = []
        for part in pieces(text):
            piece = self._wire(recorded, MAX_EVENT_INLINE, part)
            piece.continues = True
            out.append(("append_output_event", piece.model_dump_json()))
        return out

    def _update_data(self, change: Updated, execution_id: UUID | None) -> str:
        first = self._outputs[change.indexes[0]]

        def build(limit: int) -> UpdateOutputsByDisplayIdEventData:
            data, content, _ = split_bundle(change.data, lambda m: self._link(first.id, m), limit)
            return UpdateOutputsByDisplayIdEventData(
                output_ids=[self._outputs[index].id for index in change.indexes],
                content=content,
                available_mimetypes=list(change.data),
                display_id=change.display_id,
                data=data,
                metadata=change.metadata,
                execution_id=execution_id,
            )

        return self._bounded(build)

    @staticmethod
    def _bounded(build: Callable[[int], Any]) -> str:
        """Return the JSON of something with as much inline as fits into a frame."""
        text = ""
        for limit in (MAX_EVENT_INLINE, 16 * 1024, 512):
            text = str(build(limit).model_dump_json())
            if len(text.encode()) < 3 * MAX_EVENT_INLINE:
                break
        return text

    def _wire(
        self,
        recorded: _Recorded,
        limit: int,
        text: str | None = None,
        output: RunOutput | None = None,
    ) -> Output:
        return wire_output(
            output or recorded.output,
            recorded.id,
            self.id,
            self._link,
            limit,
            created_at=recorded.created_at,
            updated_at=recorded.updated_at,
            text=text,
            execution_id=self.run_id,
            cell_id=self.cell_id,
        )

    def to_wire(self, limit: int = MAX_REST_INLINE, only: int | None = None) -> OutputCollection:
        """Return the collection as the protocol shows it, with texts up to a limit inline."""
        return OutputCollection(
            id=self.id,
            created_at=when(self.created_at),
            updated_at=when(self.updated_at),
            file_id=self.file_id,
            cell_id=self.cell_id,
            execution_id=self.run_id,
            execution_count=self.execution_count,
            outputs=[self._wire(recorded, limit) for recorded in self._outputs[:only]],
        )

    def wire_pieces(self) -> Iterator[str]:
        """Yield the JSON of `to_wire`, an output at a time, as each is when its turn comes."""
        outputs = list(self._outputs)
        head, _, tail = self.to_wire(only=0).model_dump_json().rpartition('"outputs":[]')
        yield f'{head}"outputs":['
        for number, recorded in enumerate(outputs):
            one = self._wire(recorded, MAX_REST_INLINE).model_dump_json()
            yield f",{one}" if number else one
        yield f"]{tail}"

    def to_nbformat(self) -> list[CellOutput]:
        """Return the outputs as they stand in a notebook file."""
        found = [recorded.output.to_nbformat() for recorded in self._outputs]
        for output in found:
            if isinstance(output, StreamOutput):
                output.text = without_link(output.text)
        return found

    def bodies(self) -> list[dict[str, Any]]:
        """Return the outputs as `adopt` takes them, with what a notebook file has no place for."""
        found = []
        for recorded in self._outputs:
            body = body_of(recorded.output)
            if recorded.output.output_type == "stream":
                body["text"] = without_link(recorded.output.text)
            found.append(body)
        return found

    def stream_texts(self) -> Iterator[str]:
        """Return the text of every stream, in order."""
        return (r.output.text for r in self._outputs if r.output.output_type == "stream")

    def content_of(self, output_id: UUID, mimetype: str) -> str | None:
        """Return one representation of one output as text, or None."""
        for recorded in self._outputs:
            if recorded.id == output_id:
                return representation(recorded.output, mimetype)
        return None

    # Storing

    def create(self, connection: AnyConnection) -> None:
        """Store the empty collection."""
        runs.insert_collection(
            connection,
            self.id,
            self.file_id,
            cell_id=self.cell_id,
            execution_id=self.execution_id,
            created_at=self.created_at,
            execution_count=self.execution_count,
            authors=self.authors,
        )

    def store(self, connection: AnyConnection) -> None:
        """Store what is new since the last time."""
        if not self._dirty:
            return
        if self._clear_store:
            runs.clear_outputs(connection, self.id)
        new, replaced, chunks = [], [], []
        for position, recorded in enumerate(self._outputs):
            if not recorded.stored:
                body = json.dumps(body_of(recorded.output))
                new.append((recorded.id, position, recorded.created_at, body))
                if recorded.stored_once:
                    replaced.append(recorded.id)
                recorded.stored = recorded.stored_once = True
            if recorded.unstored:
                text = "".join(recorded.unstored).replace(LINK_BASE, STORED_BASE)
                chunks.append((recorded.id, recorded.chunks_stored, text))
                recorded.chunks_stored += 1
                recorded.unstored = []
        runs.put_outputs(connection, self.id, new, replaced)
        runs.put_chunks(connection, chunks)
        runs.touch_collection(connection, self.id, self.execution_count, self.authors)
        self._dirty = self._clear_store = False

    def store_again(self) -> None:
        """Store everything next time: a transaction that held parts of it was rolled back."""
        self._clear_store = self._dirty = True
        for recorded in self._outputs:
            recorded.stored, recorded.chunks_stored = False, 0
            if recorded.output.output_type == "stream":
                recorded.unstored = [recorded.output.text]

    def take_stored(self, stored: Iterable[tuple[UUID, Any, Any, Any]]) -> None:
        """Hold what the store has: id, body and times of each output, nothing of it to be sent."""
        for output_id, body, created, updated in stored:
            self._adopt(from_stored(body))
            recorded = self._outputs[-1]
            recorded.id, recorded.created_at, recorded.updated_at = output_id, created, updated
            recorded.stored, recorded.unsent, recorded.unstored = True, [], []
            recorded.stored_once = True
        self._events, self._dirty = [], False
