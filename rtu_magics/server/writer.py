"""The one writer of a notebook.

Everything that has to be in order goes through it: deltas of clients and of the server, joins,
versions. It takes what has arrived, applies each delta to the chain or refuses it, commits the
batch in one transaction, and only then acknowledges and broadcasts, in chain order. Nothing is
awaited between applying and committing, so nobody ever sees what is not stored.

While another program holds the database, what arrives waits unapplied, and everything else goes on.
What people asked for is refused when that takes too long; the server's own changes wait on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ..errors import SquashError
from ..models import (
    CellExecuteDelta,
    CellOutputCollectionReplace,
    NBCellsDelete,
)
from .execution.executor import Executor
from .execution.plan import Plan
from .notebook.answers import Answers
from .notebook.cell_locks import objection
from .notebook.chain import Staged
from .notebook.jobs import Call, Submission
from .outputs.cache import Collections
from .outputs.claims import foreign_outputs
from .ports import LiveNotebook, Twin
from .store import AnyConnection
from .wire.connection import Outbox

__all__ = ["Writer"]

logger = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds that a change waits while another program holds the database
_AGAIN = 0.05
_MOST_WAITING = 2_000  # jobs

_HELD = "another program holds its database"
_REPLACED = "the notebook is just being replaced"


class Writer:
    """Writes to one notebook.

    Parameters
    ----------
    notebook
        Which.
    executor, collections
        What runs its cells, and where outputs are kept.
    outbox
        Of the server: what is sent in one turn goes out together.
    save_version
        Sees to a version because many changes followed the last.
    """

    def __init__(
        self,
        notebook: LiveNotebook,
        executor: Executor,
        collections: Collections,
        outbox: Outbox,
        save_version: Callable[[], None],
    ) -> None:
        self._notebook, self._executor = notebook, executor
        self._collections, self._outbox = collections, outbox
        self._answers = Answers(
            notebook.channel, notebook.subscribers, executor.executions.not_begun
        )
        self._save_version = save_version
        self._database = collections.database
        self._jobs: deque[Submission | Call] = deque()
        self._wake = asyncio.Event()
        self._at_work = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._stale = False  # whether the copy in memory holds what the store does not
        self._retry: asyncio.TimerHandle | None = None
        self._waits_since = 0.0
        self.twin: Twin | None = None
        self._held = False

    def start(self) -> None:
        """Start taking jobs."""
        name = f"rtu-writer-{self._notebook.file_id}"
        self._task = asyncio.create_task(self._write_forever(), name=name)

    async def close(self) -> None:
        """Stop; jobs that are left get no answer."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def put(self, job: Submission | Call, *, more: bool = False) -> None:
        """Do a job, in the order of arrival.

        It is done at once, which saves a turn of the loop, unless the caller knows that more
        follows with which it can share a transaction.
        """
        if self._retry is not None and isinstance(job, Call) and job.overtakes:
            self._call(job)
            return
        full = len(self._jobs) >= _MOST_WAITING and (self._held or self._retry is not None)
        if full and isinstance(job, Submission) and job.person:
            self._answers.not_stored(job, _REPLACED if self._held else _HELD)
            return
        self._jobs.append(job)
        if more or self._at_work or self._closed:
            self._wake.set()
            return
        self._work()
        if self._notebook.chain.needs_version:
            self._wake.set()

    def pull(self) -> None:
        """Take what the twin has now; at the end of what is in the way, if something is."""
        if not (self._at_work or self._closed):
            self._work()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Let what arrives wait for the length of a block; what arrived before is done."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(Call(self._hold, done))
        try:
            await done
            yield
        finally:
            if not done.cancelled():  # else it never began: whoever waited was cancelled first
                self._held = False
                self._wake.set()
                if self.twin is not None:  # it takes what pages did first, and follows then
                    self.put(Call(lambda: None, asyncio.get_running_loop().create_future()))

    def _hold(self) -> None:
        self._held = True

    async def _write_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._work()
            if self._notebook.chain.needs_version:
                self._save_version()

    def _work(self) -> None:
        """Do what is queued; never within itself, as a job may queue another."""
        if self._retry is not None or self._held or not (self._jobs or self.twin):
            return
        if not self._database.is_free():
            self._wait_for_store()
            return
        self._at_work = True
        try:
            if self.twin is not None and not self._take_from(self.twin):
                self._wait_for_store()
                return
            batch: list[Submission] = []
            while self._jobs and not self._held:
                job = self._jobs.popleft()
                if isinstance(job, Submission):
                    batch.append(job)
                    continue
                if not self._write(batch):
                    self._put_back([*batch, job])
                    return
                batch = []
                self._call(job)
            if not self._write(batch):
                self._put_back(batch)
        finally:
            self._at_work = False

    def _take_from(self, twin: Twin) -> bool:
        """Store what others did in the twin; returns as `_write`."""
        came = [Submission(delta, author, "", twin=True) for delta, author in twin.changes()]
        if not came:
            return True
        done = self._write(came)
        refused = next((job.refused for job in came if job.refused), "")
        twin.took(refused, all(job.accepted for job in came))
        return done

    # While another program holds the database

    def _put_back(self, jobs: Sequence[Submission | Call]) -> None:
        self._jobs.extendleft(reversed(jobs))
        self._wait_for_store()

    def _wait_for_store(self) -> None:
        loop = asyncio.get_running_loop()
        self._waits_since = loop.time()
        self._retry = loop.call_later(_AGAIN, self._try_again)
        # Joining needs no commit; the order of arrival matters to nobody who has not joined.
        overtaking = [job for job in self._jobs if isinstance(job, Call) and job.overtakes]
        if overtaking:
            left = (job for job in self._jobs if not (isinstance(job, Call) and job.overtakes))
            self._jobs = deque(left)
            for job in overtaking:
                self._call(job)

    def _try_again(self) -> None:
        self._retry = None
        if self._closed:
            return
        if self._database.is_free():
            self._wake.set()
            return
        loop = asyncio.get_running_loop()
        if loop.time() - self._waits_since > _PATIENCE and not self._held:
            self._waits_since = loop.time()
            jobs, self._jobs = self._jobs, deque()
            for job in jobs:
                if isinstance(job, Call):
                    self._call(job)  # it fails by itself if it writes
                elif job.person is not None:
                    self._answers.not_stored(job, _HELD)
                else:
                    self._jobs.append(job)
        if self._jobs:
            self._retry = loop.call_later(_AGAIN, self._try_again)

    def _call(self, job: Call) -> None:
        if job.done.cancelled():
            return
        try:
            job.done.set_result(job.work())
        except Exception as exc:
            job.done.set_exception(exc)
        if self.twin is not None:
            self.twin.settle(())

    def _write(self, batch: Sequence[Submission]) -> bool:
        """Apply, commit, then answer: the whole way of a batch.

        Returns
        -------
        bool
            False if another program holds the database: nothing was applied or answered.
        """
        if not batch:
            return True
        trouble = self._refresh() if self._stale else ""
        if trouble:
            return self._give_up(batch, trouble)
        staged: list[Staged] = []
        plans: dict[UUID, Plan] = {}
        extras: list[Callable[[AnyConnection], None]] = []
        # What each gets, and whether that hangs on the commit.
        answers: list[tuple[Submission, Callable[[], None], bool]] = []
        accepted_ids: dict[UUID, str] = {}
        for job in batch:
            delta_id = job.delta.id
            earlier = accepted_ids.get(delta_id)
            try:
                stored = None if earlier is not None else self._notebook.chain.find(delta_id)
            except SQLAlchemyError as exc:
                self._stale = True
                return self._give_up(batch, str(getattr(exc, "orig", exc)))
            if earlier is not None or stored is not None:
                same = job.digest == (earlier if stored is None else stored.digest)
                answers.append((job, partial(self._known, job, same), earlier is not None))
                continue
            # Here, where the order is settled: a role or a lock may have changed on the way.
            if job.person is not None:
                builder = self._notebook.chain.builder
                file_id, collections = self._notebook.file_id, self._collections
                against = objection(job.person, file_id, job.delta, builder)
                against = against or foreign_outputs(job.delta, file_id, collections)
                against = against or self._notebook.chain.why_moved(job.positions_at)
                if not against and isinstance(job.delta, CellExecuteDelta):
                    against = self._executor.why_full(job.author, plans.values())
                if against:
                    answers.append((job, partial(self._answers.refused, job, against), False))
                    continue
            try:
                one = self._notebook.chain.stage(job.delta, job.author, job.digest)
            except SquashError as exc:
                answers.append((job, partial(self._answers.refused, job, str(exc)), False))
                continue
            staged.append(one)
            accepted_ids[delta_id] = job.digest
            if isinstance(one.delta, CellExecuteDelta):
                plan = plans[delta_id] = self._executor.plan(
                    one.delta, self._notebook.chain.builder
                )
                extras.append(partial(self._executor.store, plan))
            if job.also is not None:
                extras.append(job.also)
            accepted = partial(self._accepted, job, one, plans.get(delta_id))
            answers.append((job, accepted, True))
        failure = self._commit(staged, extras) if staged else ""
        if failure and self._database.held:
            return False
        if self.twin is not None:
            self.twin.settle([one.delta for one in staged if not (failure or batch[0].twin)])
        for job, answer, hangs_on_commit in answers:
            if failure and hangs_on_commit:
                self._answers.not_stored(job, failure)
            else:
                answer()
        if failure:
            return True
        if any(not isinstance(one.delta, CellExecuteDelta) for one in staged):
            self._outbox.afterwards(self._notebook.changed)
        return True

    def _give_up(self, batch: Sequence[Submission], trouble: str) -> bool:
        """Refuse a batch, unless it is to be tried again; returns as `_write`."""
        if self._database.held:
            return False
        for job in batch:
            self._answers.not_stored(job, trouble)
        return True

    def _refresh(self) -> str:
        """Go back to what the store has; returns why that failed, "" if it did not."""
        try:
            self._notebook.chain.rebuild()
        except SQLAlchemyError as exc:  # it is tried again with the next change
            return str(getattr(exc, "orig", exc))
        self._stale = False
        return ""

    def _commit(self, staged: list[Staged], extras: list[Callable[[AnyConnection], None]]) -> str:
        """Store what was staged; returns why that failed, "" if it did not."""

        def also(connection: AnyConnection) -> None:
            for extra in extras:
                extra(connection)

        try:
            self._notebook.chain.commit(staged, also if extras else None)
        except SQLAlchemyError as exc:
            failure = str(getattr(exc, "orig", exc))
            if not self._failing:  # once, however many changes are refused
                logger.error("changes cannot be stored and are refused: %s", failure)
            self._failing = self._stale = True
            self._refresh()
            return failure
        if self._failing:
            self._failing = False
            logger.info("changes are stored again")
        return ""

    def _accepted(self, job: Submission, one: Staged, plan: Plan | None) -> None:
        self._answers.accepted(job, one)
        if plan is not None:
            self._executor.accept(plan)
        if isinstance(one.delta, CellOutputCollectionReplace) and job.connection is not None:
            self._executor.gave_outputs(one.delta)
        if isinstance(one.delta, NBCellsDelete):
            self._executor.cell_deleted(one.delta.properties.id)
        self._answers.settled(job, one)

    def _known(self, job: Submission, same: bool) -> None:
        self._answers.known(job, self._notebook.chain.find(job.delta.id), same=same)
