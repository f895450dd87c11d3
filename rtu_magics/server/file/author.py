"""Who changes are told of as that did not come from a client of ours."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from ...foreign import shown
from ...models import OTHER_PROGRAM, OTHER_PROGRAM_ID
from ..store import Database
from ..store import people as queries

__all__ = ["NOBODY", "other_program", "page_user"]

NOBODY = "jupyterlab", "somebody in JupyterLab"
"""The handle and the name of somebody in a page of whom nothing is known."""

_LONGEST = 100


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


def page_user(database: Database, handle: str, name: str) -> tuple[UUID, str]:
    """Return the id and name of somebody in JupyterLab, whom the store knows from then on.

    Parameters
    ----------
    database
        The store.
    handle, name
        As Jupyter knows them.
    """
    handle = shown(handle)[:_LONGEST] or NOBODY[0]
    name = shown(name)[:_LONGEST] or handle
    user_id = uuid5(NAMESPACE_URL, f"jupyterlab:{handle}")
    with database.transaction() as connection:
        found = queries.find_person(connection, user_id)
        if found is None or found.name != name:
            queries.put_person(connection, user_id, kind="page", handle=handle, name=name)
    return user_id, name
