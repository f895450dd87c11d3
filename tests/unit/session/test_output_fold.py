"""The outputs that events leave: the same as the server's, whatever comes in whatever pieces."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.models import Output, OutputContent, utcnow
from rtu_magics.session.events import (
    ConnectionChanged,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)
from rtu_magics.session.execution.outputs import OutputFold, stream_text

ONE, OTHER = uuid4(), uuid4()


def output(
    kind: str = "stream", text: str = "", output_id: UUID | None = None, collection: UUID = ONE
) -> Output:
    mimetype = "application/vnd.rtu.stdout" if kind == "stream" else "text/plain"
    return Output(
        id=output_id or uuid4(),
        created_at=utcnow(),
        updated_at=utcnow(),
        type=kind,
        content_metadata=OutputContent(mimetype=mimetype),
        content=OutputContent(mimetype=mimetype, raw=text),
        parent_collection_id=collection,
    )


class Kept:
    def __init__(self, output: Output) -> None:
        self.id = output.id
        self.text = stream_text(output)

    def grow(self, text: str) -> None:
        self.text += text

    def show(self, event: OutputsUpdated) -> None:
        self.text = event.data["text/plain"]


def fold() -> OutputFold[Kept]:
    return OutputFold(Kept, Kept.grow, Kept.show)


def texts(of: OutputFold[Kept]) -> list[str]:
    return [kept.text for kept in of]


def test_order_and_what_changed() -> None:
    folded = fold()
    first, second = output(text="a"), output("display_data", "b")
    assert [kept.text for kept in folded.take(OutputAppended(first))] == ["a"]
    folded.take(OutputAppended(second))
    [grown] = folded.take(OutputContinued(output(text="a", output_id=first.id)))
    assert grown.text == "aa"
    assert texts(folded) == ["aa", "b"]
    assert len(folded) == 2


def test_one_that_is_there_is_not_added_again() -> None:
    folded = fold()
    one = output(text="a")
    folded.take(OutputAppended(one))
    assert folded.take(OutputAppended(one)) == []
    assert texts(folded) == ["a"]


def test_what_is_not_there_does_not_go_on() -> None:
    folded = fold()
    assert folded.take(OutputContinued(output(text="a"))) == []
    assert folded.take(OutputsUpdated((uuid4(),), {"text/plain": "x"}, {})) == []
    assert folded.take(ConnectionChanged("live")) == []
    assert texts(folded) == []


def test_only_displays_show_something_new() -> None:
    folded = fold()
    made = [output(text="s"), output("error", "e"), output("display_data", "d")]
    made.append(output("execute_result", "r"))
    for one in made:
        folded.take(OutputAppended(one))
    changed = folded.take(OutputsUpdated(tuple(o.id for o in made), {"text/plain": "new"}, {}))
    assert [kept.id for kept in changed] == [made[2].id, made[3].id]
    assert texts(folded) == ["s", "e", "new", "new"]


def test_clearing_a_collection_leaves_the_others() -> None:
    folded = fold()
    folded.take(OutputAppended(output(text="a")))
    folded.take(OutputAppended(output(text="b", collection=OTHER)))
    new = output(text="c")
    assert [k.text for k in folded.take(OutputsCleared(ONE, (new,)))] == ["c"]
    assert texts(folded) == ["b", "c"]
    folded.take(OutputsCleared(OTHER, ()))
    assert texts(folded) == ["c"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.text(max_size=3)),
        st.tuples(st.just("display"), st.text(max_size=3)),
        st.tuples(st.just("grow"), st.text(max_size=3)),
        st.tuples(st.just("update"), st.text(max_size=3)),
        st.tuples(st.just("clear"), st.just("")),
    ),
    max_size=20,
)


@given(STEPS)
def test_folding_events_gives_what_the_server_keeps(steps: list[tuple[str, str]]) -> None:
    folded = fold()
    server: list[Output] = []
    for what, text in steps:
        if what in ("append", "display"):
            new = output("stream" if what == "append" else "display_data", text)
            server.append(new)
            folded.take(OutputAppended(new))
        elif what == "clear":
            server.clear()
            folded.take(OutputsCleared(ONE, ()))
        else:
            kind = "stream" if what == "grow" else "display_data"
            at = next((i for i, o in enumerate(server) if o.type == kind), None)
            if at is None:
                continue
            old = server[at]
            whole = stream_text(old) + text if what == "grow" else text
            server[at] = output(kind, whole, old.id)
            if what == "grow":
                folded.take(OutputContinued(output(kind, text, old.id)))
            else:
                folded.take(OutputsUpdated((old.id,), {"text/plain": text}, {}))
    snapshot = fold()
    snapshot.replace(ONE, server)
    assert texts(folded) == texts(snapshot)
