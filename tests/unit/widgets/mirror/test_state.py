"""What a mirror sends: that it is enough, that it is little, and that it ends."""

from __future__ import annotations

import gc
import json
import random
import weakref
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.document import NotebookBuilder, make_patch
from rtu_magics.models.kernels import source_digest
from rtu_magics.session.events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PeopleChanged,
    Person,
    RoleChanged,
)
from rtu_magics.session.hub import EventHub
from rtu_magics.widgets.mirror.feed import PIECE, TURN_CHARACTERS, MirrorFeed
from rtu_magics.widgets.mirror.state import MirrorState
from rtu_magics.widgets.mirror.static_page import static_html
from rtu_magics.widgets.mirror.text import splices

FILE = uuid4()
ME, ADA = uuid4(), uuid4()


class _Client:
    def __init__(self, builder: NotebookBuilder) -> None:
        self.builder = builder
        self.user_id = ME
        self.kernel_state = "idle"

    @property
    def cell_ids(self) -> list[str]:
        return self.builder.cell_ids


def make_session(count: int, *, source: str = "x = 1\n", **more: Any) -> Any:
    """A session without a server: a notebook, a hub, and what a mirror reads of it."""
    cells = [
        m.CodeCell(id=f"cell-{i:08d}-0000-0000-000000000000", source=source) for i in range(count)
    ]
    builder = NotebookBuilder(m.Notebook(cells=more.pop("cells", cells)))
    client = _Client(builder)
    session = SimpleNamespace(
        client=client,
        hub=EventHub(),
        cell_states={},
        people={},
        role="owner",
        connection="live",
        kernel_session=None,
        path="x.ipynb",
        file=SimpleNamespace(id=FILE),
        api=None,
        **more,
    )
    return session


def apply(session: Any, state: Any, delta: m.FileDeltaBase) -> None:
    session.client.builder.apply_delta(delta)
    state.on_event(DeltaApplied(delta))


def edit(session: Any, cell_id: str, new: str, author: UUID = ADA) -> m.CellContentsUpdate:
    old = session.client.builder.cell(cell_id).source
    return m.CellContentsUpdate(
        file_id=FILE,
        resource_id=cell_id,
        created_by_id=author,
        properties=m.CellContentsUpdateProperties(patch=make_patch(old, new)),
    )


def started(session: Any, cells: list[str] | None = None) -> MirrorState:
    state = MirrorState(session, cells, lambda: None)
    state.refresh()
    state.take()
    return state


def ops(state: MirrorState) -> list[list[Any]]:
    messages = state.take()
    assert len(messages) <= 1
    found: list[list[Any]] = messages[0]["ops"] if messages else []
    return found


def on_the_wire(message: dict[str, Any]) -> int:
    """The bytes of a message's content as a kernel sends it."""
    return len(json.dumps({"method": "custom", "content": message}).encode())


def splice(text: str, changes: Any) -> str:
    for at, gone, come in reversed(changes):
        text = text[:at] + come + text[at + gone :]
    return text


# ---------------------------------------------------------------- text


def test_splices_make_the_one_text_of_the_other() -> None:
    rng = random.Random(7)
    alphabet = "ab\n 🐍é"
    for _ in range(300):
        old = "".join(rng.choices(alphabet, k=rng.randrange(0, 900)))
        at, end = sorted((rng.randint(0, len(old)), rng.randint(0, len(old))))
        new = old[:at] + "".join(rng.choices(alphabet, k=rng.randrange(0, 400))) + old[end:]
        changes = splices(old, new)
        assert splice(old, changes) == new
        assert all(a[0] + a[1] <= b[0] for a, b in pairwise(changes))


def test_two_far_edits_do_not_send_what_is_between_them() -> None:
    middle = "".join(random.Random(1).choices("abcdefgh \n", k=20_000))
    changes = splices(f"a{middle}b", f"X{middle}Y")
    assert sum(len(come) for _, _, come in changes) < 10


# ---------------------------------------------------------------- cost


@pytest.mark.parametrize("length", [10, 20_000])
def test_a_letter_costs_the_same_in_any_notebook(length: int) -> None:
    sizes = []
    for count in (10, 1000):
        session = make_session(count, source="x" * length)
        state = started(session)
        cell_id = session.client.builder.cell_ids[7]
        apply(session, state, edit(session, cell_id, "x" * length + "y"))
        [message] = state.take()
        sizes.append(on_the_wire(message))
    assert sizes[0] == sizes[1] < 300


def test_a_hundred_keystrokes_between_two_messages_are_one_splice() -> None:
    session = make_session(3)
    state = started(session)
    one, two, _ = session.client.builder.cell_ids
    text = ""
    for letter in "print('hello, world')\n" * 5:
        text += letter
        apply(session, state, edit(session, one, text))
        apply(session, state, edit(session, two, text + "!"))
    found = ops(state)
    assert [op[:2] for op in found] == [["src", one], ["src", two]]
    assert splice("x = 1\n", found[0][2]) == text
    assert found[0][3] == str(ADA)
    assert state.take() == []


def test_states_of_a_long_run_cost_what_changed() -> None:
    session = make_session(1000)
    state = started(session)
    ids = session.client.builder.cell_ids
    queued = {i: m.CellState(cell_id=i, state="queued") for i in ids}
    state.on_event(CellStatesChanged(dict(queued)))
    assert len(ops(state)) == 1000
    running = {**queued, ids[0]: m.CellState(cell_id=ids[0], state="executing")}
    state.on_event(CellStatesChanged(running))
    assert [op[:3] for op in ops(state)] == [["st", ids[0], "executing"]]


# ---------------------------------------------------------------- enough


class FrontEnd:
    """What a front end makes of the messages, in a few lines."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []

    def take(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            if message["t"] == "snapshot":
                if message["part"] == 0:
                    self.cells, self.order = {}, []
                for cell in message["cells"]:
                    self.cells[cell["id"]] = json.loads(json.dumps(cell))
                    self.order.append(cell["id"])
            for op in message.get("ops", ()):
                self.apply(*json.loads(json.dumps(op)))

    def apply(self, kind: str, key: Any, *rest: Any) -> None:
        if kind == "src":
            self.cells[key]["src"] = splice(self.cells[key]["src"], rest[0])
        elif kind == "add":
            self.cells[rest[0]["id"]] = rest[0]
            self.order.insert(0 if key is None else self.order.index(key) + 1, rest[0]["id"])
        elif kind == "del":
            del self.cells[key]
            self.order.remove(key)
        elif kind == "mv":
            self.order.remove(key)
            at = 0 if rest[0] is None else self.order.index(rest[0]) + 1
            self.order.insert(at, key)
        elif kind == "type":
            self.cells[key]["type"] = rest[0]
        elif kind == "outs":
            self.cells[key]["outs"] = rest[0]
        elif self.cells.get(key, {}).get("outs") is None:
            pass
        elif kind == "out+":
            self.cells[key]["outs"].append(rest[0])
        elif kind == "txt":
            [output] = [o for o in self.cells[key]["outs"] if o["id"] == rest[0]]
            output["text"] += rest[1]
        elif kind == "out=":
            self.cells[key]["outs"] = [
                rest[0] if o["id"] == rest[0]["id"] else o for o in self.cells[key]["outs"]
            ]


def random_delta(rng: random.Random, session: Any) -> m.FileDeltaBase:
    ids = session.client.builder.cell_ids
    kind = rng.choice(["edit", "edit", "edit", "add", "delete", "move", "type", "replace"])
    if kind == "add" or len(ids) < 3:
        new = m.CodeCell(id=uuid4().hex, source=f"{rng.random()}")
        after = rng.choice([None, *ids])
        return m.NBCellsAdd(
            file_id=FILE, properties=m.NBCellsAddProperties(id=new.id, cell=new, after_id=after)
        )
    cell_id = rng.choice(ids)
    if kind == "edit":
        old = session.client.builder.cell(cell_id).source
        at = rng.randint(0, len(old))
        return edit(
            session, cell_id, old[:at] + rng.choice("äb\n🐍") + old[at + rng.randint(0, 2) :]
        )
    if kind == "replace":
        source = m.CellContentsReplaceProperties(source=f"{rng.random()}" * 3)
        return m.CellContentsReplace(file_id=FILE, resource_id=cell_id, properties=source)
    if kind == "delete":
        return m.NBCellsDelete(file_id=FILE, properties=m.NBCellsDeleteProperties(id=cell_id))
    if kind == "type":
        new_type = m.CellMetadataReplaceProperties(type=rng.choice(["code", "markdown", "raw"]))
        return m.CellMetadataReplace(file_id=FILE, resource_id=cell_id, properties=new_type)
    after = rng.choice([None, *(i for i in ids if i != cell_id)])
    return m.NBCellsMove(
        file_id=FILE, properties=m.NBCellsMoveProperties(id=cell_id, after_id=after)
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("chosen", [False, True])
def test_a_front_end_ends_with_what_the_session_has(seed: int, chosen: bool) -> None:
    rng = random.Random(seed)
    session = make_session(12)
    shown = session.client.builder.cell_ids[2:9:2] if chosen else None
    state = MirrorState(session, shown, lambda: None)
    front = FrontEnd()
    state.refresh()
    for _ in range(150):
        apply(session, state, random_delta(rng, session))
        if rng.random() < 0.3:
            front.take(state.take())
        if rng.random() < 0.02:
            state.refresh()
    front.take(state.take())
    builder = session.client.builder
    expected = [c for c in builder.cells if shown is None or c.id in shown]
    assert front.order == [c.id for c in expected]
    assert [front.cells[c.id]["src"] for c in expected] == [c.source for c in expected]
    assert [front.cells[c.id]["type"] for c in expected] == [c.cell_type for c in expected]


# ---------------------------------------------------------------- outputs


def stream(collection: UUID, output_id: UUID, text: str) -> m.Output:
    content = m.OutputContent(mimetype="application/vnd.rtu.stdout", raw=text)
    return m.Output(
        id=output_id,
        type="stream",
        stream_name="stdout",
        content=content,
        content_metadata=content,
        parent_collection_id=collection,
        created_at="2026-01-01T00:00:00Z",
        updated_at="2026-01-01T00:00:00Z",
    )


def display(
    collection: UUID, data: dict[str, Any], links: dict[str, str] | None = None
) -> m.Output:
    return stream(collection, uuid4(), "").model_copy(
        update={"type": "display_data", "content": None, "data": data, "links": links}
    )


def begin_run(session: Any, state: MirrorState) -> tuple[str, UUID]:
    cell_id = session.client.builder.cell_ids[0]
    collection = uuid4()
    properties = m.CellOutputCollectionReplaceProperties(output_collection_id=collection)
    delta = m.CellOutputCollectionReplace(file_id=FILE, resource_id=cell_id, properties=properties)
    apply(session, state, delta)
    return cell_id, collection


def test_outputs_arrive_whole_however_they_are_cut_into_messages() -> None:
    for every in (1, 3, 100):
        session = make_session(2)
        state = MirrorState(session, None, lambda: None)
        front = FrontEnd()
        state.refresh()
        front.take(state.take())
        cell_id, collection = begin_run(session, state)
        output_id = uuid4()
        state.on_event(OutputAppended(stream(collection, output_id, "0\n")))
        for number in range(1, 50):
            if number % every == 0:
                front.take(state.take())
            state.on_event(OutputContinued(stream(collection, output_id, f"{number}\n")))
        shown = display(collection, {"text/plain": "old"})
        state.on_event(OutputAppended(shown))
        state.on_event(OutputsUpdated((shown.id,), {"text/plain": "new"}, {}))
        front.take(state.take())
        state.on_event(OutputsUpdated((shown.id,), {"text/plain": "newest"}, {}))
        front.take(state.take())
        text, after = front.cells[cell_id]["outs"]
        assert text["text"] == "".join(f"{i}\n" for i in range(50))
        assert after["data"] == {"text/plain": "newest"}
        state.on_event(OutputsCleared(collection, ()))
        front.take(state.take())
        assert front.cells[cell_id]["outs"] == []


def test_a_flood_of_text_is_sent_as_its_two_ends() -> None:
    session = make_session(1)
    state = started(session)
    _, collection = begin_run(session, state)
    output_id = uuid4()
    state.on_event(OutputAppended(stream(collection, output_id, "first\n")))
    state.take()
    for _ in range(50):
        state.on_event(OutputContinued(stream(collection, output_id, "y" * 100_000)))
    [message] = state.take()
    assert on_the_wire(message) < 130_000
    [[kind, _, output]] = message["ops"]
    assert kind == "out="
    assert output["text"].startswith("first\n")
    assert output["cut"] + len(output["text"]) == 5_000_006


def test_large_entries_are_named_and_not_sent() -> None:
    session = make_session(1)
    state = started(session)
    _, collection = begin_run(session, state)
    bundle = {"text/html": "<b>" * 100_000, "text/plain": "p", "image/png": "A" * 400_000}
    state.on_event(OutputAppended(display(collection, bundle, {"application/pdf": "http://x/y"})))
    [message] = state.take()
    assert on_the_wire(message) < 1000
    [output] = message["ops"][0][2]
    assert output["omit"] == {"text/html": 300_000}
    assert output["data"] == {"text/plain": "p"}


def test_widgets_and_scripts_are_said_not_to_be_shown() -> None:
    session = make_session(1)
    state = started(session)
    _, collection = begin_run(session, state)
    state.on_event(OutputAppended(display(collection, {"application/javascript": "alert(1)"})))
    assert "alert" not in json.dumps(state.take())


# ---------------------------------------------------------------- people, role, connection


def test_who_is_where() -> None:
    session = make_session(1)
    state = started(session)
    person = Person(ADA, "Ada", "viewer", None)
    state.on_event(PeopleChanged({ADA: person}))
    moved = Person(ADA, "Ada", "viewer", "cell")
    state.on_event(PeopleChanged({ADA: moved}))
    [op] = ops(state)
    assert op == ["who", {"id": str(ADA), "name": "Ada", "role": "viewer", "cell": "cell"}]
    state.on_event(PeopleChanged({ADA: moved}))
    assert ops(state) == []
    state.on_event(PeopleChanged({}))
    state.on_event(RoleChanged("viewer"))
    assert ops(state) == [["bye", str(ADA)], ["role", "viewer"]]


def test_after_a_lost_connection_everything_is_sent_anew() -> None:
    session = make_session(2)
    state = started(session)
    state.on_event(ConnectionChanged("reconnecting", "lost"))
    assert ops(state) == [["conn", "reconnecting", "lost"]]
    session.client.builder.apply_delta(edit(session, session.client.builder.cell_ids[0], "unseen"))
    state.on_event(ConnectionChanged("live"))
    [message] = state.take()
    assert message["t"] == "snapshot"
    assert message["cells"][0]["src"] == "unseen"
    assert message["conn"] == ["live", ""]


# ---------------------------------------------------------------- pace, pieces, the end


class Now:
    """A writer whose turns come when the test says so."""

    def __init__(self) -> None:
        self.waiting: dict[Any, Any] = {}

    def schedule(self, key: Any, fn: Any) -> None:
        self.waiting[key] = fn

    def forget(self, key: Any) -> None:
        self.waiting.pop(key, None)

    def turn(self) -> None:
        waiting, self.waiting = self.waiting, {}
        for fn in waiting.values():
            fn()


@pytest.fixture
def feed() -> Iterator[tuple[MirrorFeed, list[dict[str, Any]], Now]]:
    sent: list[dict[str, Any]] = []
    writer = Now()
    made = MirrorFeed(make_session(1000, source="line\n" * 100), None, sent.append, writer)
    yield made, sent, writer
    made.close()


def test_a_long_notebook_comes_in_parts_that_no_server_drops(feed: Any) -> None:
    made, sent, writer = feed
    made.state.refresh()
    turns = 0
    while writer.waiting:
        before = len(sent)
        writer.turn()
        turns += 1
        assert sum(len(json.dumps(message)) for message in sent[before:]) < TURN_CHARACTERS * 1.3
    front = FrontEnd()
    front.take(sent)
    assert len(front.order) == 1000
    assert [message["part"] for message in sent] == list(range(sent[0]["parts"]))
    assert len(json.dumps(sent[0])) < 50_000, "the first screenful comes soon"
    # Ten turns a second: the default limit of a Jupyter server is a megabyte a second.
    assert turns < 30


def test_long_messages_come_in_pieces_and_let_the_others_pass(feed: Any) -> None:
    made, sent, writer = feed
    made.post_bulk({"t": "entry", "value": "é" * 300_000})
    writer.turn()
    made.post({"t": "say", "text": "hello", "bad": False})
    while writer.waiting:
        writer.turn()
    assert {"t": "say", "text": "hello", "bad": False} in sent[:3]
    pieces = [message for message in sent if message["t"] == "piece"]
    assert all(len(piece["s"]) <= PIECE for piece in pieces)
    assert [(p["i"], p["n"]) for p in pieces] == [(i, len(pieces)) for i in range(len(pieces))]
    assert json.loads("".join(p["s"] for p in pieces))["value"] == "é" * 300_000


def test_a_new_snapshot_takes_the_place_of_one_on_its_way(feed: Any) -> None:
    made, sent, writer = feed
    made.state.refresh()
    writer.turn()
    made.state.refresh()
    while writer.waiting:
        writer.turn()
    front = FrontEnd()
    front.take(sent)
    assert len(front.order) == 1000
    assert sum(message["part"] == 0 for message in sent) == 2


def test_closing_frees_everything(feed: Any) -> None:
    made, sent, writer = feed
    hub = made.session.hub
    other = MirrorFeed(made.session, None, sent.append, writer)
    other.state.refresh()
    assert len(hub._subscribers) == 2
    gone = weakref.ref(other)
    state = weakref.ref(other.state)
    other.close()
    other.close()
    assert len(hub._subscribers) == 1
    assert not writer.waiting
    del other
    gc.collect()
    assert gone() is None
    assert state() is None
    hub.publish(RoleChanged("viewer"))
    assert sent == []


# ---------------------------------------------------------------- the picture


def test_the_picture_holds_no_markup_of_others() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31mred"
    cells = [
        m.MarkdownCell(source=evil),
        m.CodeCell(
            source=evil,
            outputs=[
                m.StreamOutput(text=evil),
                m.DisplayDataOutput(data={"text/html": evil, "text/plain": evil}),
                m.DisplayDataOutput(data={"text/html": evil}),
                m.DisplayDataOutput(data={"image/png": '"><script>alert(1)</script>'}),
                m.ErrorOutput(ename=evil, evalue=evil, traceback=[evil]),
            ],
        ),
    ]
    page = static_html(make_session(0, cells=cells))
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_the_picture_of_a_long_notebook_is_short() -> None:
    page = static_html(make_session(1000, source="x" * 900))
    assert len(page) < 200_000
    assert "more cells" in page


def test_an_edit_after_a_run_marks_the_outputs_as_those_of_another_text() -> None:
    session = make_session(2)
    cell_id, other = session.client.cell_ids
    state = MirrorState(session, None, lambda: None)

    def told() -> list[Any]:
        return [op for m_ in state.take() for op in m_.get("ops", ()) if op[0] == "old"]

    def run(name: str, execution_id: UUID) -> None:
        known = session.cell_states.get(cell_id)
        digest = known.source_digest if known is not None else None
        if name == "executing":
            digest = source_digest(session.client.builder.cell(cell_id).source)
        now = m.CellState(
            cell_id=cell_id, state=name, execution_id=execution_id, source_digest=digest
        )
        session.cell_states = {cell_id: now}
        state.on_event(CellStatesChanged(session.cell_states))

    state.refresh()
    state.take()
    first, second = uuid4(), uuid4()
    apply(session, state, edit(session, cell_id, "before any run"))
    assert told() == []
    run("executing", first)
    run("finished_with_no_error", first)
    assert told() == []
    ran = session.client.builder.cell(cell_id).source
    apply(session, state, edit(session, cell_id, ran + "#"))
    assert told() == [["old", cell_id, True]]
    apply(session, state, edit(session, cell_id, ran + "##"))
    apply(session, state, edit(session, other, "never ran"))
    assert told() == [], "what is known is not told again"
    state.refresh()
    cells = {c["id"]: c for m_ in state.take() for c in m_.get("cells", ())}
    assert cells[cell_id]["old"]
    assert "old" not in cells[other]
    apply(session, state, edit(session, cell_id, ran))
    assert told() == [["old", cell_id, False]], "taken back, it is the text that ran"
    apply(session, state, edit(session, cell_id, "y = 2"))
    run("queued", second)
    assert told() == [["old", cell_id, True]]
    run("executing", second)
    apply(session, state, edit(session, cell_id, "y = 3  # while it ran"))
    run("finished_with_error", second)
    assert told() == [["old", cell_id, True]], "what ran is not what stands there now"
    run("executing", uuid4())
    assert told() == [["old", cell_id, False]]


def test_a_cell_whose_turn_never_came_did_not_run_with_another_text() -> None:
    ran = m.CellState(
        cell_id="a", state="finished_with_error", source_digest=source_digest("1"), reason="error"
    )
    assert ran.is_outdated("2")
    assert not ran.is_outdated("1")
    assert not ran.model_copy(update={"reason": "earlier_failed"}).is_outdated("2")
