"""Nobody's request, however dear, keeps the server from answering somebody else for long."""

from __future__ import annotations

import contextlib

import pytest

from rtu_magics.models import REQUEST_CLASSES

from ...helpers.server import RunningServer
from ...helpers.worst_inputs import WORST, stalls
from ..roles.table import keys_of_server

pytestmark = [pytest.mark.server, pytest.mark.kernel]

LONGEST = 10_000  # ms; that the machine is busy with other things is in it


def _keys() -> set[str]:
    events = {f"EVENT {prefix} {event}" for prefix, event in REQUEST_CLASSES}
    return keys_of_server() | events - {"EVENT files new_delta_request"}


def test_every_request_and_route_has_an_entry() -> None:
    assert _keys() - {*WORST} == set(), "without an entry in the table of the dearest inputs"
    assert {*WORST} - _keys() == set(), "entries for what the server does not take"


@pytest.mark.timeout(900)
async def test_none_keeps_the_server_from_answering_others(
    shared_server: RunningServer, record_property: pytest.RecordProperty
) -> None:
    found: dict[str, float] = {}
    async with contextlib.aclosing(stalls(shared_server)) as items:
        async for key, took in items:
            found[key] = took
    assert {*found} == {*WORST}
    worst = sorted(found.items(), key=lambda item: -item[1])
    lines = [f"{took:8.0f} ms  {key}" for key, took in worst[:10]]
    record_property("longest pings", "\n".join(lines))
    print("\n".join(["", *lines]))
    assert worst[0][1] < LONGEST, "\n".join(lines)
