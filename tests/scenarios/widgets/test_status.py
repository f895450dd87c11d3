"""What a status shows and sends, and that it ends."""

from __future__ import annotations

import gc
import json
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rtu_magics
from rtu_magics import models as m
from rtu_magics.session.events import UsageChanged
from rtu_magics.widgets import Status, statuses
from rtu_magics.widgets.status.state import Line, Strip, line_of, mark_of

from ...helpers.server import RunningServer, running_server
from ...unit.widgets.mirror.test_state import make_session

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found


@pytest.fixture
def owner(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Any]:
    path = f"{request.node.name}.ipynb"
    (Path(server.root) / path).write_text(
        json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []})
    )
    with rtu_magics.connect(
        f"{server.url}lab/tree/{path}", token=server.token, say=lambda _: None
    ) as session:
        yield session


def until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def sent(status: Status) -> list[dict[str, Any]]:
    """Keep what the strip sends from now on."""
    messages: list[dict[str, Any]] = []
    status._strip.send = lambda message, buffers=None: messages.append(message)
    return messages


def enabled(status: Status) -> set[str]:
    return {name for name, button in status._buttons.items() if not button.disabled}


@pytest.mark.parametrize("count", [10, 1000])
def test_a_change_costs_what_changed(count: int) -> None:
    session = make_session(count)
    strip = Strip(session)
    assert len(strip.whole()["cells"]) == count
    assert strip.changes() == []
    cell_id = session.client.cell_ids[3]
    state = m.CellState(cell_id=cell_id, state="executing")
    session.cell_states = {cell_id: state}
    (message,) = strip.changes()
    assert message["t"] == "set"
    assert list(message["cells"]) == [cell_id]
    assert len(json.dumps(message)) < 120


def test_marks() -> None:
    def state(name: str, **more: Any) -> m.CellState:
        return m.CellState(cell_id="c", state=name, **more)

    assert mark_of(None) == "idle"
    assert mark_of(None, "markdown") == "text"
    assert mark_of(state("queued")) == "queued"
    assert mark_of(state("executing")) == "running"
    assert mark_of(state("executing", waiting_for_input=True)) == "asking"
    assert mark_of(state("finished_with_no_error")) == "done"
    assert mark_of(state("finished_with_error")) == "failed"
    ran = state("finished_with_error", reason="error", source_digest="00")
    assert mark_of(ran) == "failed"
    assert mark_of(ran.model_copy(update={"reason": "expected_error"})) == "done"
    assert mark_of(ran.model_copy(update={"reason": "interrupted"})) == "failed"
    assert mark_of(state("finished_with_error", reason="earlier_failed")) == "skipped"


def test_words() -> None:
    line = Line(
        connection="reconnecting",
        retry_in=7,
        notebook="a.ipynb",
        server="hub.example",
        kernel_name="python3",
        kernel_state="busy",
        people=("Ada", "Bob"),
        role="viewer",
        load=UsageChanged(12, 1, 85_000_000),
    )
    assert " · ".join(line.words) == (
        "reconnecting, next attempt in 7 s · a.ipynb at hub.example · kernel python3 busy · "
        "2 people: Ada, Bob · viewer · CPU 12 %, memory 85 MB"
    )


def test_it_follows_cells_and_people(owner: Any) -> None:
    status = Status(owner)
    messages = sent(status)
    cell = owner.add("1 + 1")
    until(lambda: any(cell.id in json.dumps(message) for message in messages))
    owner.delete(cell.id)
    until(lambda: {"t": "splice", "at": 0, "gone": 1, "cells": []} in messages)
    assert "live" in status._words.value
    assert 'data-kernel="not started"' in status._words.value
    status.close()


def test_buttons_obey_the_role(server: RunningServer, owner: Any) -> None:
    invite = owner.share("executor", name="Ada")
    with rtu_magics.connect(invite.url, say=lambda _: None) as guest:
        mine, hers = Status(owner), Status(guest)
        assert enabled(mine) == {"run", "interrupt", "restart", "save"}
        assert enabled(hers) == {"run", "interrupt", "restart"}
        assert "executor" in hers._words.value
        until(lambda: "Ada" in mine._words.value)
        owner.change_invite("Ada", "viewer")
        until(lambda: enabled(hers) == set())
        owner.change_invite("Ada", "contributor")
        until(lambda: "save" in enabled(hers))
        mine.close()
        hers.close()


def test_a_button_says_what_is_wrong(owner: Any) -> None:
    status = Status(owner)
    status._buttons["interrupt"].click()
    until(lambda: "no remote kernel runs" in status._say.value)
    status._buttons["save"].click()
    until(lambda: "saved" in status._say.value)
    status.close()


def test_closing_frees_what_it_holds(owner: Any) -> None:
    before = len(owner.hub._subscribers)
    status = Status(owner)
    assert statuses(owner) == [status]
    assert len(owner.hub._subscribers) == before + 1
    status.close()
    status.close()
    assert statuses(owner) == []
    assert len(owner.hub._subscribers) == before
    gone = weakref.ref(status)
    del status

    def freed() -> bool:
        gc.collect()
        return gone() is None

    until(freed)


def test_it_ends_with_its_session(owner: Any) -> None:
    status = Status(owner)
    owner.close()
    until(lambda: statuses(owner) == [])
    assert "closed" in status._line.connection
    assert "as it was on" in status.static()


def test_the_line_of_a_session(owner: Any) -> None:
    line = line_of(owner)
    assert line.connection == "live"
    assert line.notebook == owner.path
    assert line.role == "owner"
    assert line.load is None
