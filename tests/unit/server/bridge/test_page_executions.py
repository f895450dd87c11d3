"""What pages run, told to those who follow the notebook over RTU."""

from __future__ import annotations

from typing import Any

import pytest

from rtu_magics.server.bridge.page_executions import PageExecutions

STREAM = {"output_type": "stream", "name": "stdout", "text": "x"}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no\nmore", "traceback": []}


def ended(runs: PageExecutions, **more: Any) -> Any:
    given = {"running": False, "outputs": [], "count": 1, "counted": True, **more}
    return runs.taken("a", **given)


def test_a_run_begins_once_and_ends_with_what_it_shows() -> None:
    runs = PageExecutions()
    begun = runs.seen("a", running=True)
    assert begun is not None
    assert (begun.cell_id, begun.state) == ("a", "executing")
    assert runs.seen("a", running=True) is None
    assert ended(runs, running=True, outputs=[STREAM]) is None, "it goes on"
    state = ended(runs, outputs=[STREAM], counted=False)
    assert (state.state, state.execution_count, state.cause) == ("finished_with_no_error", 1, None)
    assert ended(runs, outputs=[STREAM], counted=False) is None
    assert runs.seen("a", running=True) is not None, "the next run"


def test_a_run_that_fails_names_its_error() -> None:
    runs = PageExecutions()
    runs.seen("a", running=True)
    state = ended(runs, outputs=[STREAM, ERROR], count=4)
    assert (state.state, state.reason, state.execution_count) == ("finished_with_error", "error", 4)
    assert state.cause == "ValueError: no"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"counted": True}, "finished_with_no_error"),
        ({"counted": True, "outputs": [ERROR]}, "finished_with_error"),
        ({"counted": False, "outputs": [STREAM]}, None),  # an output that came late
        ({"count": None, "outputs": [STREAM]}, None),
        ({"count": None}, "not_run"),  # cleared in the page
    ],
)
def test_a_run_that_nobody_saw_is_known_by_its_count(given: Any, wanted: str | None) -> None:
    state = ended(PageExecutions(), **given)
    assert (None if state is None else state.state) == wanted


def test_where_the_pages_are_gone_nothing_runs_for_ever() -> None:
    runs = PageExecutions()
    runs.seen("b", running=True)
    runs.seen("a", running=True)
    assert [(one.cell_id, one.state) for one in runs.given_up()] == [
        ("a", "not_run"),
        ("b", "not_run"),
    ]
    assert runs.given_up() == []
