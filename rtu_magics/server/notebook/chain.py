"""One notebook's chain of deltas: the copy in memory and the truth in the store.

Pure of sockets and tasks. A delta is *staged* (applied to the copy in memory, or refused whole) and
a batch of staged deltas is *committed* in one transaction. Nobody may look at the copy between the
two; the room's writer sees to that by doing both without awaiting. When a commit fails, `rebuild`
goes back to what the store has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from ...document import NotebookBuilder
from ...errors import SquashError
from ...models import NIL_UUID, FileDeltaBase
from ..process.slices import at_once
from ..store import AnyConnection, Database
from ..store import deltas as queries
from ..store.deltas import StoredDelta, VersionRow
from ..store.files import update_file
from .replay import IDS_IN_MEMORY, Replayed, Stored, replay
from .still import Kept, Label, Still, spend_ids
from .submission import sealed

__all__ = [
    "MAX_EVENT_BYTES",
    "Chain",
    "EpochOver",
    "HistoryGone",
    "NotStored",
    "Staged",
    "TooLarge",
]

MAX_EVENT_BYTES = 900 * 1024
"""No frame may be larger: other clients accept 1 MiB and never recover from more (RTU protocol)."""

_ENVELOPE_BYTES = 512
_TAIL_BYTES = 400 * 1024
_TAIL_DELTAS = 1000
_MOVED = "cells have come, gone or moved since they were counted; count again"
_SAME_ORDER = 1000  # deltas after which the order of the cells is known to be the present one


class EpochOver(Exception):
    """The notebook has begun anew: what it was before can not become its current version."""


class HistoryGone(Exception):
    """The asked point of the chain is unknown, of another epoch, or too far back to catch up."""


class NotStored(SquashError):
    """Nothing is wrong with the change; the store does not take it now."""


class TooLarge(SquashError):
    """A delta whose event would not fit into a frame."""


@dataclass(slots=True)
class Staged:
    """A delta that has been applied to the copy in memory.

    Attributes
    ----------
    delta
        As accepted: with parent, time and author.
    body
        Its JSON, as it is stored and broadcast.
    seq
        Its place in the epoch.
    digest
        Of the delta as submitted.
    """

    delta: FileDeltaBase
    body: str
    seq: int
    digest: str


class Chain:
    """The chain of one notebook.

    Parameters
    ----------
    database
        The store.
    file_id
        The notebook; it has a version already.

    Attributes
    ----------
    builder
        The notebook as the chain has made it; read only from outside.
    epoch, seq
        The present epoch and the place of the last delta in it.
    head
        Id of the last delta, the nil UUID before the first.
    version
        The current version (a row without its body).
    """

    builder: NotebookBuilder
    epoch: int
    seq: int
    head: UUID
    version: VersionRow

    def __init__(self, database: Database, file_id: UUID, replayed: Replayed | None = None) -> None:
        self.database = database
        self.file_id = file_id
        self._still: Still | None = None
        if replayed is None:
            with database.transaction() as connection:
                replayed = at_once(replay(Stored.read(connection, file_id)))
        self._take(replayed)
        self._known = replayed.stored.known

    def __contains__(self, cell_id: object) -> bool:
        """Whether the notebook has a cell now; its builder is another one after a restore."""
        return cell_id in self.builder

    def rebuild(self) -> None:
        """Make the copy in memory what the store says.

        Raises
        ------
        LookupError
            The notebook has no version.
        """
        with self.database.transaction() as connection:
            stored = Stored.read(connection, self.file_id)
        self._take(at_once(replay(stored)))

    def _take(self, replayed: Replayed) -> None:
        version, tail = replayed.stored.version, replayed.stored.tail
        self.builder = replayed.builder
        self.version = version
        self.epoch = version.epoch
        self.seq = self._committed_seq = tail[-1].seq if tail else version.seq
        self.head = tail[-1].id if tail else version.last_delta_id
        self._tail = tail
        self._tail_bytes = sum(len(stored.body) for stored in tail)
        self._same_order = deque([self.head], _SAME_ORDER)

    def why_moved(self, delta_id: UUID | None) -> str:
        """Return that cells have other positions than after a delta, "" if not, and for None.

        It is said also where that is not known any more.
        """
        # Who asks has mostly seen all there is.
        if delta_id is None or delta_id == self.head or delta_id in self._same_order:
            return ""
        return _MOVED

    # Changing

    def find(self, delta_id: UUID) -> StoredDelta | None:
        """Return the committed delta with this id, or None.

        Of one that has left the chain only the digest is known; it has no body.
        """
        if self._known is not None and delta_id not in self._known:
            return None
        with self.database.transaction() as connection:
            found = queries.find_delta(connection, self.file_id, delta_id)
            if found is None:
                digest = queries.digest_of_spent(connection, self.file_id, delta_id)
                found = None if digest is None else StoredDelta(delta_id, -1, 0, "", digest)
        return found

    def stage(self, delta: FileDeltaBase, author: UUID, digest: str = "") -> Staged:
        """Apply a delta to the copy in memory.

        Raises
        ------
        SquashError
            It cannot be applied whole, or is too large (`TooLarge`); nothing changed.
        """
        if self._still is not None:
            self._still.before(delta, self.builder)
        accepted = sealed(self.builder, delta, self.head, author)
        body = accepted.model_dump_json()
        if len(body) + _ENVELOPE_BYTES > MAX_EVENT_BYTES // 4:
            size = len(body.encode())
            if size + _ENVELOPE_BYTES > MAX_EVENT_BYTES:
                raise TooLarge(
                    f"the change has {size} bytes and at most {MAX_EVENT_BYTES - _ENVELOPE_BYTES} "
                    "fit into one; split it"
                )
        order = self.builder.order_number
        self.builder.apply_delta(accepted, strict=True)
        self.seq += 1
        self.head = accepted.id
        if self.builder.order_number != order:
            self._same_order.clear()
        self._same_order.append(accepted.id)
        return Staged(accepted, body, self.seq, digest)

    def commit(
        self, staged: Sequence[Staged], also: Callable[[AnyConnection], None] | None = None
    ) -> None:
        """Store staged deltas, all that were staged since the last commit, in one transaction.

        Parameters
        ----------
        staged
            In the order of staging.
        also
            More to store in the same transaction.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            Nothing was stored: `rebuild` now.
        """
        new = [
            StoredDelta(one.delta.id, self.epoch, one.seq, one.body, one.digest) for one in staged
        ]
        with self.database.quick_transaction() as connection:
            queries.insert_deltas(connection, self.file_id, new)
            if also is not None:
                also(connection)
        self._tail += new
        self._tail_bytes += sum(len(one.body) for one in new)
        self._committed_seq = self.seq
        if self._known is not None:
            self._known.update(one.id for one in new)
            if len(self._known) > 4 * IDS_IN_MEMORY:
                self._known = None

    # Versions

    @property
    def needs_version(self) -> bool:
        """Whether the tail after the current version has grown to its bounds."""
        return self._tail_bytes > _TAIL_BYTES or len(self._tail) > _TAIL_DELTAS

    @property
    def tail_length(self) -> int:
        """How many deltas follow the current version."""
        return len(self._tail)

    @contextmanager
    def still(self) -> Iterator[Still]:
        """Hold on to the notebook as it is now, for the length of a block; one block at a time."""
        self._still = Still(self.builder, self.epoch, self.seq, self.head)
        try:
            yield self._still
        finally:
            self._still = None

    def keep_version(self, kept: Kept, beside: Kept | None = None) -> VersionRow:
        """Store what the notebook was at some place of this epoch as the new current version.

        Parameters
        ----------
        kept
            What it was.
        beside
            Something else that is kept in the same step, and is never the current version.

        Raises
        ------
        EpochOver
            The place is of another epoch; nothing was stored.
        """
        if kept.still.epoch != self.epoch:
            raise EpochOver
        with self.database.transaction() as connection:
            if beside is not None:
                self._keep(connection, beside)
            version = self._keep(connection, kept)
        self.version = version
        self._tail = [one for one in self._tail if one.seq > kept.still.seq]
        self._tail_bytes = sum(len(one.body) for one in self._tail)
        return self.version

    def _keep(self, connection: Connection, kept: Kept) -> VersionRow:
        still, label = kept.still, kept.label
        return queries.insert_version(
            connection,
            self.file_id,
            epoch=still.epoch,
            seq=still.seq,
            last_delta_id=still.head,
            body=kept.body,
            reason=label.reason,
            deleted_cell_ids=still.deleted_cell_ids,
            collection_ids=still.collection_ids,
            name=label.name,
            created_by_id=label.author,
            version_id=kept.version_id,
        )

    def begin_epoch(
        self,
        builder: NotebookBuilder,
        *,
        reason: str,
        before: str,
        name: str | None = None,
        author: UUID | None = None,
    ) -> None:
        """Replace the content outside the chain, at once; see `turn`.

        `before` and `name` are what the versions with the present and the new content are called.
        """
        spend_ids(builder, self.builder)
        old = Still(self.builder, self.epoch, self.seq, self.head)
        new = Still(builder, self.epoch + 1, 0, NIL_UUID)
        self.turn(
            builder,
            Kept(old, Label(before, reason, author), b"".join(old.pieces())),
            Kept(new, Label(name, reason, author), b"".join(new.pieces())),
        )

    def turn(self, builder: NotebookBuilder, old: Kept, new: Kept) -> None:
        """Replace the content outside the chain: keep the present state as a version, start anew.

        Everybody who follows the chain has to load the new current version.

        Parameters
        ----------
        builder, old, new
            The new content, the chain's own from then on; the present one and that, to be kept.
        """
        with self.database.transaction() as connection:
            self._keep(connection, old)
            version = self._keep(connection, new)
            update_file(connection, self.file_id, epoch=new.still.epoch)
        self._take(Replayed(builder, Stored(version, b"", [], [], None)))

    # Catching up

    def bodies_after_version(self, version_id: UUID, limit: int = MAX_EVENT_BYTES) -> list[str]:
        """Return the bodies of the deltas after a version, in chain order.

        Parameters
        ----------
        version_id
            The version.
        limit
            The bytes that the asker accepts in one message.

        Raises
        ------
        HistoryGone
            There is no such version to follow from.
        """
        if version_id == self.version.id:
            return [stored.body for stored in self._tail]
        with self.database.transaction() as connection:
            version = queries.get_version(connection, version_id)
        mine = version is not None and version.file_id == self.file_id
        return self._bodies_after(version if mine else None, limit)

    def bodies_after_delta(self, delta_id: UUID, limit: int = MAX_EVENT_BYTES) -> list[str]:
        """Return the bodies of the deltas strictly after a delta, in chain order.

        Parameters
        ----------
        delta_id
            The delta.
        limit
            The bytes that the asker accepts in one message.

        Raises
        ------
        HistoryGone
            There is no such delta to follow from.
        """
        if delta_id == self.head and delta_id != NIL_UUID:
            return []
        with self.database.transaction() as connection:
            stored = queries.find_delta(connection, self.file_id, delta_id)
        return self._bodies_after(stored, limit)

    def _bodies_after(self, place: VersionRow | StoredDelta | None, limit: int) -> list[str]:
        if place is None or place.epoch != self.epoch:
            raise HistoryGone("unknown point of the chain; load the current version")
        seq = place.seq
        if seq >= self.version.seq:
            return [stored.body for stored in self._tail if stored.seq > seq]
        with self.database.transaction() as connection:
            if queries.size_after(connection, self.file_id, self.epoch, seq) > limit:
                raise HistoryGone("too far back; load the current version")
            found = queries.deltas_after(connection, self.file_id, self.epoch, seq)
        if not found or found[0].seq != seq + 1:  # those in between have left the chain
            raise HistoryGone("too far back; load the current version")
        return [stored.body for stored in found]
