"""What is done about a file, as a table and as a machine that is driven at random."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtu_magics.server.file import events as ev
from rtu_magics.server.file.state import (
    BACK_AFTER,
    RETRY_AT_LATEST,
    WRITE_AFTER,
    WRITE_AT_LATEST,
    FileState,
    handle,
    may_write,
)


def run(*events: ev.Event, state: FileState | None = None) -> tuple[FileState, list[ev.Effect]]:
    """The state after some events, and the effects of the last one."""
    state = state or FileState("n.ipynb")
    effects: list[ev.Effect] = []
    for event in events:
        state, effects = handle(state, event)
    return state, effects


DIRTY = run(ev.Changed(1.0))[0]
FAILING = run(ev.Changed(1.0), ev.Failed(2.0, "write", "No space left on device"))[0]


@pytest.mark.parametrize(
    ("events", "condition", "unsaved"),
    [
        ([], "clean", False),
        ([ev.Changed(1)], "dirty", True),
        ([ev.Changed(1), ev.Wrote(2, 1)], "clean", False),
        ([ev.Changed(1), ev.Changed(1.5), ev.Wrote(2, 1)], "dirty", True),
        ([ev.Changed(1), ev.Failed(2, "write", "x")], "failing", True),
        ([ev.Changed(1), ev.Failed(2, "render", "x")], "failing", True),
        ([ev.Failed(2, "read", "x")], "failing", False),
        ([ev.Changed(1), ev.Failed(2, "read", "x"), ev.Found(3)], "dirty", True),
        ([ev.Changed(1), ev.Failed(2, "write", "x"), ev.Found(3)], "failing", True),
        ([ev.Changed(1), ev.Failed(2, "write", "x"), ev.Wrote(3, 1)], "clean", False),
        ([ev.Vanished(1)], "missing", False),
        ([ev.Vanished(1), ev.Changed(2)], "dirty", True),
        ([ev.Vanished(1), ev.Changed(2, revive=False)], "missing", True),
        ([ev.Changed(1), ev.Vanished(2)], "dirty", True),
        ([ev.Changed(1, revive=False), ev.Vanished(2)], "missing", True),
        (
            [ev.Changed(1), ev.Wrote(2, 1), ev.Changed(3, revive=False), ev.Vanished(4)],
            "missing",
            True,
        ),
        ([ev.Held(1, "L"), ev.Changed(2), ev.Vanished(3)], "held", True),
        ([ev.NotNotebook(1, "x"), ev.Changed(2), ev.Vanished(3)], "dirty", True),
        ([ev.Changed(1), ev.Failed(2, "write", "x"), ev.Vanished(3)], "dirty", True),
        ([ev.NotNotebook(1, "x")], "foreign", False),
        ([ev.NotNotebook(1, "x"), ev.Changed(2)], "foreign", True),
        ([ev.NotNotebook(1, "x"), ev.SaveAsked(2)], "dirty", True),
        ([ev.NotNotebook(1, "x"), ev.Found(2)], "clean", False),
        ([ev.Held(1, "L"), ev.Changed(2)], "held", True),
        ([ev.Held(1, "L"), ev.Changed(2), ev.SaveAsked(3)], "held", True),
        ([ev.Held(1, "L"), ev.Changed(2), ev.Released(3)], "dirty", True),
        ([ev.Denied(1, "mode 0444"), ev.Changed(2)], "read-only", True),
        ([ev.Denied(1, "mode 0444"), ev.Changed(2), ev.Allowed(3)], "dirty", True),
        ([ev.Changed(1), ev.Failed(2, "write", "x"), ev.Denied(3, "m")], "read-only", True),
    ],
    ids=str,
)
def test_conditions(events: list[ev.Event], condition: str, unsaved: bool) -> None:
    state, _ = run(*events)
    assert (state.condition, state.unsaved) == (condition, unsaved)
    assert bool(state.reason) == (condition not in ("clean", "dirty"))
    assert "\n" not in state.reason


def test_a_write_waits_for_quiet_but_not_for_ever() -> None:
    state, effects = run(ev.Changed(1.0))
    assert effects == [ev.SetTimer(1.0 + WRITE_AFTER)]
    at = 1.0
    while at < 10:
        at += 0.5
        state, effects = handle(state, ev.Changed(at))
    assert effects == [ev.SetTimer(at)]  # long overdue
    assert run(ev.Changed(3.5), state=DIRTY)[1] == [ev.SetTimer(1.0 + WRITE_AT_LATEST)]
    assert run(ev.Due(1.2), state=DIRTY)[1] == [ev.SetTimer(1.7)]
    assert run(ev.Due(1.7), state=DIRTY)[1] == [ev.Write()]


@pytest.mark.parametrize("doing", ["read", "write", "render", "store"])
def test_a_failure_is_told_once_and_tried_again_ever_more_slowly(doing: ev.Doing) -> None:
    state, effects = run(ev.Failed(2.0, doing, "why"), state=DIRTY)
    assert [type(effect) for effect in effects] == [ev.SetTimer, ev.Tell, ev.ShowState]
    waits = []
    for _ in range(8):
        assert state.failure is not None
        waits.append(state.failure.next_try - state.failure.since)
        state, effects = handle(state, ev.Due(state.failure.next_try))
        assert effects == [ev.Write()]
        state, effects = handle(state, ev.Failed(state.failure.next_try, doing, "why"))
        assert [type(effect) for effect in effects] == [ev.SetTimer]
    assert waits == sorted(waits)
    state, effects = handle(state, ev.Failed(99.0, doing, "another reason"))
    assert any(isinstance(effect, ev.Tell) for effect in effects)
    state, effects = handle(state, ev.Wrote(100.0, state.generation))
    assert [e.error for e in effects if isinstance(e, ev.Tell)] == [False]
    assert ev.ShowState() in effects
    assert state.condition == "clean"


def test_the_last_seconds_of_an_error_are_short() -> None:
    state = FAILING
    for n in range(20):
        state, _ = handle(state, ev.Failed(10.0 + n, "write", "No space left on device"))
    assert state.failure is not None
    assert state.failure.next_try <= 29.0 + RETRY_AT_LATEST


@pytest.mark.parametrize(
    "event", [ev.Vanished(2.0), ev.NotNotebook(2.0, "why"), ev.Held(2.0, "JupyterLab has it")]
)
def test_a_version_is_kept_once_before_the_file_is_given_up(event: ev.Event) -> None:
    state, effects = run(ev.Changed(1.0, revive=False), event)
    assert sum(isinstance(effect, ev.KeepVersion) for effect in effects) == 1
    assert ev.SetTimer(None) in effects
    assert state.unsaved
    assert not may_write(state)
    again = handle(state, replace(event, now=3.0))[1]
    assert not [e for e in again if isinstance(e, ev.KeepVersion | ev.Tell)]


@pytest.mark.parametrize("noticed", [3.0, 1.2], ids=["edited before", "edited after"])
def test_a_file_that_is_deleted_with_edits_comes_back_when_a_rename_would_be_over(
    noticed: float,
) -> None:
    events = sorted([ev.Changed(2.0), ev.Vanished(noticed)], key=lambda event: event.now)
    state, _ = run(*events)
    assert state.write_at == noticed + BACK_AFTER
    again, effects = handle(state, ev.Vanished(noticed + 1))
    assert again.write_at == noticed + BACK_AFTER
    assert not [e for e in effects if isinstance(e, ev.KeepVersion | ev.Tell)]
    assert run(ev.Changed(noticed + 1), state=again)[0].write_at == noticed + BACK_AFTER
    assert run(ev.Found(noticed + 1), state=again)[0].gone_at is None
    state, effects = run(ev.Due(noticed + BACK_AFTER), state=again)
    assert effects == [ev.Write()]
    written = run(ev.Wrote(9.0, state.generation), state=state)[0]
    assert (written.condition, written.gone_at) == ("clean", None)


def test_an_error_of_reading_is_no_content() -> None:
    """Neither suspends writing nor asks anybody to load the notebook anew."""
    for reason in ("Permission denied", "Too many open files", "Stale file handle"):
        state, effects = run(ev.Failed(2.0, "read", reason), state=DIRTY)
        assert may_write(state)
        assert not [e for e in effects if isinstance(e, ev.KeepVersion)]
        state, effects = run(ev.Found(5.0), state=state)
        assert state.condition == "dirty"
        assert any(isinstance(e, ev.SetTimer) and e.at is not None for e in effects)


class FileMachine(RuleBasedStateMachine):
    """Anything may happen in any order; what was accepted is never forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.state = FileState("n.ipynb")
        self.now = 0.0
        self.timer: float | None = None
        self.on_disk = 0  # the generation that the file really holds
        self.writing = False
        self.wanted = False  # whether what is not on disk is somebody's edit
        self.known = (self.state.condition, self.state.reason)

    def feed(self, event: ev.Event) -> list[ev.Effect]:
        self.state, effects = handle(self.state, event)
        for effect in effects:
            if isinstance(effect, ev.SetTimer):
                self.timer = effect.at
            if isinstance(effect, ev.Write):
                self.writing = True
            if isinstance(effect, ev.ShowState):
                self.known = (self.state.condition, self.state.reason)
        return effects

    @rule(seconds=st.floats(0.0, 20.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(revive=st.booleans())
    def change(self, revive: bool) -> None:
        self.wanted = revive or (self.wanted and self.state.unsaved)
        self.feed(ev.Changed(self.now, revive))

    @precondition(lambda self: self.timer is not None)
    @rule()
    def due(self) -> None:
        assert self.timer is not None
        self.now = max(self.now, self.timer)
        self.timer = None
        self.feed(ev.Due(self.now))

    @precondition(lambda self: self.writing)
    @rule(behind=st.integers(0, 2))
    def written(self, behind: int) -> None:
        self.writing = False
        if may_write(self.state):
            generation = max(self.on_disk, self.state.generation - behind)
            self.on_disk = generation
            self.feed(ev.Wrote(self.now, generation))

    @rule(doing=st.sampled_from(["read", "write", "render", "store"]), why=st.sampled_from("ab"))
    def fail(self, doing: ev.Doing, why: str) -> None:
        self.writing = False
        self.feed(ev.Failed(self.now, doing, why))

    @rule(
        kind=st.sampled_from(
            [ev.Found, ev.Vanished, ev.SaveAsked, ev.Released, ev.Allowed],
        )
    )
    def happens(self, kind: type) -> None:
        effects = self.feed(kind(self.now))
        if kind is ev.SaveAsked and (self.state.unsaved or self.state.failure):
            self.writing = True  # whoever asks writes
        assert effects is not None

    @rule(
        kind=st.sampled_from([ev.NotNotebook, ev.Held, ev.Denied]),
        why=st.sampled_from(["one", "two"]),
    )
    def blocked(self, kind: type, why: str) -> None:
        self.feed(kind(self.now, why))

    @invariant()
    def nothing_counts_as_written_that_is_not(self) -> None:
        assert self.state.written == self.on_disk
        assert self.state.unsaved == (self.on_disk != self.state.generation)

    @invariant()
    def what_is_unsaved_is_written_some_time(self) -> None:
        stuck = self.state.unsaved and may_write(self.state)
        assert not stuck or self.timer is not None or self.writing

    @invariant()
    def an_edit_is_not_deleted_with_the_file(self) -> None:
        assert not (self.state.content == "missing" and self.state.unsaved and self.wanted)

    @invariant()
    def errors_are_tried_again(self) -> None:
        readable = not (self.state.held or self.state.content or self.state.denied)
        if self.state.failure is not None and readable:
            assert self.timer is not None or self.writing

    @invariant()
    def people_know(self) -> None:
        if self.state.condition not in ("clean", "dirty"):
            assert self.known == (self.state.condition, self.state.reason)


TestFileMachine = FileMachine.TestCase


@pytest.mark.parametrize(
    ("taken", "given"),
    [(ev.Held(3, "L"), ev.Released(5)), (ev.Denied(3, "0444"), ev.Allowed(5))],
)
@pytest.mark.parametrize("unsaved", [True, False])
def test_what_went_wrong_before_somebody_took_the_file_is_tried_again_afterwards(
    taken, given, unsaved
):
    before = [ev.Changed(1)] if unsaved else []
    state, effects = run(*before, ev.Failed(2, "read", "x"), taken, given)
    if state.failure is not None or state.unsaved:
        assert state.write_at == 5
        assert ev.SetTimer(5) in effects
