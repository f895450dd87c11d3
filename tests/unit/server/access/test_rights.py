"""How a role is worked out, without a server around it: the nearest word counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from rtu_magics.models import NIL_UUID
from rtu_magics.server.access.people import Action, NotRecognised, People, Person, Role, authorise
from rtu_magics.server.access.roles import may, refusal, role_of_level
from rtu_magics.server.store import Database
from rtu_magics.server.store import files as file_queries
from rtu_magics.server.store import people as people_queries


@dataclass
class Place:
    """A file in a project in a space, and what is said about each."""

    database: Database
    people: People
    ids: dict[str, UUID]

    def share(self, kind: str, user_id: UUID, level: str, visibility: str | None = None) -> None:
        with self.database.transaction() as connection:
            file_queries.put_share(
                connection,
                kind,
                self.ids[kind],
                user_id,
                access_level=level,
                visibility=visibility,
            )
        self.people.changed()

    def hub_user(self, name: str) -> Person:
        user_id = uuid4()
        with self.database.transaction() as connection:
            people_queries.put_person(connection, user_id, kind="hub", handle=name, name=name)
        found = self.people.find(user_id)
        assert found is not None
        return found

    def guest(self, role: Role) -> Person:
        row, token = self.people.invite(self.ids["files"], role, None, 3600, self.people.owner)
        found = self.people.identify_here(token)
        assert found is not None
        assert found.invite_id == row.id
        return found

    def role(self, person: Person) -> str | None:
        role = person.role_in(self.ids["files"])
        return None if role is None else role.value


def provider(**more: Any) -> Any:
    return SimpleNamespace(**{"token": "secret", "auth_enabled": True, **more})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "rtu.db")
    yield found
    found.close()


@pytest.fixture(params=[None, Role.VIEWER], ids=["hub: none", "hub: viewer"])
def place(database: Database, request: pytest.FixtureRequest) -> Place:
    people = People(provider(), database, hub_role=request.param)
    with database.transaction() as connection:
        space = file_queries.create_space(connection, "s", None)
        project = file_queries.create_project(connection, space.id, "p", None, "p")
        file = file_queries.create_file(connection, project.id, "p/a.ipynb", "notebook", ready=True)
    return Place(database, people, {"spaces": space.id, "projects": project.id, "files": file.id})


def test_the_nearest_role_counts(place: Place) -> None:
    bob, usual = place.hub_user("bob"), place.people.rights._hub_role
    assert place.role(bob) == (usual.value if usual else None)
    for kind, level in [
        ("spaces", "role:owner"),
        ("projects", "role:executor"),
        ("files", "role:contributor"),
    ]:
        place.share(kind, bob.id, level)
        assert place.role(bob) == level.removeprefix("role:")
    place.share("files", NIL_UUID, "", "private")
    assert place.role(bob) == "contributor"  # private closes it to everybody, not to bob
    assert place.role(place.hub_user("carl")) is None


def test_the_nearest_visibility_counts(place: Place) -> None:
    bob = place.hub_user("bob")
    place.share("spaces", NIL_UUID, "role:contributor", "open")
    assert place.role(bob) == "contributor"
    place.share("projects", NIL_UUID, "", "private")
    assert place.role(bob) is None
    place.share("files", NIL_UUID, "", "public")  # without a level: to read
    assert place.role(bob) == "viewer"


def test_a_guest_has_one_notebook(place: Place) -> None:
    guest, rights = place.guest(Role.CONTRIBUTOR), place.people.rights
    assert place.role(guest) == "contributor"
    place.share("projects", NIL_UUID, "role:owner", "open")
    assert place.role(guest) == "owner"
    with place.database.transaction() as connection:
        other = file_queries.create_file(
            connection, place.ids["projects"], "p/b.ipynb", "notebook", ready=True
        )
    assert guest.role_in(other.id) is None
    for kind in ("projects", "spaces"):
        assert rights.on(guest, kind, place.ids[kind]) is None
        assert rights.sees(guest, kind, place.ids[kind])
        assert not rights.sees(guest, kind, uuid4())
    place.share("projects", guest.id, "role:viewer")
    assert place.role(guest) == "viewer"  # what is said of them counts more than the visibility


def test_what_is_seen_for_a_file_in_it(place: Place) -> None:
    bob, rights = place.hub_user("bob"), place.people.rights
    place.share("spaces", NIL_UUID, "", "private")
    assert not rights.sees(bob, "projects", place.ids["projects"])
    place.share("files", bob.id, "role:viewer")
    for kind in ("projects", "spaces"):
        assert rights.sees(bob, kind, place.ids[kind])
        assert rights.on(bob, kind, place.ids[kind]) is None


def test_what_ends_ends_everything(place: Place) -> None:
    guest, bob = place.guest(Role.OWNER), place.hub_user("bob")
    place.share("files", bob.id, "role:owner")
    assert authorise(guest, Action.READ)
    assert authorise(bob, Action.READ)
    guest.expires_at = 1.0
    bob.let_in = False
    for person in (guest, bob):
        assert place.role(person) is None
        assert not authorise(person, Action.READ)
        assert not place.people.rights.sees(person, "files", place.ids["files"])


def test_no_file_no_role(place: Place) -> None:
    bob = place.hub_user("bob")
    place.share("spaces", bob.id, "role:owner")
    assert bob.role_in(uuid4()) is None
    with place.database.transaction() as connection:
        file_queries.mark_deleted(connection, file_queries.files, place.ids["files"])
    place.people.changed()
    assert place.role(bob) is None


def test_the_owner_owns_everything(place: Place) -> None:
    owner = place.people.owner
    place.share("files", owner.id, "role:viewer")
    assert place.role(owner) == "owner"
    assert authorise(owner, Action.ADMINISTER)
    assert not authorise(place.guest(Role.OWNER), Action.ADMINISTER)


async def test_an_open_server_still_knows_its_guests(database: Database) -> None:
    """Without a token or password everybody is the owner, but whoever comes as a guest is one."""
    people = People(provider(token="", auth_enabled=False), database)
    assert await people.identify(None) is people.owner
    assert await people.identify("anything") is people.owner
    _, token = people.invite(uuid4(), Role.VIEWER, None, 3600, people.owner)
    guest = await people.identify(token)
    assert not guest.is_owner
    assert guest.invite_id is not None
    people.revoke_invite(guest.invite_id)
    with pytest.raises(NotRecognised, match="revoked"):
        await people.identify(token)


async def test_an_empty_token_is_nobodys(database: Database) -> None:
    people = People(provider(token=""), database)
    for token in (None, "", " ", "secret"):
        with pytest.raises(NotRecognised):
            await people.identify(token)


@pytest.mark.parametrize("role", Role)
def test_each_role_may_all_that_those_before_it_may(role: Role) -> None:
    before = [one for one in Role if list(Role).index(one) < list(Role).index(role)]
    for action in Action:
        assert all(may(role, action) for one in before if may(one, action))
        assert not may(None, action)
        if not may(role, action):
            text = refusal(role, action)
            assert "\n" not in text
            assert "ask" in text


def test_levels() -> None:
    assert {level: role_of_level(level) for level in ("role:commenter", "viewer", "", "admin")} == {
        "role:commenter": Role.VIEWER,
        "viewer": Role.VIEWER,
        "": None,
        "admin": None,
    }
