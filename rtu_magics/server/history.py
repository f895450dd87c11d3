"""What became of a notebook: the log of its deltas, and going back to a version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from ..document import NotebookBuilder, cell_json, lines_of
from ..models import FileDeltaAdapter
from .access.people import People, Person
from .execution.executor import Executor
from .notebook.chain import Chain
from .notebook.replay import content_of
from .ports import LiveNotebook
from .process.slices import Slices, Steps, joined
from .store import deltas as queries
from .store.deltas import StoredDelta, VersionRow
from .versions import Versions

__all__ = ["MAX_LOG", "LogGone", "log_as_json", "restore"]

MAX_LOG = 5000


class LogGone(LookupError):
    """The log does not reach back to the asked delta."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the log: the version to start from, what leads to its first delta, its deltas."""

    version: VersionRow
    content: bytes
    deleted: list[str]
    lead: Sequence[StoredDelta]
    deltas: Sequence[StoredDelta]
    more: bool
    epoch: int


async def log_as_json(
    chain: Chain, people: People, slices: Slices, limit: int, before: UUID | None
) -> list[bytes]:
    """Return a part of a notebook's log as the REST API has it, in parts of its JSON.

    Parameters
    ----------
    chain, people
        The notebook's, and who may have changed it.
    limit
        How many deltas at most.
    before
        The delta that follows the part; None for the latest.

    Raises
    ------
    LogGone
        `before` is not in the log.
    """
    database, file_id = chain.database, chain.file_id
    epoch, end = chain.epoch, chain.seq
    piece = await database.read(lambda c: _read(c, file_id, (epoch, end), limit, before))
    authors = await asyncio.to_thread(lambda: {_author(delta) for delta in piece.deltas})
    names = _names(people, authors)
    present = piece.epoch == chain.epoch
    return await slices.run(_rendered(piece, names, present))


def _read(
    connection: Connection, file_id: UUID, now: tuple[int, int], limit: int, before: UUID | None
) -> _Piece:
    """Read a part of the log; `now`: epoch and place of the last delta."""
    if before is None:
        epoch, end = now
    else:
        stored = queries.find_delta(connection, file_id, before)
        if stored is None:
            raise LogGone("the log does not reach back to this delta; read it from its end")
        epoch, end = stored.epoch, stored.seq - 1
    found = queries.deltas_up_to(connection, file_id, epoch, end, limit)
    if not found:  # the notebook began anew there: what came before is of an earlier epoch
        earlier = queries.end_before(connection, file_id, epoch)
        if earlier is not None:
            epoch, end = earlier
            found = queries.deltas_up_to(connection, file_id, epoch, end, limit)
    first = found[0].seq if found else end + 1
    version, lead = _start(connection, file_id, epoch, first)
    cut = version is None
    if version is None:
        # Old deltas are leaving just now: what is before the next version cannot be read.
        version = queries.first_version_from(connection, file_id, epoch, first)
        if version is None:
            raise LogGone("the log does not reach back that far; read it from its end")
        found = [delta for delta in found if delta.seq > version.seq]
        first = version.seq + 1
    content = queries.version_content(connection, version.id)
    assert content is not None
    more = not cut and (
        bool(queries.deltas_up_to(connection, file_id, epoch, first - 1, 1))
        or queries.end_before(connection, file_id, epoch) is not None
    )
    return _Piece(version, *content, lead, found, more, epoch)


def _start(
    connection: Connection, file_id: UUID, epoch: int, first: int
) -> tuple[VersionRow | None, list[StoredDelta]]:
    """Return the version before a place, and the deltas in between; None if some are missing."""
    version = queries.version_before(connection, file_id, epoch, first)
    if version is None:
        return None, []
    lead = queries.deltas_after(connection, file_id, epoch, version.seq, first - 1)
    return (version, lead) if len(lead) == first - 1 - version.seq else (None, [])


def _names(people: People, authors: Iterable[str | None]) -> dict[str, str]:
    """Return the names of those who made some deltas, by user id."""
    found: dict[str, str] = {}
    for author in authors:
        person = None if author is None else people.find(UUID(author))
        if person is not None:
            found[str(author)] = person.user.display_name
    return found


def _author(delta: StoredDelta) -> str | None:
    author = json.loads(delta.body).get("created_by_id")
    return author if isinstance(author, str) else None


def _rendered(piece: _Piece, names: dict[str, str], present: bool) -> Steps[list[bytes]]:
    builder = yield from content_of(piece.content, piece.deleted)
    for delta in piece.lead:
        builder.apply_delta(FileDeltaAdapter.validate_json(delta.body))
        yield
    return (yield from joined(_pieces(piece, builder, names, present)))


def _pieces(
    piece: _Piece, builder: NotebookBuilder, names: dict[str, str], present: bool
) -> Iterator[bytes]:
    version_id = "null" if piece.lead else f'"{piece.version.id}"'
    yield f'{{"start":{{"version_id":{version_id},"notebook":'.encode()
    yield from lines_of(builder.nb, map(cell_json, builder.cells))
    yield b'},"deltas":['
    for number, delta in enumerate(piece.deltas):
        author = _author(delta)
        made_by = json.dumps({"user_id": author, "name": names.get(author or "")})
        comma = "," if number else ""
        yield f'{comma}{delta.body[:-1]},"author":{made_by}}}'.encode()
    more, present_now = json.dumps(piece.more), json.dumps(present)
    yield f'],"more":{more},"epoch":{piece.epoch},"present":{present_now}}}'.encode()


async def restore(
    notebook: LiveNotebook,
    executor: Executor,
    versions: Versions,
    version_id: UUID,
    person: Person,
) -> VersionRow:
    """Make a notebook what a version holds; returns the version that it now is.

    What it was is kept as a version first. Everybody who follows it is told to load it anew.

    Raises
    ------
    LookupError
        The notebook has no such version.
    """
    chain = notebook.chain
    version, content = await chain.database.read(lambda c: _version(c, version_id))
    if version is None or content is None or version.file_id != notebook.file_id:
        raise LookupError("there is no such version of this notebook")
    builder = await versions.slices.run(content_of(*content))
    gone: set[str] = set()

    async def make() -> NotebookBuilder:
        gone.update(set(chain.builder.cell_ids) - set(builder.cell_ids))
        return builder

    await versions.begin_anew(
        make,
        reason="restore",
        before=f"Before version {version.number} was restored",
        name=f"Version {version.number} restored",
        author=person.id,
        then=lambda: _tell_restored(notebook, executor, gone, version, person),
    )
    notebook.changed()
    return chain.version


def _version(
    connection: Connection, version_id: UUID
) -> tuple[VersionRow | None, tuple[bytes, list[str]] | None]:
    version = queries.get_version(connection, version_id)
    return version, queries.version_content(connection, version_id)


def _tell_restored(
    notebook: LiveNotebook,
    executor: Executor,
    gone: set[str],
    version: VersionRow,
    person: Person,
) -> None:
    for cell_id in gone:
        executor.cell_deleted(cell_id)
    changed = {"version_id": str(notebook.chain.version.id)}
    notebook.send("v0_file_versions_changed_event", changed)
    who = person.user.display_name
    notebook.tell_inconsistent(f"{who} restored version {version.number}; load the notebook again")
