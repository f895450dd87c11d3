"""Which question of a run is open, in whatever order the words on it arrive."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics.models import CellState, Run, utcnow
from rtu_magics.session.events import CellStatesChanged, InputRequested
from rtu_magics.session.execution.follower import Follower
from rtu_magics.session.execution.late import LateRuns
from rtu_magics.session.hub import EventHub

RUN = uuid4()


class Place:
    """A run of the cells ``a`` and ``b`` with somebody who follows it."""

    def __init__(self) -> None:
        self.hub = EventHub()
        context: Any = SimpleNamespace(hub=self.hub, collection_of=lambda _: None)
        self.follower = Follower(context, LateRuns(self.hub), RUN)
        self.follower.accepted(("a", "b"))
        self.withdrawn = 0
        self.follower.on_withdrawn = self._withdraw

    def _withdraw(self) -> None:
        self.withdrawn += 1

    def ask(self, cell_id: str, request_id: UUID | None = None) -> InputRequested:
        event = InputRequested(request_id or uuid4(), cell_id, RUN)
        self.hub.publish(event)
        return event

    def tell(self, **states: str) -> None:
        self.hub.publish(CellStatesChanged({}, states_of(states)))


def states_of(states: dict[str, str]) -> dict[str, CellState]:
    return {
        cell_id: CellState(cell_id=cell_id, state=state, execution_id=RUN)
        for cell_id, state in states.items()
    }


@pytest.fixture
def place() -> Place:
    return Place()


OK = "finished_with_no_error"


def run_of(**states: str) -> Run:
    return Run(
        execution_id=RUN,
        cell_ids=["a", "b"],
        scratch=False,
        state="executing",
        cell_states=list(states_of(states).values()),
        collections={},
        user_id=uuid4(),
        created_at=utcnow(),
        started_at=None,
        ended_at=None,
    )


def test_the_end_of_its_cell_withdraws_a_question(place: Place) -> None:
    place.ask("a")
    place.tell(a=OK)
    assert (place.follower.course.question, place.withdrawn) == (None, 1)


def test_the_end_of_an_earlier_cell_that_is_told_late_does_not(place: Place) -> None:
    asked = place.ask("b")
    place.tell(a=OK)
    assert (place.follower.course.question, place.withdrawn) == (asked, 0)


async def test_nor_does_what_the_server_says_of_the_run_after_the_question(place: Place) -> None:
    """Both come in one write to who attaches, and the reply is handed over a turn later."""
    asked = place.ask("b")
    place.follower.catch_up(run_of(a=OK, b="executing"))
    assert (place.follower.course.question, place.withdrawn) == (asked, 0)
    place.follower._polling.cancel()  # type: ignore[union-attr]


def test_an_answer_to_an_earlier_question_leaves_the_later_one_open(place: Place) -> None:
    first = place.ask("a")
    second = place.ask("a")  # the code caught an interrupt, and asks again
    place.follower.course.answered(first.request_id)
    assert place.follower.course.question == second
    place.follower.course.answered(second.request_id)
    assert place.follower.course.question is None


def test_a_later_question_takes_the_earlier_one_back(place: Place) -> None:
    first = place.ask("a")
    place.ask("a", first.request_id)  # asked anew, of a new connection
    assert place.withdrawn == 0
    place.ask("a")
    assert place.withdrawn == 1
