"""What the front ends of a mirror know, and what they have to be told.

Events come in on the background thread, messages are taken out by the writer's. In between, changes
of one thing become one operation: a hundred keystrokes in a cell between two messages are one
splice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ... import models as m
from ...session.events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    KernelChanged,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PeopleChanged,
    RoleChanged,
)
from ...session.execution.outputs import stream_text
from .backlog import Pending
from .board import OutputBoard
from .cells import (
    Clock,
    cell_view,
    info_view,
    kernel_view,
    language_of,
    notebook_language,
    person_view,
    state_op,
    type_of,
)
from .ops import Edit, Fixed, Op, Text, Whole, same_state

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["MirrorState"]

FIRST_PART = 25_000  # characters of the first part of a snapshot: the first screenful soon
PART = 42_000  # below what is sent at one time, also with its quotes and newlines escaped
OUTPUT_SPACE = 400_000  # characters of outputs that a snapshot holds; the rest is asked for

Message = dict[str, Any]


class MirrorState:
    """The state of one mirror.

    Parameters
    ----------
    session
        The session that is mirrored.
    cells
        The ids of the cells to show; None for all.
    changed
        Called, on any thread, when there is something to `take`.

    Attributes
    ----------
    seq
        Number of the last patch.
    """

    def __init__(
        self, session: Session, cells: Iterable[str] | None, changed: Callable[[], None]
    ) -> None:
        self.session = session
        self.chosen = None if cells is None else frozenset(cells)
        self.seq = 0
        self.board = OutputBoard(session)
        self._changed = changed
        self._lock = threading.RLock()
        self._clock = Clock()
        self._sources: dict[str, str] = {}
        self._old: set[str] = set()  # cells whose text is another one than the one that ran
        self._states: dict[str, m.CellState] = {}
        self._people: dict[UUID, Any] = {}
        self._connection = (session.connection, "")
        self._pending = Pending()
        self._snapshot: list[Message] | None = None
        self._began = False  # before the first snapshot nobody knows anything

    # ------------------------------------------------------------------ taking

    def take(self) -> list[Message]:
        """Return what there is to send, in order; any thread may call this."""
        with self._lock:
            messages = self._snapshot or []
            self._snapshot = None
            ops = self._pending.take()
            if ops:
                self.seq += 1
                messages.append({"t": "patch", "seq": self.seq, "ops": ops})
            return messages

    # ------------------------------------------------------------------ the background thread

    def refresh(self) -> None:
        """Prepare a snapshot of everything; on the background thread."""
        session = self.session
        builder = session.client.builder
        shown = [c for c in builder.cells if self.chosen is None or c.id in self.chosen]
        with self._lock:
            self._pending.clear()
            self._sources = {cell.id: cell.source for cell in shown}
            self._states = dict(session.cell_states)
            self._old = {c.id for c in shown if self._is_old(c.id, c.source)}
            for cell in shown:
                state = self._states.get(cell.id)
                running = state is not None and state.state == "executing"
                if running and self._clock.milliseconds(cell.id) is None:
                    self._clock.note(cell.id, "executing")
            self._people = dict(session.people)
            self._connection = (session.connection, self._connection[1])
            self.board.reset([c for c in shown if isinstance(c, m.CodeCell)])
            parts: list[list[Any]] = [[]]
            size, left = 0, OUTPUT_SPACE
            for cell in shown:
                known = self.board.outputs(cell.id) if cell.cell_type == "code" else []
                view, taken = cell_view(
                    cell, self._states.get(cell.id), self._clock, known, left=left
                )
                if cell.id in self._old:
                    view["old"] = True
                left -= max(0, taken - len(cell.source))
                if parts[-1] and size + taken > (FIRST_PART if len(parts) == 1 else PART):
                    parts.append([])
                    size = 0
                parts[-1].append(view)
                size += taken
            self._snapshot = [
                {
                    "t": "snapshot",
                    "seq": self.seq,
                    "part": index,
                    "parts": len(parts),
                    "cells": cells,
                }
                for index, cells in enumerate(parts)
            ]
            self._snapshot[0] |= {
                "info": info_view(session, len(shown)),
                "role": session.role,
                "conn": list(self._connection),
                "kernel": kernel_view(session.kernel_session, session.client.kernel_state),
                "people": [person_view(person) for person in self._people.values()],
            }
            self._began = True
        self._changed()

    def on_event(self, event: Event) -> None:
        """Take an event of the session; on the background thread."""
        if not self._began:
            return
        if isinstance(event, ConnectionChanged) and event.state == "live":
            if self._connection[0] != "live":
                self._connection = ("live", event.detail)
                self.board.doubt()
                self.refresh()  # what happened meanwhile came as no event
            return
        with self._lock:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)
            changed = bool(self._pending)
        if changed:
            self._changed()

    def _shows(self, cell_id: str) -> bool:
        return cell_id in self._sources

    # ------------------------------------------------------------------ cells

    def _on_delta(self, event: DeltaApplied) -> None:
        delta = event.delta
        if isinstance(delta, m.CellContentsUpdate | m.CellContentsReplace):
            self._on_source(delta)
        elif isinstance(delta, m.CellOutputCollectionReplace):
            if self._shows(delta.resource_id):
                cell_id = delta.resource_id
                self.board.begin(cell_id, delta.properties.output_collection_id)
                self._whole_outputs(cell_id)
        elif isinstance(delta, m.NBCellsAdd):
            self._on_add(delta.properties.id)
        elif isinstance(delta, m.NBCellsDelete):
            self._on_delete(delta.properties.id)
        elif isinstance(delta, m.NBCellsMove):
            cell_id = delta.properties.id
            if self._shows(cell_id):
                after = self._before(cell_id)
                self._pending.put(lambda: ["mv", cell_id, after])
        elif isinstance(delta, m.CellMetadataReplace):
            self._on_type(delta.resource_id)
        elif isinstance(delta, m.NBMetadataUpdate):
            language = notebook_language(self.session)
            self._pending.put(lambda: ["info", {"language": language}], "info")

    def _on_source(self, delta: m.CellContentsUpdate | m.CellContentsReplace) -> None:
        cell_id = delta.resource_id
        before = self._sources.get(cell_id)
        if before is None:
            return
        cell = self.session.client.builder.cell(cell_id)
        self._sources[cell_id] = cell.source
        self._check_ran(cell_id, cell.source)
        author = None if delta.created_by_id is None else str(delta.created_by_id)
        edit: Edit | None = self._pending.get("src", cell_id)
        if edit is not None:
            edit.author = author
            return
        self._pending.put(Edit(self._sources, cell_id, before, author), "src", cell_id)

    def _is_old(self, cell_id: str, source: str) -> bool:
        state = self._states.get(cell_id)
        return state is not None and state.is_outdated(source)

    def _check_ran(self, cell_id: str, source: str) -> None:
        """Tell if the outputs of a cell belong to another text now, or do again."""
        old = self._is_old(cell_id, source)
        if old == (cell_id in self._old):
            return
        (self._old.add if old else self._old.discard)(cell_id)
        self._pending.put(Fixed(["old", cell_id, old]), "old", cell_id)

    def _before(self, cell_id: str) -> str | None:
        """Return the shown cell before this one, None at the top."""
        ids = self.session.client.cell_ids
        at = ids.index(cell_id) - 1
        while at >= 0 and not self._shows(ids[at]):
            at -= 1
        return ids[at] if at >= 0 else None

    def _on_add(self, cell_id: str) -> None:
        if self.chosen is not None and cell_id not in self.chosen:
            return
        cell = self.session.client.builder.cell(cell_id)
        after = self._before(cell_id)
        self._sources[cell_id] = cell.source
        if isinstance(cell, m.CodeCell):
            self.board.add(cell)
        state = self._states.get(cell_id)
        known = self.board.outputs(cell_id) if cell.cell_type == "code" else []
        view, _ = cell_view(cell, state, self._clock, known, left=PART)
        self._pending.put(lambda: ["add", after, view])

    def _on_delete(self, cell_id: str) -> None:
        if not self._shows(cell_id):
            return
        del self._sources[cell_id]
        self._old.discard(cell_id)
        self._clock.forget(cell_id)
        self.board.forget(cell_id)
        self._pending.seal(cell_id)
        self._pending.put(lambda: ["del", cell_id])

    def _on_type(self, cell_id: str) -> None:
        if not self._shows(cell_id):
            return
        cell = self.session.client.builder.cell(cell_id)
        op = ["type", cell_id, type_of(cell), language_of(cell)]
        self._pending.put(lambda: op)
        if isinstance(cell, m.CodeCell):
            self.board.add(cell)
            self._whole_outputs(cell_id)
        else:
            self.board.forget(cell_id)

    def _on_states(self, event: CellStatesChanged) -> None:
        before, now = self._states, event.states
        self._states = now
        for cell_id in before.keys() | now.keys():
            state = now.get(cell_id)
            if same_state(state, before.get(cell_id)) or not self._shows(cell_id):
                continue
            if state is not None:
                self._clock.note(cell_id, state.state)
            self._pending.put(partial(self.state_op, cell_id), "st", cell_id)
            self._check_ran(cell_id, self._sources[cell_id])
            if state is not None and state.state.startswith("finished"):
                self.board.finished(cell_id)

    # ------------------------------------------------------------------ outputs

    def _whole_outputs(self, cell_id: str) -> None:
        """Send all outputs of a cell anew, instead of whatever else of them is not sent yet."""
        self._pending.drop_outputs(cell_id)
        self._pending.put(lambda: self._outs_op(cell_id), "outs", cell_id)

    def _outs_op(self, cell_id: str) -> Op | None:
        outputs = self.board.outputs(cell_id)
        return None if outputs is None else ["outs", cell_id, [dict(o) for o in outputs]]

    def _on_output(self, event: OutputAppended | OutputContinued) -> None:
        output = event.output
        cell_id = self.board.cell_of(output.parent_collection_id)
        if cell_id is None or not self._shows(cell_id):
            return
        changed = self.board.take(cell_id, event)
        if not changed:
            return
        [view] = changed
        if isinstance(event, OutputAppended):
            if ("outs", cell_id) not in self._pending:
                self._pending.put(Whole("out+", cell_id, view), "out", cell_id, view["id"])
            return
        if self._goes_out_whole(cell_id, view):
            return
        text = stream_text(output)
        more: Text | None = self._pending.get("txt", cell_id, view["id"])
        if more is not None:
            more.add(text)
            return
        self._pending.put(Text(cell_id, view, text), "txt", cell_id, view["id"])

    def _goes_out_whole(self, cell_id: str, view: dict[str, Any]) -> bool:
        """Return whether an output is sent as it is by then anyway."""
        return ("outs", cell_id) in self._pending or any(
            (kind, cell_id, view["id"]) in self._pending for kind in ("out", "new")
        )

    def _on_cleared(self, event: OutputsCleared) -> None:
        cell_id = self.board.cell_of(event.collection_id)
        if cell_id is not None and self._shows(cell_id):
            self.board.take(cell_id, event)
            self._whole_outputs(cell_id)

    def _on_updated(self, event: OutputsUpdated) -> None:
        for cell_id, view in self.board.update(event):
            if self._shows(cell_id) and not self._goes_out_whole(cell_id, view):
                self._pending.put(Whole("out=", cell_id, view), "new", cell_id, view["id"])

    def outputs_loaded(self, cell_id: str, views: list[dict[str, Any]]) -> None:
        """Send a cell's outputs, which were fetched; on the background thread."""
        with self._lock:
            if not self._shows(cell_id) or not self._began:
                return
            self._pending.drop_outputs(cell_id)
            if self.board.outputs(cell_id) is not None:
                self._whole_outputs(cell_id)  # what comes until then goes along
            else:
                op = ["outs", cell_id, [dict(view) for view in views]]
                self._pending.put(Fixed(op), "outs", cell_id)
        self._changed()

    # ------------------------------------------------------------------ everything else

    def _on_people(self, event: PeopleChanged) -> None:
        before, now = self._people, event.people
        self._people = dict(now)
        for user_id in before.keys() - now.keys():
            self._pending.put(Fixed(["bye", str(user_id)]), "who", str(user_id))
        for user_id, person in now.items():
            old = before.get(user_id)
            if old is None or person_view(old) != person_view(person):
                self._pending.put(Fixed(["who", person_view(person)]), "who", str(user_id))

    def _on_kernel(self, event: KernelChanged) -> None:
        view = kernel_view(event.status, "")
        self._pending.put(lambda: ["ker", view], "ker")

    def _on_connection(self, event: ConnectionChanged) -> None:
        self._connection = (event.state, event.detail)
        self._pending.put(lambda: ["conn", event.state, event.detail], "conn")

    def _on_role(self, event: RoleChanged) -> None:
        self._pending.put(lambda: ["role", event.role], "role")

    def state_op(self, cell_id: str) -> Op:
        """Return the operation that gives a cell its present state."""
        return state_op(cell_id, self._states.get(cell_id), self._clock)


_HANDLERS: dict[type, Any] = {
    DeltaApplied: MirrorState._on_delta,
    CellStatesChanged: MirrorState._on_states,
    OutputAppended: MirrorState._on_output,
    OutputContinued: MirrorState._on_output,
    OutputsCleared: MirrorState._on_cleared,
    OutputsUpdated: MirrorState._on_updated,
    PeopleChanged: MirrorState._on_people,
    KernelChanged: MirrorState._on_kernel,
    ConnectionChanged: MirrorState._on_connection,
    RoleChanged: MirrorState._on_role,
}
