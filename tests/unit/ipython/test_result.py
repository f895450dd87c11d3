"""A result that is read while its run goes on: always a beginning of the whole, in the end all."""

from __future__ import annotations

import sys
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics.ipython.show.result import RunResult
from rtu_magics.models import Output, OutputContent, utcnow
from rtu_magics.session.events import OutputAppended, OutputContinued, OutputsUpdated

COLLECTION = uuid4()


def stream(text: str, output_id: UUID | None = None) -> Output:
    content = OutputContent(mimetype="application/vnd.rtu.stdout", raw=text)
    return Output(
        id=output_id or uuid4(),
        created_at=utcnow(),
        updated_at=utcnow(),
        type="stream",
        content_metadata=content,
        content=content,
        parent_collection_id=COLLECTION,
    )


def display(**data: Any) -> Output:
    made = stream("").model_copy(update={"type": "display_data", "content": None})
    return made.model_copy(update=data)


@pytest.fixture
def switches() -> Any:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_text_is_whole_whenever_somebody_looks() -> None:
    result, first = RunResult(), stream("a")
    result.take(OutputAppended(first))
    assert result.text == "a"
    for text in "bcd":
        result.take(OutputContinued(stream(text, first.id)))
    assert [result.text, result.text] == ["abcd", "abcd"]
    result.take(OutputContinued(stream("e", first.id)))
    assert result.text == "abcde"
    assert len(result.outputs) == 1


@pytest.mark.usefixtures("switches")
def test_nothing_is_lost_between_one_who_reads_and_one_who_adds() -> None:
    result, first = RunResult(), stream("")
    result.take(OutputAppended(first))
    pieces = [f"{n}\n" for n in range(3000)]
    whole = "".join(pieces)

    def add() -> None:
        for piece in pieces:
            result.take(OutputContinued(stream(piece, first.id)))

    adding = threading.Thread(target=add)
    adding.start()
    seen = []
    while adding.is_alive():
        seen.append(result.text)
    adding.join()
    assert all(whole.startswith(text) for text in seen)
    assert result.text == whole


def test_what_comes_by_link_is_in_it() -> None:
    result = RunResult(lambda links: {mimetype: f"of {url}" for mimetype, url in links.items()})
    shown = display(data={"text/plain": "p"}, links={"text/html": "u"})
    result.take(OutputAppended(shown))
    assert result.data == {"text/plain": "p", "text/html": "of u"}
    result.take(
        OutputsUpdated((shown.id,), {"text/plain": "q"}, {"a": 1}, links={"image/png": "v"})
    )
    assert result.data == {"text/plain": "q", "image/png": "of v"}
    assert result.outputs[0].metadata == {"a": 1}
