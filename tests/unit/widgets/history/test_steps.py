"""A log becomes steps that lead from each state of the notebook to the next, and back."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from rtu_magics import models as m
from rtu_magics.document import NotebookBuilder, make_patch
from rtu_magics.widgets.history.steps import past_of

FILE = uuid4()
PEOPLE = {name: str(uuid4()) for name in ("Ada", "Bob")}


class Book:
    """What the front end holds."""

    def __init__(self, cells: list[dict[str, Any]]) -> None:
        self.cells = [dict(cell) for cell in cells]

    def at(self, cell_id: str | None) -> int:
        return -1 if cell_id is None else [c["id"] for c in self.cells].index(cell_id)

    def apply(self, ops: list[list[Any]]) -> None:
        for kind, cell_id, *rest in ops:
            if kind == "add":
                self.cells.insert(self.at(cell_id) + 1, dict(rest[0]))
            elif kind == "del":
                del self.cells[self.at(cell_id)]
            elif kind == "mv":
                cell = self.cells.pop(self.at(cell_id))
                self.cells.insert(self.at(rest[0]) + 1, cell)
            elif kind == "type":
                self.cells[self.at(cell_id)]["type"] = rest[0]
            else:
                cell = self.cells[self.at(cell_id)]
                for at, gone, come in reversed(rest[0]):
                    text = cell["src"]
                    cell["src"] = text[:at] + come + text[at + gone :]

    @property
    def now(self) -> list[tuple[str, str, str]]:
        return [(cell["id"], cell["type"], cell["src"]) for cell in self.cells]


class History:
    """A chain of deltas as the server's log tells it."""

    def __init__(self) -> None:
        self.start = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
        self.builder = NotebookBuilder(m.Notebook())
        self.deltas: list[dict[str, Any]] = []
        self.states = [self.now]

    @property
    def now(self) -> list[tuple[str, str, str]]:
        return [(c.id, str(c.cell_type), c.source) for c in self.builder.cells]

    def do(self, kind: str, action: str, who: str, properties: Any, resource: str | None) -> None:
        raw = {
            "id": str(uuid4()),
            "file_id": str(FILE),
            "delta_type": kind,
            "delta_action": action,
            "resource_id": resource or "__NULL_RESOURCE__",
            "parent_delta_id": None,
            "properties": properties,
            "created_at": "2026-01-02T03:04:05Z",
            "created_by_id": PEOPLE[who],
            "author": {"user_id": PEOPLE[who], "name": who},
        }
        self.builder.apply_delta(m.FileDeltaAdapter.validate_python(raw))
        self.deltas.append(raw)
        self.states.append(self.now)

    def log(self) -> m.DeltaLog:
        return m.DeltaLog.model_validate(
            {"start": {"version_id": None, "notebook": self.start}, "deltas": self.deltas}
        )


def play(history: History, choice: int, place: int, text: str, who: str) -> None:
    ids = history.builder.cell_ids
    chosen = ids[place % len(ids)] if ids else None
    if choice == 0 or chosen is None:
        cell_id = uuid4().hex
        cell = {"cell_type": "code", "id": cell_id, "source": text, "metadata": {}, "outputs": []}
        properties = {"id": cell_id, "cell": cell, "after_id": chosen}
        history.do("nb_cells", "add", who, properties, None)
    elif choice == 1:
        history.do("nb_cells", "delete", who, {"id": chosen}, None)
    elif choice == 2:
        after = ids[(place // 7) % len(ids)]
        after_id = None if after == chosen else after
        history.do("nb_cells", "move", who, {"id": chosen, "after_id": after_id}, None)
    elif choice == 3:
        patch = make_patch(history.builder.cell(chosen).source, text)
        history.do("cell_contents", "update", who, {"patch": patch}, chosen)
    elif choice == 4:
        history.do("cell_execute", "execute", who, None, chosen)
    else:
        properties = {"type": "markdown", "language": "markdown"}
        history.do("cell_metadata", "replace", who, properties, chosen)


choices = st.tuples(
    st.integers(0, 5),
    st.integers(0, 200),
    st.text(max_size=30),
    st.sampled_from(sorted(PEOPLE)),
)


@given(st.lists(choices, max_size=25))
def test_each_step_leads_to_the_next_state_and_back(moves: list[Any]) -> None:
    history = History()
    for move in moves:
        play(history, *move)
    past = past_of([history.log()])
    assert len(past.steps) == len(history.deltas)
    book = Book(past.cells)
    assert book.now == history.states[0]
    for step, state in zip(past.steps, history.states[1:], strict=True):
        book.apply(step.ops)
        assert book.now == state
    for step, state in zip(reversed(past.steps), reversed(history.states[:-1]), strict=True):
        book.apply(step.back)
        assert book.now == state
    who = [past.authors[step.author][1] for step in past.steps]
    names = {user_id: name for name, user_id in PEOPLE.items()}
    assert who == [names[delta["created_by_id"]] for delta in history.deltas]


def test_a_restored_version_is_a_step() -> None:
    first, second = History(), History()
    play(first, 0, 0, "one", "Ada")
    play(second, 0, 0, "two", "Bob")
    again = second.log()
    again.start.notebook = {
        **second.start,
        "cells": [{"cell_type": "markdown", "id": "kept", "source": "kept", "metadata": {}}],
    }
    again.deltas = []
    past = past_of([first.log(), again])
    assert [step.what for step in past.steps] == ["added", "restored a version"]
    book = Book(past.cells)
    for step in past.steps:
        book.apply(step.ops)
    assert book.now == [("kept", "markdown", "kept")]
    book.apply(past.steps[-1].back)
    assert [text for _, _, text in book.now] == ["one"]


def test_what_cannot_be_read_is_left_out() -> None:
    history = History()
    play(history, 0, 0, "one", "Ada")
    log = history.log()
    log.deltas.append({"delta_type": "strange"})
    assert len(past_of([log]).steps) == 1
