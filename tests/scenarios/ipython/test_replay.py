"""Replaying outputs into the calling cell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from rtu_magics.ipython.show.display_ids import DisplayIds
from rtu_magics.ipython.show.replay import Replay
from rtu_magics.models import Output, OutputContent, utcnow
from rtu_magics.session.events import (
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)

RUN = uuid4()


def output(kind: str, raw: str | None = None, **more: Any) -> Output:
    return Output(
        id=uuid4(),
        created_at=utcnow(),
        updated_at=utcnow(),
        type=kind,
        content_metadata=OutputContent(mimetype="text/plain"),
        content=None if raw is None else OutputContent(mimetype="text/plain", raw=raw),
        parent_collection_id=uuid4(),
        execution_id=RUN,
        **more,
    )


class Recorder:
    """What a shell is asked to show, in order, streams included."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.display_pub = self

    def publish(
        self, data: Any, metadata: Any, transient: Any = None, update: bool = False
    ) -> None:
        self.calls.append(("update" if update else "display", data, transient))

    def clear_output(self, wait: bool = False) -> None:
        self.calls.append(("clear", wait))

    def stream(self, name: str) -> Any:
        recorder = self

        class Stream:
            def write(self, text: str) -> None:
                recorder.calls.append((name, text))

            def flush(self) -> None:
                pass

        return Stream()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    streams = SimpleNamespace(stdout=recorder.stream("stdout"), stderr=recorder.stream("stderr"))
    monkeypatch.setattr("rtu_magics.ipython.show.replay.sys", streams)
    return recorder


def test_streams_stay_apart(shell: Recorder) -> None:
    replay = Replay(shell, DisplayIds(), owns_cell=True)
    replay.show(OutputAppended(output("stream", "a", stream_name="stdout")))
    replay.show(OutputContinued(output("stream", "b", stream_name="stdout", continues=True)))
    replay.show(OutputAppended(output("stream", "c", stream_name="stderr")))
    assert shell.calls == [("stdout", "a"), ("stdout", "b"), ("stderr", "c")]


def test_display_ids_carry_the_run(shell: Recorder) -> None:
    ids = DisplayIds()
    first = output("display_data", data={"text/plain": "1"}, display_id="d")
    Replay(shell, ids, owns_cell=True).show(OutputAppended(first))
    # A later run updates it: the display of the earlier cell changes.
    update = OutputsUpdated((first.id, uuid4()), {"text/plain": "2"}, {}, "d", uuid4())
    Replay(shell, ids, owns_cell=True).show(update)
    local = {"display_id": f"rtu-{RUN.hex[:12]}-d"}
    assert shell.calls == [
        ("display", {"text/plain": "1"}, local),
        ("update", {"text/plain": "2"}, local),
    ]


def test_widgets_and_scripts_are_dropped(shell: Recorder) -> None:
    bundle = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"}
    Replay(shell, DisplayIds(), owns_cell=True).show(
        OutputAppended(output("display_data", data=bundle))
    )
    assert shell.calls == [("display", {"text/plain": "IntSlider()"}, None)]


def test_error_is_the_remote_traceback(shell: Recorder) -> None:
    lines = ["\x1b[31mTraceback\x1b[0m", "E: v"]
    Replay(shell, DisplayIds(), owns_cell=True).show(
        OutputAppended(output("error", ename="E", evalue="v", traceback=lines))
    )
    assert shell.calls == [("stderr", "\x1b[31mTraceback\x1b[0m\nE: v\n")]


def test_clear_waits_for_what_comes_next(shell: Recorder) -> None:
    replay = Replay(shell, DisplayIds(), owns_cell=True)
    replay.show(OutputsCleared(uuid4(), (), "cell", RUN))
    assert shell.calls == []
    replay.show(OutputAppended(output("stream", "new")))
    assert shell.calls == [("clear", True), ("stdout", "new")]


def test_clear_for_good(shell: Recorder) -> None:
    replay = Replay(shell, DisplayIds(), owns_cell=True)
    replay.show(OutputsCleared(uuid4(), (), "cell", RUN))
    replay.idle()
    replay.idle()
    assert shell.calls == [("clear", False)]


def test_clear_leaves_a_cell_with_other_outputs_alone(shell: Recorder) -> None:
    replay = Replay(shell, DisplayIds(), owns_cell=False)
    replay.show(OutputsCleared(uuid4(), (output("stream", "rest"),), "cell", RUN))
    replay.idle()
    assert shell.calls == [("stdout", "rest")]


def test_forgets_the_oldest_displays() -> None:
    ids = DisplayIds(limit=2)
    outputs = [output("display_data", data={}, display_id=str(n)) for n in range(3)]
    for one in outputs:
        ids.assign(one)
    assert ids.find((outputs[0].id,)) == []
    assert len(ids.find(tuple(o.id for o in outputs))) == 2
