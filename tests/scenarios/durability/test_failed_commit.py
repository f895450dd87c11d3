"""A commit that fails: everybody whose change was in the batch is told, and told the truth."""

from __future__ import annotations

import json
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from rtu_magics.models import CellContentsReplace, CodeCell, Notebook
from rtu_magics.server.notebook.chain import Chain
from rtu_magics.server.notebook.jobs import Submission
from rtu_magics.server.notebook.submission import digest_of
from rtu_magics.server.wire.connection import Connection

from ..replicas.world import World


class Heard:
    """A connection's other end that keeps the answers by transaction."""

    ws_connection = None  # so whole messages are written, not frames

    def __init__(self):
        self.answers = {}

    def write_message(self, text):
        message = json.loads(text)
        said = message["data"].get("success", message["data"].get("cause", "the delta"))
        self.answers.setdefault(message["transaction_id"], []).append(said)


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path, Notebook(cells=[CodeCell(id="a", source="1")]))
    await made.open()
    yield made
    await made.aclose()


async def test_everybody_in_a_batch_that_is_not_stored_gets_an_answer(world, monkeypatch):
    room = await world.room()
    heard = Heard()
    connection = Connection(heard, "http://server.test", world.service.outbox)
    person = world.service.people.owner

    def put(delta, number, more=True):
        job = Submission(delta, person.id, digest_of(delta), connection, f"transaction {number}")
        room._writer.put(job, more=more)

    def replace(cell_id, source):
        return CellContentsReplace(
            file_id=room.file_id, resource_id=cell_id, properties={"source": source}
        )

    stored, lost = replace("a", "2"), replace("a", "3")
    put(stored, 0, more=False)
    head = room.chain.head

    def fail(self, staged, also=None):
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk full"))

    with monkeypatch.context() as broken:
        broken.setattr(Chain, "commit", fail)
        put(lost, 1)
        put(replace("unknown", "4"), 2)
        put(stored, 3)  # a retry of what was stored before
        put(lost, 4)  # a retry of what is in this batch
        await room.exclusively(lambda: None)
    world.service.outbox._flush()
    answers = {name.removeprefix("transaction "): said for name, said in heard.answers.items()}
    assert answers["0"] == [True, "the delta"]
    assert answers["1"][0] is False
    assert "disk full" in answers["1"][1]
    assert answers["2"][0] is False
    assert answers["3"] == [True, "the delta"]
    assert answers["4"][0] is False
    assert room.chain.head == head
    assert room.chain.builder.cell("a").source == "2"

    put(lost, 5, more=False)
    world.service.outbox._flush()
    assert heard.answers["transaction 5"] == [True, "the delta"]
    assert room.chain.builder.cell("a").source == "3"
