"""What becomes of a change, as it is told: frames to connections, results to whoever waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from rtu_magics.errors import SquashError
from rtu_magics.models import FileDeltaBase, NBCellsDelete
from rtu_magics.server.notebook.answers import Answers
from rtu_magics.server.notebook.chain import NotStored, Staged
from rtu_magics.server.notebook.jobs import Submission
from rtu_magics.server.store.deltas import StoredDelta
from rtu_magics.server.wire.connection import Connection
from rtu_magics.server.wire.frames import Frame

FILE_ID, AUTHOR = uuid4(), uuid4()


class Wire:
    """A connection that keeps what it is sent."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def send(self, frame: Frame) -> None:
        self.frames.append(json.loads(frame.payload))

    @property
    def told(self) -> list[tuple[str, Any]]:
        return [(one["event"], one["data"]) for one in self.frames]


def delete(cell_id: str = "a") -> NBCellsDelete:
    return NBCellsDelete(file_id=FILE_ID, properties={"id": cell_id})


def staged(delta: FileDeltaBase) -> Staged:
    return Staged(delta, delta.model_dump_json(), 1, "digest")


class Answered:
    """One change of a client that does not follow the notebook, and one who does."""

    def __init__(self) -> None:
        self.asker, self.follower = Wire(), Wire()
        followers = {cast(Connection, self.follower): None}
        self.nothing: list[UUID] = []
        self.answers = Answers("files/x", followers, self.nothing.append)
        self.transaction_id = uuid4()
        self.job = Submission(
            delete(), AUTHOR, "digest", cast(Connection, self.asker), self.transaction_id
        )


@pytest.fixture
def answered() -> Answered:
    return Answered()


@pytest.fixture
def waiting() -> Iterator[Submission]:
    loop = asyncio.new_event_loop()
    yield Submission(delete(), AUTHOR, "", done=loop.create_future())
    loop.close()


def test_an_accepted_change_reaches_the_asker_and_every_follower(answered: Answered) -> None:
    one = staged(answered.job.delta)
    answered.answers.accepted(answered.job, one)
    event = ("new_delta_event", json.loads(one.body))
    assert answered.asker.told == [("new_delta_reply", {"success": True}), event]
    assert answered.follower.told == [event]
    assert answered.job.accepted
    sent = answered.asker.frames + answered.follower.frames
    assert {UUID(frame["transaction_id"]) for frame in sent} == {answered.transaction_id}


def test_an_asker_who_follows_gets_the_change_once(answered: Answered) -> None:
    answered.job.connection = cast(Connection, answered.follower)
    answered.answers.accepted(answered.job, staged(answered.job.delta))
    assert [event for event, _ in answered.follower.told] == ["new_delta_reply", "new_delta_event"]


def test_a_refused_change_is_told_to_the_asker_alone(answered: Answered) -> None:
    answered.answers.refused(answered.job, "no such cell")
    assert [event for event, _ in answered.asker.told] == ["new_delta_reply", "delta_rejected"]
    assert answered.asker.told[0][1] == {"success": False}
    assert "no such cell" in json.dumps(answered.asker.told[1][1])
    assert not answered.follower.told
    assert (answered.job.accepted, answered.job.refused) == (False, "no such cell")


def test_a_change_that_could_not_be_stored_may_come_again(answered: Answered) -> None:
    answered.answers.not_stored(answered.job, "disk full")
    assert "could not store the change (disk full); try again" in json.dumps(answered.asker.told)
    assert answered.job.refused == ""


@pytest.mark.parametrize("body", ['{"id":"kept"}', ""], ids=["in the chain", "left it"])
def test_a_change_that_comes_again_counts_once(answered: Answered, body: str) -> None:
    job = answered.job
    stored = StoredDelta(job.delta.id, 1, 0, body, job.digest)
    answered.answers.known(job, stored, same=True)
    (reply, success), (event, data) = answered.asker.told
    assert (reply, success, event) == ("new_delta_reply", {"success": True}, "new_delta_event")
    if body:
        assert data == json.loads(body)
    else:  # its own parent: nobody takes it for the chain's next
        assert data["parent_delta_id"] == data["id"] == str(job.delta.id)
    assert not answered.follower.told


def test_that_nothing_begins_is_told_of_what_is_refused_or_known(answered: Answered) -> None:
    answers, job = answered.answers, answered.job
    answers.accepted(job, staged(job.delta))
    assert answered.nothing == []
    answers.refused(job, "no")
    answers.not_stored(job, "disk full")
    answers.known(job, StoredDelta(job.delta.id, 1, 0, "{}", job.digest), same=True)
    answers.known(job, None, same=True)
    assert answered.nothing == [job.delta.id] * 4


@pytest.mark.parametrize(("same", "found"), [(False, True), (True, False)])
def test_another_change_under_the_same_id_is_refused(
    answered: Answered, same: bool, found: bool
) -> None:
    job = answered.job
    stored = StoredDelta(job.delta.id, 1, 0, "{}", "other") if found else None
    answered.answers.known(job, stored, same=same)
    assert [event for event, _ in answered.asker.told] == ["new_delta_reply", "delta_rejected"]
    assert "same id was accepted before" in job.refused


def test_who_waits_in_the_server_gets_results_and_exceptions(
    answered: Answered, waiting: Submission
) -> None:
    assert waiting.done is not None
    one = staged(waiting.delta)
    answered.answers.accepted(waiting, one)
    assert not waiting.done.done()  # until all that follows from the change is done
    answered.answers.settled(waiting, one)
    assert waiting.done.result() is one.delta


@pytest.mark.parametrize("stored", [False, True])
def test_who_waits_in_the_server_gets_exceptions(
    answered: Answered, waiting: Submission, stored: bool
) -> None:
    assert waiting.done is not None
    if stored:
        answered.answers.refused(waiting, "no such cell")
    else:
        answered.answers.not_stored(waiting, "disk full")
    error = waiting.done.exception()
    assert type(error) is (SquashError if stored else NotStored)


def test_who_stopped_waiting_is_left_alone(answered: Answered, waiting: Submission) -> None:
    assert waiting.done is not None
    waiting.done.cancel()
    answered.answers.settled(waiting, staged(waiting.delta))
    answered.answers.refused(waiting, "no such cell")
    assert waiting.done.cancelled()
