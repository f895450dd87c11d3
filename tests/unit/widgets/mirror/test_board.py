"""The mirror's outputs while some are fetched and others come: none doubled, none from the past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics.errors import APIError
from rtu_magics.models import CodeCell, Output, OutputCollection, OutputContent, utcnow
from rtu_magics.session.events import (
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)
from rtu_magics.widgets.mirror import board as board_module
from rtu_magics.widgets.mirror.board import OutputBoard

COLLECTION = uuid4()


def output(text: str, output_id: UUID | None = None) -> Output:
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


def display(text: str) -> Output:
    made = output("").model_copy(update={"type": "display_data", "content": None})
    return made.model_copy(update={"data": {"text/plain": text}})


class Api:
    """Answers one question after the other, when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

    async def get_output_collection(self, _: UUID) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(answer)
        return await answer

    async def answer(self, *outputs: Output) -> None:
        question = await asyncio.wait_for(self.asked.get(), 30)
        question.set_result(OutputCollection.model_construct(id=COLLECTION, outputs=list(outputs)))


class Board:
    """A board with one cell that has run, and what it says of it."""

    def __init__(self) -> None:
        self.api = Api()
        session: Any = SimpleNamespace(api=self.api)
        self.board = OutputBoard(session)
        cell = CodeCell(id="a", metadata={"noteable": {"output_collection_id": str(COLLECTION)}})
        self.board.reset([cell])
        self.told: asyncio.Queue[list[str]] = asyncio.Queue()

    def need(self) -> None:
        self.board.need(["a"], lambda _, views: self.told.put_nowait(texts(views)))

    async def says(self) -> list[str]:
        return await asyncio.wait_for(self.told.get(), 30)

    @property
    def now(self) -> list[str] | None:
        views = self.board.outputs("a")
        return None if views is None else texts(views)


def texts(views: list[dict[str, Any]]) -> list[str]:
    return [view.get("text") or view.get("data", {}).get("text/plain", "") for view in views]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Board]:
    monkeypatch.setattr(board_module, "AGAIN", 0)
    return Board


async def test_what_is_fetched_is_known_from_then_on(made: Callable[[], Board]) -> None:
    it = made()
    assert it.now is None
    it.need()
    one = output("1")
    await it.api.answer(one)
    assert await it.says() == ["1"]
    it.board.take("a", OutputAppended(one))
    it.board.take("a", OutputContinued(output("2", one.id)))
    assert it.now == ["12"]


async def test_what_comes_meanwhile_is_fetched_once_more(made: Callable[[], Board]) -> None:
    it = made()
    it.need()
    one, two = output("1"), output("2")
    question = await asyncio.wait_for(it.api.asked.get(), 30)
    assert it.board.take("a", OutputAppended(two)) == []
    question.set_result(OutputCollection.model_construct(id=COLLECTION, outputs=[one]))
    assert await it.says() == ["1"]
    assert it.now is None
    await it.api.answer(one, two)
    assert await it.says() == ["1", "2"]
    assert it.now == ["1", "2"]


async def test_what_was_fetched_before_a_clearing_is_of_the_past(
    made: Callable[[], Board],
) -> None:
    it = made()
    it.need()
    question = await asyncio.wait_for(it.api.asked.get(), 30)
    new = output("new")
    it.board.take("a", OutputsCleared(COLLECTION, (new,), "a"))
    it.board.take("a", OutputContinued(output(" and more", new.id)))
    question.set_result(OutputCollection.model_construct(id=COLLECTION, outputs=[output("old")]))
    while it.board._tasks:
        await asyncio.sleep(0)
    assert it.now == ["new and more"]
    assert it.told.empty()


async def test_a_doubt_while_it_is_fetched_asks_again(made: Callable[[], Board]) -> None:
    it = made()
    it.need()
    question = await asyncio.wait_for(it.api.asked.get(), 30)
    it.board.doubt()  # the connection was lost: the answer may lack what came unseen
    question.set_result(OutputCollection.model_construct(id=COLLECTION, outputs=[output("1")]))
    assert await it.says() == ["1"]
    assert it.now is None
    await it.api.answer(output("1"), output("2"))
    assert await it.says() == ["1", "2"]


async def test_a_collection_that_has_gone_is_empty(made: Callable[[], Board]) -> None:
    it = made()
    it.need()
    (await asyncio.wait_for(it.api.asked.get(), 30)).set_exception(APIError("gone", 404))
    assert await it.says() == []
    assert it.now == []


async def test_a_display_shows_something_new_in_its_very_view(made: Callable[[], Board]) -> None:
    it = made()
    it.need()
    shown, text = display("old"), output("text")
    await it.api.answer(shown, text)
    await it.says()
    views = it.board.outputs("a")
    assert views is not None
    event = OutputsUpdated((shown.id, text.id), {"text/plain": "new"}, {})
    assert it.board.update(event) == [("a", views[0])]
    assert views[0] is (it.board.outputs("a") or [None])[0]
    assert it.now == ["new", "text"]
