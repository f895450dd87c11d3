"""What runs put out after their end: once, in order, and what was missed from snapshots."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics.errors import APIError, ConnectionLost
from rtu_magics.models import Output, OutputCollection, OutputContent, utcnow
from rtu_magics.session.events import (
    ConnectionChanged,
    Event,
    OutputAppended,
    OutputContinued,
    OutputsUpdated,
)
from rtu_magics.session.execution import late
from rtu_magics.session.execution.late import LateOutputs, LateRuns
from rtu_magics.session.execution.outputs import stream_text
from rtu_magics.session.execution.run_outputs import RunOutputs, Taken
from rtu_magics.session.execution.snapshots import missed_outputs
from rtu_magics.session.hub import EventHub

RUN = uuid4()


class Api:
    """Collections as a server has them; an error in place of one is raised."""

    def __init__(self) -> None:
        self.collections: dict[UUID, Any] = {}

    async def get_output_collection(self, collection_id: UUID) -> Any:
        found = self.collections.get(collection_id, APIError("gone", 404))
        if isinstance(found, Exception):
            raise found
        return found


class Place:
    """A notebook whose cell ``a`` shows one collection, and ``b`` another."""

    def __init__(self) -> None:
        self.api = Api()
        self.shown = {"a": uuid4(), "b": uuid4()}
        self.hub = EventHub()

    def collection_of(self, cell_id: str) -> UUID | None:
        return self.shown.get(cell_id)

    def output(self, cell_id: str, text: str, output_id: UUID | None = None) -> Output:
        content = OutputContent(mimetype="application/vnd.rtu.stdout", raw=text)
        return Output(
            id=output_id or uuid4(),
            created_at=utcnow(),
            updated_at=utcnow(),
            type="stream",
            content_metadata=content,
            content=content,
            parent_collection_id=self.shown[cell_id],
            execution_id=RUN,
            cell_id=cell_id,
        )

    def keeps(self, cell_id: str, *outputs: Output, run: UUID = RUN) -> None:
        found = self.shown[cell_id]
        self.api.collections[found] = OutputCollection.model_construct(
            id=found, outputs=list(outputs), cell_id=cell_id, execution_id=run
        )


@pytest.fixture
def place() -> Place:
    return Place()


def run_at(place: Any, run: UUID = RUN) -> LateOutputs:
    async def ask_again() -> None:
        return None

    outputs = RunOutputs(run)
    return LateOutputs(run, outputs, lambda: missed_outputs(place, outputs, ("a", "b")), ask_again)


def texts(events: list[Event]) -> list[str]:
    return [
        stream_text(e.output) for e in events if isinstance(e, (OutputAppended, OutputContinued))
    ]


def test_what_comes_before_somebody_wants_it_waits(place: Place) -> None:
    run, seen = run_at(place), []
    run.take(OutputAppended(place.output("a", "1")))
    assert not run.wanted
    run.subscribe(seen.append)
    run.take(OutputAppended(place.output("a", "2")))
    assert texts(seen) == ["1", "2"]


def test_after_a_gap_only_a_snapshot_is_believed(place: Place) -> None:
    outputs: Any = RunOutputs(RUN)
    one = place.output("a", "1")
    assert outputs.take(OutputAppended(one)) is Taken.NEW
    assert outputs.take(OutputAppended(one)) is Taken.KNOWN
    outputs.note_gap()
    more = OutputContinued(place.output("a", "3", one.id))
    assert outputs.take(more) is Taken.UNSURE


async def test_what_was_missed_comes_once(place: Place) -> None:
    run, seen = run_at(place), []
    run.subscribe(seen.append)
    one = place.output("a", "1")
    run.take(OutputAppended(one))
    run.outputs.note_gap()
    place.keeps("a", place.output("a", "123", one.id))
    place.keeps("b", place.output("b", "another run's"), run=uuid4())
    await run.catch_up()
    await run.catch_up()
    assert texts(seen) == ["1", "23"]


async def test_a_collection_that_has_gone_hides_no_other(place: Place) -> None:
    run, seen = run_at(place), []
    run.subscribe(seen.append)
    place.keeps("b", place.output("b", "2"))  # there is none for "a"
    await run.catch_up()
    assert texts(seen) == ["2"]


async def test_what_came_before_an_error_is_not_lost(place: Place) -> None:
    """It counts as passed on, so it has to be."""
    run, seen = run_at(place), []
    run.subscribe(seen.append)
    place.keeps("a", place.output("a", "1"))
    place.api.collections[place.shown["b"]] = ConnectionLost("away")
    await run.catch_up()
    assert texts(seen) == ["1"]
    place.keeps("b", place.output("b", "2"))
    await run.catch_up()
    assert texts(seen) == ["1", "2"]


async def test_an_event_that_nobody_can_place_asks_for_a_snapshot(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late, "_PAUSE", 0)
    run = run_at(place)
    came = asyncio.Event()
    seen: list[Event] = []

    def note(event: Event) -> None:
        seen.append(event)
        came.set()

    run.subscribe(note)
    one = place.output("a", "1")
    run.take(OutputAppended(one))
    run.outputs.note_gap()
    came.clear()
    place.keeps("a", place.output("a", "12", one.id))
    run.take(OutputContinued(place.output("a", "2", one.id)))
    await asyncio.wait_for(came.wait(), 30)
    assert texts(seen) == ["1", "2"]


def test_the_oldest_runs_are_dropped(place: Place) -> None:
    runs = LateRuns(place.hub, limit=2)
    followed = [run_at(place, uuid4()) for _ in range(3)]
    seen: list[list[Event]] = [[], [], []]
    for run, into in zip(followed, seen, strict=True):
        runs.begun(run.id)
        run.subscribe(into.append)
        runs.ended(run, keep=True)
    assert len(runs) == 2
    for run in followed:
        late_output = place.output("a", "x").model_copy(update={"execution_id": run.id})
        place.hub.publish(OutputAppended(late_output))
    assert [len(into) for into in seen] == [0, 1, 1]


def test_an_update_reaches_one_follower_of_a_run_only(place: Place) -> None:
    """A display has one id, wherever it is shown."""
    runs = LateRuns(place.hub)
    one, other = run_at(place), run_at(place)
    shown = place.output("a", "x")
    seen: list[Event] = []
    for run in (one, other):
        runs.begun(RUN)
        run.take(OutputAppended(shown))
        runs.ended(run, keep=True)
        run.subscribe(lambda event: None)
        run.subscribe(seen.append)
    place.hub.publish(OutputsUpdated((shown.id,), {}, {}, execution_id=RUN))
    assert len(seen) == 1


async def test_nothing_is_kept_of_a_session_that_has_closed(place: Place) -> None:
    runs = LateRuns(place.hub)
    run = run_at(place)
    runs.begun(RUN)
    runs.ended(run, keep=True)
    place.hub.publish(ConnectionChanged("closed"))
    assert len(runs) == 0
