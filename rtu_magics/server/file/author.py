"""Who another program's changes of a file are told of as."""

from __future__ import annotations

from uuid import UUID

from ...models import OTHER_PROGRAM, OTHER_PROGRAM_ID
from ..store import Database
from ..store import people as queries

__all__ = ["other_program"]


def other_program(database: Database) -> UUID:
    """Return the id of the author of such changes, whom the store knows from then on."""
    with database.transaction() as connection:
        if queries.find_person(connection, OTHER_PROGRAM_ID) is None:
            queries.put_person(
                connection,
                OTHER_PROGRAM_ID,
                kind="program",
                handle="another-program",
                name=OTHER_PROGRAM,
            )
    return OTHER_PROGRAM_ID
