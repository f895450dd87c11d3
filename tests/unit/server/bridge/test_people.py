"""Who is in a live document: ours for pages and for other servers, theirs as authors here."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

pytest.importorskip("pycrdt", reason="pip install jupyter-ydoc")

from pycrdt import Awareness, Doc

from rtu_magics.models import UpdateUserFileSubscriptionEventData
from rtu_magics.server.bridge.authors import Authors
from rtu_magics.server.bridge.people import People, client_id_of
from rtu_magics.server.store import Database
from rtu_magics.server.store import people as queries


def person(name: str) -> UpdateUserFileSubscriptionEventData:
    return UpdateUserFileSubscriptionEventData(
        file_id=uuid4(),
        user_id=uuid4(),
        user_name=name,
        cell_id_selected="c1",
        subscribed=True,
        last_event_at="2026-01-01T00:00:00Z",
    )


def names(awareness: Any) -> dict[int, str]:
    return {client: state["user"]["name"] for client, state in awareness.states.items()}


async def test_who_is_here_alone_appears_as_the_client_that_writes() -> None:
    awareness = Awareness(Doc())
    awareness.set_local_state(None)
    ann, ben = person("Ann"), person("Ben")
    here = [ann]
    people = People(awareness, lambda: here, 77)
    people.start()
    assert names(awareness) == {77: "Ann"}
    here.append(ben)
    people._look()
    assert names(awareness) == {client_id_of(ann.user_id): "Ann", client_id_of(ben.user_id): "Ben"}
    here.remove(ann)
    people._look()
    assert names(awareness) == {77: "Ben"}
    people.stop()
    assert names(awareness) == {}


async def test_in_a_document_that_others_write_as_well_nobody_is_its_client() -> None:
    awareness = Awareness(Doc())
    awareness.set_local_state(None)
    ann = person("Ann")
    people = People(awareness, lambda: [ann])
    people.start()
    assert names(awareness) == {client_id_of(ann.user_id): "Ann"}
    people.stop()


def test_authors(tmp_path: Path) -> None:
    """A page, somebody of another server of ours, and our own people, who write nothing there."""
    states: dict[int, Any] = {
        1: {"user": {"username": "ann", "display_name": "Ann"}},
        2: {"user": {"username": str(UUID(int=5)), "name": "Ben", "rtu": True}},
        3: {"cursor": None},
    }
    database = Database(tmp_path / "rtu.db", "NORMAL", name="x")
    try:
        authors = Authors(database, lambda: states)

        def name(user_id: UUID) -> str:
            with database.transaction() as connection:
                found = queries.find_person(connection, user_id)
            return str(found.name)

        assert name(authors.of(2)) == "Ben"
        assert name(authors.of(1)) == "Ann"
        assert name(authors.of(3)) == name(authors.of(None)) == "Ann", "she is the only page"
        del states[1]
        assert name(authors.of(2)) == "Ben"
        assert name(authors.of(9)) == "Ben", "whoever was last"
    finally:
        database.close()
