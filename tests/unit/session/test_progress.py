"""What of a run's outputs was passed on: nothing lost, nothing doubled, gaps or not."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.models import Output, OutputContent, utcnow
from rtu_magics.session.events import (
    Event,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)
from rtu_magics.session.execution.cursor import Progress

COLLECTION = uuid4()
RUN = uuid4()


def output(kind: str = "stream", text: str = "", output_id: UUID | None = None, **more) -> Output:
    mimetype = "application/vnd.rtu.stdout" if kind == "stream" else "text/plain"
    return Output(
        id=output_id or uuid4(),
        created_at=utcnow(),
        updated_at=utcnow(),
        type=kind,
        content_metadata=OutputContent(mimetype=mimetype),
        content=OutputContent(mimetype=mimetype, raw=text),
        parent_collection_id=COLLECTION,
        execution_id=RUN,
        **more,
    )


def text_of(events: list[Event]) -> str:
    return "".join(
        e.output.content.raw
        for e in events
        if isinstance(e, (OutputAppended, OutputContinued)) and e.output.content
    )


def test_live_events_pass_once() -> None:
    progress = Progress()
    first = output(text="a")
    assert progress.take(OutputAppended(first))
    assert not progress.take(OutputAppended(first))
    assert progress.take(OutputContinued(output(text="b", output_id=first.id)))
    assert progress.catch_up(COLLECTION, [output(text="ab", output_id=first.id)]) == []


def test_gap_in_a_stream() -> None:
    progress = Progress()
    first = output(text="ab")
    progress.take(OutputAppended(first))
    progress.gapped = True
    assert not progress.take(OutputContinued(output(text="e", output_id=first.id)))
    now = [output(text="abcde", output_id=first.id)]
    events = progress.catch_up(COLLECTION, now)
    assert [type(e) for e in events] == [OutputContinued]
    assert text_of(events) == "cde"
    assert progress.catch_up(COLLECTION, now) == []


def test_missed_display_update() -> None:
    progress = Progress()
    shown = output("display_data", data={"text/plain": "1"}, display_id="d")
    progress.take(OutputAppended(shown))
    progress.gapped = True
    new = shown.model_copy(update={"data": {"text/plain": "2"}})
    events = progress.catch_up(COLLECTION, [new])
    assert [type(e) for e in events] == [OutputsUpdated]
    assert events[0].output_ids == (shown.id,)  # type: ignore[attr-defined]
    assert progress.catch_up(COLLECTION, [new]) == []


def test_missed_clear() -> None:
    progress = Progress()
    progress.take(OutputAppended(output(text="old")))
    progress.gapped = True
    left = output(text="new")
    events = progress.catch_up(COLLECTION, [left], "cell")
    assert [type(e) for e in events] == [OutputsCleared]
    assert events[0].outputs == (left,)  # type: ignore[attr-defined]
    assert progress.catch_up(COLLECTION, [left], "cell") == []


@given(st.lists(st.text(max_size=3), min_size=1, max_size=8), st.data())
def test_any_gap_gives_the_whole_text(pieces: list[str], data: st.DataObject) -> None:
    gap = data.draw(st.integers(0, len(pieces)))
    progress, passed, stream = Progress(), [], uuid4()
    for index, piece in enumerate(pieces):
        if index == gap:
            progress.gapped = True
        event = (OutputContinued if index else OutputAppended)(output(text=piece, output_id=stream))
        if progress.take(event):
            passed.append(event)
        if index >= gap:
            snapshot = [output(text="".join(pieces[: index + 1]), output_id=stream)]
            passed += progress.catch_up(COLLECTION, snapshot)
    assert text_of(passed) == "".join(pieces)
