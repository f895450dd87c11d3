"""What events mean for an execution, as lists of effects: no loop, no thread, no server."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtu_magics import models as m
from rtu_magics.session.events import (
    CellStatesChanged,
    ConnectionChanged,
    Event,
    InputRequested,
    KernelChanged,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    PayloadReceived,
    ScratchStateChanged,
)
from rtu_magics.session.execution.course import Course
from rtu_magics.session.execution.effects import (
    AskBack,
    Effect,
    End,
    Look,
    Pass,
    PassLate,
    Withdraw,
)
from rtu_magics.session.execution.events import (
    CellFinished,
    CellStarted,
    Reconnected,
    Reconnecting,
)
from rtu_magics.session.execution.outputs import OutputFold, stream_text

RUN = uuid4()
CELLS = ("a", "b")
COLLECTIONS = {cell_id: uuid4() for cell_id in CELLS}


def state(cell_id: str, name: str, run: UUID = RUN, **more: Any) -> m.CellState:
    return m.CellState(cell_id=cell_id, state=name, execution_id=run, **more)


def states(**names: str) -> CellStatesChanged:
    found = {cell_id: state(cell_id, name) for cell_id, name in names.items()}
    return CellStatesChanged(found, found)


def output(
    cell_id: str, text: str, output_id: UUID | None = None, kind: str = "stream"
) -> m.Output:
    mimetype = "application/vnd.rtu.stdout" if kind == "stream" else "text/plain"
    return m.Output(
        id=output_id or uuid4(),
        created_at=m.utcnow(),
        updated_at=m.utcnow(),
        type=kind,
        content_metadata=m.OutputContent(mimetype=mimetype),
        content=m.OutputContent(mimetype=mimetype, raw=text),
        parent_collection_id=COLLECTIONS[cell_id],
        execution_id=RUN,
        cell_id=cell_id,
    )


def collection(cell_id: str, *outputs: m.Output) -> m.OutputCollection:
    return m.OutputCollection.model_construct(
        id=COLLECTIONS[cell_id], outputs=list(outputs), cell_id=cell_id, execution_id=RUN
    )


def known(**names: str) -> m.Run:
    """What a server knows of the run."""
    cell_states = [state(cell_id, name) for cell_id, name in names.items()]
    return m.Run(
        execution_id=RUN,
        cell_ids=list(CELLS),
        state="executing",
        cell_states=cell_states,
        collections=COLLECTIONS,
    )


@pytest.fixture
def course() -> Course:
    found = Course(RUN)
    assert found.accept(CELLS) == []
    return found


LOST, BACK = ConnectionChanged("reconnecting", "no route"), ConnectionChanged("live")


class TestWhileEverythingArrives:
    def test_cells_begin_end_and_end_it(self, course: Course) -> None:
        assert course.handle(states(a="queued", b="queued")) == []
        assert course.handle(states(a="executing")) == [Pass(CellStarted("a"))]
        assert course.handle(states(a="executing")) == []
        done = states(a="finished_with_no_error")
        assert course.handle(done) == [Pass(CellFinished("a", True))]
        assert not course.over
        last = states(b="finished_with_error")
        assert course.handle(last) == [Pass(CellFinished("b", False)), End()]
        assert course.over
        assert course.handle(last) == course.accept(CELLS) == []

    def test_outputs_pass_as_they_are(self, course: Course) -> None:
        event = OutputAppended(output("a", "1"))
        assert course.handle(event) == [Pass(event)]
        assert course.handle(event) == []

    def test_errors_are_kept(self, course: Course) -> None:
        error = output("b", "", kind="error")
        course.handle(OutputAppended(error))
        assert course.errors == {"b": error}

    def test_of_other_runs_nothing(self, course: Course) -> None:
        other = uuid4()
        strange = output("a", "x").model_copy(update={"execution_id": other})
        finished = {"a": state("a", "finished_with_no_error", other)}
        for event in (
            OutputAppended(strange),
            CellStatesChanged(finished, finished),
            InputRequested(uuid4(), "a", other),
            PayloadReceived(other, "a"),
            ScratchStateChanged(state("", "executing", other)),
        ):
            assert course.handle(event) == []
        assert course.states == {}

    def test_states_that_came_before_it_was_accepted(self) -> None:
        course = Course(RUN)
        done = states(a="finished_with_no_error", b="finished_with_no_error")
        assert [type(effect) for effect in course.handle(done)] == [Pass, Pass]
        assert course.accept(CELLS) == [End()]

    def test_a_question_is_withdrawn_when_its_cell_ends(self, course: Course) -> None:
        asked = InputRequested(uuid4(), "a", RUN)
        assert course.handle(asked) == [Pass(asked)]
        assert course.question is asked
        effects = course.handle(states(a="finished_with_error"))
        assert effects == [Withdraw(), Pass(CellFinished("a", False))]
        assert course.question is None

    @pytest.mark.parametrize(("name", "gone"), [("culled", True), ("idle", False)])
    def test_whether_the_kernel_went(self, course: Course, name: str, gone: bool) -> None:
        kernel = m.KernelStatusUpdate.model_validate(
            {"session_id": str(uuid4()), "kernel": {"name": "k", "execution_state": name}}
        )
        assert course.handle(KernelChanged(kernel)) == []
        assert course.kernel_gone is gone

    def test_a_session_that_is_closed_ends_it(self, course: Course) -> None:
        assert course.handle(ConnectionChanged("closed")) == [End()]
        assert "it runs on remotely" in str(course.failure)


class TestAfterAGap:
    def test_a_cell_that_ended_before_it_ends_once(self, course: Course) -> None:
        ended = Pass(CellFinished("a", True))
        assert course.handle(states(a="finished_with_no_error")) == [ended]
        course.handle(LOST)
        course.handle(states(b="finished_with_no_error"))
        assert course.look_begins()
        effects = course.look_ended(complete=True, changed=False)
        assert effects == [Pass(CellFinished("b", True)), End()]

    def test_live_outputs_are_looked_up(self, course: Course) -> None:
        assert course.handle(LOST) == [Pass(Reconnecting("no route"))]
        assert course.handle(LOST) == []  # another try
        assert course.handle(BACK) == [Pass(Reconnected()), Look()]
        assert course.handle(OutputAppended(output("a", "1"))) == [Look()]

    def test_the_first_word_on_states_asks_back(self, course: Course) -> None:
        course.handle(LOST)
        now = states(a="executing")
        assert course.handle(now) == [Pass(CellStarted("a")), AskBack(now.changed)]
        assert course.handle(now) == []

    def test_a_cell_that_ended_unseen_and_ran_again(self, course: Course) -> None:
        course.handle(LOST)
        now = {"a": state("a", "executing", uuid4()), "b": state("b", "executing")}
        course.handle(CellStatesChanged(now, now))
        assert course.returned(None, now) == []
        assert course.states["a"].reason == m.EndReason.NO_ANSWER
        assert course.states["b"].state == "executing"

    def test_a_second_gap_makes_the_first_answer_old(self, course: Course) -> None:
        course.handle(LOST)
        course.handle(CellStatesChanged({}, {}))
        course.handle(LOST)
        assert course.returned(None, {}) == []
        assert course.states == {}

    def test_its_end_waits_for_the_last_snapshot(self, course: Course) -> None:
        course.handle(LOST)
        done = {"a": "finished_with_no_error", "b": "finished_with_error"}
        assert course.handle(states(**done))[-1] == Look()
        assert not course.over
        assert course.look_begins()
        [event] = course.outputs.missed("a", collection("a", output("a", "12")))
        assert course.missed(event) == [Pass(event)]
        ended = [Pass(CellFinished("a", True)), Pass(CellFinished("b", False)), End()]
        assert course.look_ended(complete=True, changed=True) == ended

    def test_a_payload_that_comes_twice_is_passed_once(self, course: Course) -> None:
        payload = PayloadReceived(RUN, "a", ({"source": "page"},))
        assert course.handle(payload) == [Pass(payload)]
        run = known(a="executing").model_copy(update={"payloads": {"a": [{"source": "page"}]}})
        assert course.returned(run, {}) == [Pass(CellStarted("a"))]

    def test_snapshots_go_on_while_something_changes(self, course: Course) -> None:
        course.handle(LOST)
        complete = course.look_begins()
        assert not complete
        assert course.look_ended(complete=False, changed=True) == [Look()]
        course.look_begins()
        course.handle(OutputAppended(output("a", "1")))
        assert course.look_ended(complete=False, changed=False) == [Look()]
        course.look_begins()
        assert course.look_ended(complete=False, changed=False) == []

    def test_what_a_snapshot_brings_after_the_end_is_late(self, course: Course) -> None:
        course.look_begins()
        course.handle(ConnectionChanged("closed"))
        event = OutputAppended(output("a", "1"))
        assert course.missed(event) == [PassLate(event)]
        assert course.look_ended(complete=True, changed=True) == []
        assert course.returned(known(a="executing"), {}) == []


def test_one_that_has_begun_is_followed_from_its_first_output() -> None:
    course = Course(RUN)
    effects = course.catch_up(known(a="finished_with_no_error", b="executing"))
    assert effects == [Pass(CellStarted("b")), Look()]
    assert course.targets == CELLS
    assert course.outputs.collections == COLLECTIONS


class Text:
    """An output as somebody sees it who takes what was passed on."""

    def __init__(self, output: m.Output) -> None:
        self.collection = output.parent_collection_id
        self.id, self.text = output.id, stream_text(output)

    def grow(self, text: str) -> None:
        self.text += text


class ServerAndShell(RuleBasedStateMachine):
    """A server whose events may be lost, and a shell that does what is to be done at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.course = Course(RUN)
        self.up, self.asking = True, False
        self.states = {cell_id: state(cell_id, "queued") for cell_id in CELLS}
        self.outputs: dict[str, list[m.Output]] = {cell_id: [] for cell_id in CELLS}
        self.looks: list[bool] = []  # the look that is being taken: whether it is complete
        self.look_due = False
        self.passed: list[Event] = []
        self.late: list[Event] = []
        self.ends = 0
        self.do(self.course.accept(CELLS))

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Pass):
                assert not self.ends
                self.passed.append(effect.event)
            elif isinstance(effect, PassLate):
                self.late.append(effect.event)
            elif isinstance(effect, Look):
                self.look_due = self.look_due or not self.looks  # else one is being taken
            elif isinstance(effect, AskBack):
                self.asking = True
            elif isinstance(effect, End):
                self.ends += 1

    def tell(self, event: Event) -> None:
        if self.up:
            self.do(self.course.handle(event))

    @property
    def running(self) -> str | None:
        return next((one for one in CELLS if self.states[one].state == "executing"), None)

    def turn(self, cell_id: str, name: str) -> None:
        self.states[cell_id] = state(cell_id, name)
        self.tell(CellStatesChanged(dict(self.states), {cell_id: self.states[cell_id]}))

    # The server

    @precondition(lambda self: self.running is None)
    @rule()
    def begin(self) -> None:
        queued = [one for one in CELLS if self.states[one].state == "queued"]
        if queued:
            self.turn(queued[0], "executing")

    @precondition(lambda self: self.running is not None)
    @rule(well=st.booleans())
    def end(self, well: bool) -> None:
        assert self.running is not None
        self.turn(self.running, "finished_with_no_error" if well else "finished_with_error")

    @precondition(lambda self: self.running is not None)
    @rule(text=st.sampled_from(["x", "yy", "zzz"]), fresh=st.booleans())
    def write(self, text: str, fresh: bool) -> None:
        assert self.running is not None
        kept = self.outputs[self.running]
        if fresh or not kept:
            kept.append(output(self.running, text))
            self.tell(OutputAppended(kept[-1]))
            return
        self.tell(OutputContinued(output(self.running, text, kept[-1].id)))
        kept[-1] = output(self.running, stream_text(kept[-1]) + text, kept[-1].id)

    @precondition(lambda self: self.running is not None)
    @rule()
    def clear(self) -> None:
        assert self.running is not None
        self.outputs[self.running] = []
        self.tell(OutputsCleared(COLLECTIONS[self.running], (), self.running, RUN))

    # The connection

    @rule()
    def lose(self) -> None:
        self.tell(LOST)
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def come_back(self) -> None:
        self.up = True
        self.tell(BACK)
        self.tell(CellStatesChanged(dict(self.states), dict(self.states)))

    # The shell

    @precondition(lambda self: self.asking and self.up)
    @rule()
    def answer(self) -> None:
        self.asking = False
        run = known(**{one.cell_id: str(one.state) for one in self.states.values()})
        self.do(self.course.returned(run, self.states))

    @precondition(lambda self: self.look_due and not self.looks and not self.course.over)
    @rule()
    def begin_look(self) -> None:
        self.look_due = False
        self.looks.append(self.course.look_begins())

    @precondition(lambda self: self.looks and self.up)
    @rule()
    def end_look(self) -> None:
        changed = False
        for cell_id in CELLS:
            found = collection(cell_id, *self.outputs[cell_id])
            for event in self.course.outputs.missed(cell_id, found):
                self.do(self.course.missed(event))
                changed = True
        complete = self.looks.pop()
        self.do(self.course.look_ended(complete=complete, changed=changed))

    # What holds

    @invariant()
    def it_ends_once_and_not_too_early(self) -> None:
        assert self.ends == int(self.course.over) <= 1
        if self.ends:
            assert all(one.state.startswith("finished") for one in self.states.values())

    @invariant()
    def cells_begin_and_end_once(self) -> None:
        for kind in (CellStarted, CellFinished):
            ids = [one.cell_id for one in self.passed if isinstance(one, kind)]
            assert len(ids) == len(set(ids))
            assert ids == sorted(ids)

    def teardown(self) -> None:
        while self.running is not None or any(s.state == "queued" for s in self.states.values()):
            self.end(True) if self.running is not None else self.begin()
        if not self.up:
            self.come_back()
        while self.asking or self.looks or (self.look_due and not self.course.over):
            if self.asking:
                self.answer()
            if self.look_due and not self.looks and not self.course.over:
                self.begin_look()
            if self.looks:
                self.end_look()
        assert self.ends == 1
        finished = [one.cell_id for one in self.passed if isinstance(one, CellFinished)]
        assert tuple(finished) == CELLS
        fold = OutputFold(Text, Text.grow, lambda kept, event: None)
        for event in self.passed + self.late:
            fold.take(event)
        for cell_id in CELLS:
            seen = [(one.id, one.text) for one in fold if one.collection == COLLECTIONS[cell_id]]
            assert seen == [(one.id, stream_text(one)) for one in self.outputs[cell_id]]


ServerAndShell.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestWhatIsSeenIsWhatTheServerHas = ServerAndShell.TestCase
