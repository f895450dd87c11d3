"""What a websocket is asked about runs: attaching, answering questions, code without a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from ...models import (
    AttachRequest,
    CellExecuteDelta,
    InputReplyRequest,
    NewDeltaRequestData,
    ScratchRequest,
)
from ..access.people import Person
from ..execution.plan import scratch_plan
from ..execution.waits import circle
from ..room import Room
from ..wire.connection import Connection

__all__ = ["RunRequest", "answer_to", "attach_starter", "why_circle"]

_CIRCLE = (
    "this notebook's kernel waits for the kernel that asks, so both would wait for ever; run it in "
    "the background (--bg), or from a notebook that nobody waits for"
)

RunRequest = AttachRequest | InputReplyRequest | ScratchRequest

_MAX_ANSWER = 1_000_000  # characters
_REPLIES = {
    AttachRequest: "attach_reply",
    InputReplyRequest: "input_reply_reply",
    ScratchRequest: "scratch_reply",
}


def answer_to(
    request: RunRequest,
    room: Room,
    rooms: Iterable[Room],
    connection: Connection,
    person: Person,
) -> tuple[str, dict[str, Any]]:
    """Do what is asked, and return the event and the data of the reply.

    Parameters
    ----------
    request
        What is asked.
    room, rooms
        The notebook, whose cells the person may run, and all that are open.
    connection, person
        Who asks.
    """
    if isinstance(request, AttachRequest):
        data = _attach(request, room, connection)
    elif isinstance(request, InputReplyRequest):
        data = _answer_input(request, room, connection)
    else:
        data = _run_scratch(request, room, rooms, connection, person)
    return _REPLIES[type(request)], data


def why_circle(
    room: Room, rooms: Iterable[Room], execution_id: UUID, waiting: Sequence[str]
) -> str:
    """Note which kernels will wait for a run; returns why they must not, "" if they may.

    `rooms` are all that are open: a circle may lead through any of them.
    """
    runs, kernel_id = room.executor.executions, room.kernel.kernel_id
    if not waiting or runs.get(execution_id) is not None:
        return ""
    waits = (pair for one in rooms for pair in one.executor.executions.waited_for())
    if kernel_id is not None and circle(kernel_id, waiting, waits):
        return _CIRCLE
    runs.is_waited_for(execution_id, waiting)
    return ""


def attach_starter(data: NewDeltaRequestData, room: Room, connection: Connection) -> None:
    """Attach whoever asks for cells to run, if they want that."""
    if data.attach is not None and isinstance(data.delta, CellExecuteDelta):
        asks = data.attach == "ask"
        room.executor.executions.attach(connection, data.delta.id, data.attach == "keep", asks=asks)


def _refused(why: str) -> dict[str, Any]:
    return {"success": False, "message": why}


def _attach(request: AttachRequest, room: Room, connection: Connection) -> dict[str, Any]:
    wanted, runs = request.data, room.executor.executions
    if not runs.attach(connection, wanted.execution_id, wanted.keep):
        return _refused("a run without a cell is its starter's alone")
    run = runs.find(wanted.execution_id) if wanted.look else None
    return {"success": True, "run": run.model_dump(mode="json") if run is not None else None}


def _answer_input(request: InputReplyRequest, room: Room, connection: Connection) -> dict[str, Any]:
    answer = request.data
    if len(answer.value) > _MAX_ANSWER:
        return _refused(f"an answer has at most {_MAX_ANSWER:,} characters")
    if room.executor.answer(connection, answer.request_id, answer.value):
        return {"success": True}
    return _refused("the cell does not wait for this input any more")


def _run_scratch(
    request: ScratchRequest,
    room: Room,
    rooms: Iterable[Room],
    connection: Connection,
    person: Person,
) -> dict[str, Any]:
    wanted = request.data
    known = room.executor.executions.get(wanted.execution_id)
    if known is None and not wanted.source.strip():
        return _refused("there is no code to run")
    full = room.executor.why_full(person.id) if known is None else ""
    full = full or why_circle(room, rooms, wanted.execution_id, wanted.waiting)
    if full:
        return _refused(full)
    if known is None:
        room.executor.executions.attach(connection, wanted.execution_id, wanted.keep)
        plan = scratch_plan(
            wanted.execution_id,
            room.file_id,
            person.id,
            wanted.source,
            asks=wanted.asks,
            forget=wanted.forget,
            is_expression=wanted.expression,
        )
        room.executor.accept(plan)
    elif not (known.scratch and known.author == person.id):
        return _refused("another run has this id")
    else:  # it is asked for again, after a lost connection
        room.executor.executions.attach(connection, wanted.execution_id, wanted.keep)
    return {"success": True}
