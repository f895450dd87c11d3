"""Cells that their metadata lock: ``editable: false`` and ``deletable: false``."""

from __future__ import annotations

import pytest

from rtu_magics.document import make_patch

from ...helpers.rtu import call, follow
from .conftest import follow_as, invite

pytestmark = pytest.mark.server

SOURCE = "answer = 41"


@pytest.fixture
async def token(server, file_id):
    """Lock cells of a notebook and return the token of a contributor."""
    async with follow(server, file_id) as owner:
        await owner.add("free", "x = 1")
        await owner.add("fixed", SOURCE, metadata={"editable": False})
        await owner.add("kept", SOURCE, metadata={"deletable": False})
        await owner.add("both", SOURCE, metadata={"editable": False, "deletable": False})
    return (await invite(server, file_id, "contributor"))["token"]


def metadata(cell_id, *path, value):
    return (
        "cell_metadata",
        "update",
        {"path": list(path), "value": value, "prior_value": None},
        cell_id,
    )


EDITS = {
    "patch": lambda cell: (
        "cell_contents",
        "update",
        {"patch": make_patch(SOURCE, "answer = 42")},
        cell,
    ),
    "replace": lambda cell: ("cell_contents", "replace", {"source": "gone"}, cell),
    "type": lambda cell: ("cell_metadata", "replace", {"type": "markdown"}, cell),
    "tags": lambda cell: metadata(cell, "tags", value=["x"]),
    "move": lambda cell: ("nb_cells", "move", {"id": cell, "after_id": "free"}),
    "lift editable": lambda cell: metadata(cell, "editable", value=True),
    "lift deletable": lambda cell: metadata(cell, "deletable", value=True),
    "below editable": lambda cell: metadata(cell, "editable", "x", value=True),
    "delete": lambda cell: ("nb_cells", "delete", {"id": cell}),
}
CHANGES = {"patch", "replace", "type", "tags", "move"}
LIFTS = {"lift editable", "lift deletable", "below editable"}


@pytest.mark.parametrize(
    ("cell", "locked"),
    [
        ("fixed", CHANGES | LIFTS),
        ("kept", {*LIFTS, "delete"}),
        ("both", {*EDITS}),
    ],
)
async def test_a_contributor_is_kept_out(server, file_id, token, cell, locked):
    async with follow_as(server, file_id, token) as guest:
        for name in locked:
            cause = await guest.rejected(*EDITS[name](cell))
            assert cause.startswith(f"cell {cell} is locked ("), name
            assert cause.endswith("you may run it, or ask an owner")
        for name in [name for name in EDITS if name not in {*locked, "below editable"}]:
            if name == "patch" or name == "delete" or name == "tags":
                await guest.change(*EDITS[name](cell))
        await guest.change(*EDITS["replace"]("free"))


async def test_running_stays_allowed(server, file_id, token):
    async with follow_as(server, file_id, token) as guest:
        await call(server, "POST", "/v1/sessions", {"file_id": file_id})
        await guest.execute("both")
        assert (await guest.finished("both"))["state"] == "finished_with_no_error"


async def test_owners_may_do_everything(server, file_id, token):
    co_owner = (await invite(server, file_id, "owner"))["token"]
    async with follow(server, file_id) as owner:
        for name in ("patch", "type", "tags", "move"):
            await owner.change(*EDITS[name]("both"))
    async with (
        follow_as(server, file_id, co_owner) as owner,
        follow_as(server, file_id, token) as guest,
    ):
        await owner.change(*EDITS["lift deletable"]("both"))
        await guest.rejected(*EDITS["replace"]("both"))
        await owner.change(*EDITS["lift editable"]("both"))
        await guest.change(*EDITS["replace"]("both"))
        await guest.change(*EDITS["delete"]("both"))


async def test_a_lock_binds_from_the_moment_it_is_set(server, file_id, token):
    async with (
        follow(server, file_id) as owner,
        follow_as(server, file_id, token) as guest,
    ):
        await guest.change(*EDITS["replace"]("free"))
        await owner.change(*metadata("free", "editable", value=False))
        await guest.rejected(*EDITS["replace"]("free"))


async def test_other_values_lock_nothing(server, file_id, token):
    async with (
        follow(server, file_id) as owner,
        follow_as(server, file_id, token) as guest,
    ):
        for value in (None, 0, "", "false", True, []):
            await owner.change(*metadata("free", "editable", value=value))
            await guest.change("cell_contents", "replace", {"source": repr(value)}, "free")
