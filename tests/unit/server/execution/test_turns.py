"""Turns: pure, so by tables and by a machine that knows nothing but the rules."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rtu_magics.server.execution.turns import FairQueue, why_full
from rtu_magics.server.limits.settings import Limits

PEOPLE = {name: UUID(int=number) for number, name in enumerate("abcd", 1)}


@dataclass(eq=False)
class Asked:
    name: str
    author: UUID
    targets: deque[str] = field(default_factory=deque)


def asked(name: str, cells: int = 1) -> Asked:
    """``a2``: somebody's second request."""
    return Asked(name, PEOPLE[name[0]], deque(f"{name}.{n}" for n in range(cells)))


def run_next(queue: FairQueue[Asked]) -> str | None:
    current = queue.current
    return None if current is None else current.targets.popleft()


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        ("a1", "a1"),
        ("a1 a2 a3", "a1 a2 a3"),
        ("a1 a2 a3 b1", "a1 b1 a2 a3"),
        ("a1 a2 a3 b1 b2", "a1 b1 a2 b2 a3"),
        ("a1 a2 b1 c1 a3 b2", "a1 b1 c1 a2 b2 a3"),
        ("a1 b1 a2 b2 c1", "a1 b1 c1 a2 b2"),
        ("d1 c1 b1 a1", "d1 c1 b1 a1"),
    ],
)
def test_people_take_turns(arrivals: str, expected: str) -> None:
    queue: FairQueue[Asked] = FairQueue()
    for name in arrivals.split():
        queue.put(asked(name))
    assert [request.name for request in queue] == expected.split()
    found = [str(run_next(queue)).partition(".")[0] for _ in expected.split()]
    assert found == expected.split()
    assert run_next(queue) is None
    assert not queue


def test_a_request_is_done_to_its_end() -> None:
    queue: FairQueue[Asked] = FairQueue()
    queue.put(asked("a1", cells=3))
    assert run_next(queue) == "a1.0"
    queue.put(asked("b1"))
    assert [run_next(queue) for _ in range(4)] == ["a1.1", "a1.2", "b1.0", None]


def test_who_has_just_had_a_turn_waits_for_the_others() -> None:
    queue: FairQueue[Asked] = FairQueue()
    for name in ("a1", "a2"):
        queue.put(asked(name))
    assert run_next(queue) == "a1.0"
    queue.put(asked("b1"))  # while a1 runs
    assert [run_next(queue) for _ in range(2)] == ["b1.0", "a2.0"]


def test_what_is_withdrawn_takes_no_turn() -> None:
    queue: FairQueue[Asked] = FairQueue()
    for name in ("a1", "a2", "b1", "a3"):
        queue.put(asked(name))
    for request in queue.of(PEOPLE["a"]):
        request.targets.clear()
    assert [request.name for request in queue] == ["b1"]
    assert run_next(queue) == "b1.0"
    queue.put(asked("a4"))
    assert run_next(queue) == "a4.0"


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        (Limits(runs_waiting_per_person=2), "runs_waiting_per_person"),
        (Limits(cells_waiting_per_person=6), "cells_waiting_per_person"),
        (Limits(runs_waiting_per_notebook=3), "runs_waiting_per_notebook"),
        (Limits(), ""),
    ],
)
def test_how_much_may_wait(limits: Limits, setting: str) -> None:
    queue: FairQueue[Asked] = FairQueue()
    for name in ("a1", "a2", "b1"):
        queue.put(asked(name, cells=3))
    why = why_full(queue, PEOPLE["a"], limits)
    assert why.endswith(f"raise {setting}" if setting else "")
    assert bool(why) == bool(setting)
    everybody = replace(limits, runs_waiting_per_notebook=10)
    assert why_full(queue, PEOPLE["c"], everybody) == ""


class Turns(RuleBasedStateMachine):
    """Any arrivals, beginnings and withdrawals: the rules of execution hold."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[Asked] = FairQueue()
        self.arrived: list[Asked] = []
        self.begun: list[str] = []
        self.open: Asked | None = None  # begun and not done
        self.since: dict[str, list[str]] = {}  # whose turns each request has waited for

    @rule(who=st.sampled_from("abcd"), cells=st.integers(1, 4))
    def arrive(self, who: str, cells: int) -> None:
        number = sum(request.name[0] == who for request in self.arrived)
        request = asked(f"{who}{number}", cells)
        self.arrived.append(request)
        self.since[request.name] = []
        self.queue.put(request)

    @rule()
    def begin(self) -> None:
        current = self.queue.current
        if current is None:
            assert not any(request.targets for request in self.arrived)
            return
        if self.open is not None and self.open.targets:
            assert current is self.open, "another request between the cells of one"
        earlier = [r for r in self.arrived if r.author == current.author]
        first = next(r for r in earlier if r.targets)
        assert current is first, "overtaken by a later request of the same person"
        if current is not self.open:
            for request in self.arrived:
                mine = [r for r in self.arrived if r.author == request.author and r.targets]
                if mine and mine[0] is request and request is not current:
                    self.since[request.name].append(current.name[0])
        self.open = current
        self.begun.append(current.targets.popleft())

    @rule(who=st.sampled_from("abcd"))
    def withdraw(self, who: str) -> None:
        for request in self.queue.of(PEOPLE[who]):
            request.targets.clear()
        assert not any(r.targets for r in self.arrived if r.author == PEOPLE[who])

    @invariant()
    def nobody_waits_for_two_turns_of_one_other(self) -> None:
        for request in self.arrived:
            if request.targets:
                waited = self.since[request.name]
                assert all(waited.count(who) <= 2 for who in "abcd"), (request.name, waited)

    @invariant()
    def it_knows_what_waits(self) -> None:
        waiting = {r.name for r in self.arrived if r.targets}
        assert {r.name for r in self.queue} == waiting
        assert bool(self.queue) == bool(waiting)
        assert self.begun == list(dict.fromkeys(self.begun)), "a cell began twice"


TestTurns = Turns.TestCase
TestTurns.settings = settings(deadline=None, max_examples=200, stateful_step_count=40)
