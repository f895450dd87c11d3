"""The executions of one notebook: what became of each, who is attached to it, what it asks.

The newest are kept in memory; older ones, and those before a restart of the server, are read off
what they left in the store.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

from ...models import (
    FINISHED_STATES,
    CellState,
    CellStateName,
    ExecutePayloadEventData,
    InputRequestEventData,
    Run,
)
from ..access.people import Action, authorise
from ..kernel.notebook_kernel import NotebookKernel
from ..outputs.cache import Collections
from ..outputs.payload import bounded
from ..ports import Audience
from ..process.slices import Steps, joined
from ..store import runs as queries
from ..wire.connection import Connection, broadcast
from ..wire.frames import message
from .plan import Plan

__all__ = ["Executions", "LiveExecution"]

_KEPT = 200  # runs, beside those that have not ended
_PAYLOADS_KEPT = 20  # payloads of cells, for who comes back or attaches
_ANNOUNCED = 100  # attachments to runs that have not begun
_LOOK_EVERY = 0.5  # seconds between two looks whether the one who is asked is still there

Answer = Callable[[str], None]


@dataclass(slots=True)
class _Question:
    data: InputRequestEventData
    answer: Answer
    asked: Connection | None = None


@dataclass(slots=True, eq=False)
class LiveExecution:
    """One execution as the server knows it.

    Attributes
    ----------
    attached
        The connections that answer its questions, the first to be asked first.
    asks
        Whether its cells may ask for input: somebody was attached from the start.
    keep
        Whether a server that nobody needs any more waits for it.
    waiting
        The kernels that wait for it.
    """

    execution_id: UUID
    author: UUID
    cell_ids: tuple[str, ...]
    scratch: bool
    asks: bool
    states: dict[str, CellState]
    collections: dict[str, UUID] = field(default_factory=dict)
    payloads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    attached: list[Connection] = field(default_factory=list)
    keep: bool = False
    waiting: tuple[str, ...] = ()
    created_at: float = field(default_factory=time.time)
    started_at: float | None = None
    ended_at: float | None = None
    question: _Question | None = None

    @property
    def listeners(self) -> list[Connection]:
        """Who is attached and still there."""
        self.attached = [c for c in self.attached if not c.closed]
        return self.attached

    @property
    def state(self) -> str:
        """``queued``, ``executing``, or how it ended."""
        states = self.states.values()
        if all(state.state in FINISHED_STATES for state in states):
            failed = any(state.failed for state in states)
            return CellStateName.FAILED if failed else CellStateName.FINISHED
        return CellStateName.QUEUED if self.started_at is None else CellStateName.EXECUTING

    def note(self, state: CellState) -> None:
        """Take the state of one of its cells."""
        before = self.states.get(state.cell_id)
        if before is not None and before.state in FINISHED_STATES:
            return  # what a later run makes of the cell is not this one's
        self.states[state.cell_id] = state
        if self.started_at is None and state.state == CellStateName.EXECUTING:
            self.started_at = time.time()
        if self.ended_at is None and self.state in FINISHED_STATES:
            self.ended_at = time.time()

    def to_model(self) -> Run:
        """Return it as the protocol shows it."""
        return Run(
            execution_id=self.execution_id,
            cell_ids=list(self.cell_ids),
            scratch=self.scratch,
            state=self.state,
            cell_states=list(self.states.values()),
            collections=dict(self.collections),
            payloads=dict(self.payloads),
            user_id=self.author,
            created_at=_when(self.created_at),
            started_at=_when(self.started_at),
            ended_at=_when(self.ended_at),
        )


class Executions:
    """The executions of one notebook.

    Parameters
    ----------
    audience, kernel, collections
        Who follows the notebook, what runs its cells, and where outputs are kept.
    states
        Returns the states of its cells, by cell id.
    """

    def __init__(
        self,
        audience: Audience,
        kernel: NotebookKernel,
        collections: Collections,
        states: Callable[[], Mapping[str, CellState]],
    ) -> None:
        self._audience, self._kernel = audience, kernel
        self._collections, self._cell_states = collections, states
        self._runs: OrderedDict[UUID, LiveExecution] = OrderedDict()
        # Of these, in the order of their ends.
        self._ended: OrderedDict[UUID, LiveExecution] = OrderedDict()
        # Those who attached to a run before it was asked for, as its starter does.
        self._announced: OrderedDict[UUID, tuple[list[Connection], bool, bool]] = OrderedDict()
        self._waiting: OrderedDict[UUID, tuple[str, ...]] = OrderedDict()  # for runs to come
        self._with_payload: deque[LiveExecution] = deque()

    def __iter__(self) -> Iterator[LiveExecution]:
        """Iterate from the newest to the oldest."""
        return reversed(self._runs.values())

    def get(self, execution_id: UUID) -> LiveExecution | None:
        """Return a run that is in memory, or None."""
        return self._runs.get(execution_id)

    def find(self, execution_id: UUID) -> Run | None:
        """Return a run, also one that only the store remembers, or None."""
        live = self._runs.get(execution_id)
        if live is not None:
            return live.to_model()
        return next((run for run in self._stored() if run.execution_id == execution_id), None)

    async def listed(self, user_id: UUID) -> Steps[list[bytes]]:
        """Return what makes the JSON of the newest runs that somebody may see, the newest first."""
        mine = [run for run in self if not run.scratch or run.author == user_id]
        states, known = list(self._cell_states().values()), set(self._runs)
        file_id = self._audience.file_id
        stored = await self._collections.database.read(
            lambda c: queries.recent_runs(c, file_id, states, _KEPT, without=known)
        )

        def pieces() -> Iterator[bytes]:
            before = b"["
            for run in chain((live.to_model() for live in mine), stored):
                yield before + run.model_dump_json().encode()
                before = b","
            yield b"[]" if before == b"[" else b"]"

        return joined(pieces())

    def _stored(self) -> list[Run]:
        """Read the newest of the other runs off what they left in the store."""
        states = self._cell_states()
        with self._collections.database.transaction() as connection:
            return queries.recent_runs(
                connection, self._audience.file_id, states.values(), _KEPT, without=self._runs
            )

    @property
    def kept(self) -> bool:
        """Whether one goes on for which the server has to stay."""
        return any(run.keep and run.ended_at is None for run in self._runs.values())

    def add(self, plan: Plan) -> LiveExecution:
        """Begin to keep a run that was accepted."""
        announced, keep, asks = self._announced.pop(plan.execution_id, ([], False, False))
        # A scratch run is its starter's alone.
        attached = [c for c in announced if not plan.scratch or _is(c, plan.author)]
        run = LiveExecution(
            plan.execution_id,
            plan.author,
            tuple(target.cell_id for target in plan.targets),
            plan.scratch,
            plan.asks and asks and bool(attached) and not keep,
            {state.cell_id: state for state in plan.states()},
            attached=attached,
            keep=keep,
            waiting=self._waiting.pop(plan.execution_id, ()),
        )
        self._runs[run.execution_id] = run
        return run

    def forget(self, run: LiveExecution) -> None:
        """Keep a run no longer, nor what it put out if that was its starter's alone."""
        self._runs.pop(run.execution_id, None)
        self._ended.pop(run.execution_id, None)
        if run.scratch:
            self._kernel.forget(str(run.execution_id))
            for collection_id in run.collections.values():
                self._collections.drop(collection_id)

    def note(self, states: Iterable[CellState]) -> None:
        """Take new states of cells."""
        for state in states:
            run = self._runs.get(state.execution_id) if state.execution_id else None
            if run is None or state.cell_id not in run.states:
                continue
            run.note(state)
            if run.ended_at is not None:
                self._ended[run.execution_id] = run
        while len(self._ended) > _KEPT:
            self.forget(next(iter(self._ended.values())))

    # Waiting

    def is_waited_for(self, execution_id: UUID, waiting: Sequence[str]) -> None:
        """Note which kernels wait for a run to come."""
        self._waiting[execution_id] = tuple(waiting)
        while len(self._waiting) > _ANNOUNCED:
            self._waiting.popitem(last=False)

    def not_begun(self, execution_id: UUID) -> None:
        """Forget what was noted for a run to come, which does not come: it was refused, say."""
        self._waiting.pop(execution_id, None)
        self._announced.pop(execution_id, None)

    def waited_for(self) -> Iterator[tuple[str, str]]:
        """Yield which kernel waits for this notebook's kernel, or is about to."""
        kernel_id = self._kernel.kernel_id
        if kernel_id is None:
            return
        for run in self._runs.values():
            if run.waiting and run.ended_at is None:
                yield from ((one, kernel_id) for one in run.waiting)
        for waiting in self._waiting.values():  # asked for, and not yet accepted
            yield from ((one, kernel_id) for one in waiting)

    # Attaching

    def attach(
        self, connection: Connection, execution_id: UUID, keep: bool = False, *, asks: bool = True
    ) -> bool:
        """Let a connection answer a run's questions; whether it may.

        Parameters
        ----------
        connection
            Whoever authenticated on it has the right to run cells here.
        execution_id
            The run, which may be one to come.
        keep
            Whether the server has to stay for it.
        asks
            Whether a run to come may ask this connection.
        """
        run = self._runs.get(execution_id)
        if run is None:
            connections, kept, asked = self._announced.pop(execution_id, ([], False, False))
            others = [c for c in connections if c is not connection]
            self._announced[execution_id] = ([*others, connection], kept or keep, asked or asks)
            while len(self._announced) > _ANNOUNCED:
                self._announced.popitem(last=False)
            return True
        mine = _is(connection, run.author)
        if run.scratch and not mine:
            return False
        others = [c for c in run.listeners if c is not connection]
        # The starter's newest connection comes first: an older one may be dead without knowing it.
        run.attached = [connection, *others] if mine else [*others, connection]
        run.keep = run.keep or keep
        asyncio.get_running_loop().call_soon(self._put, run)  # after the reply to this request
        return True

    def send(self, run: LiveExecution, event: str, data: Any) -> None:
        """Send an event to those who are attached to a run and may still run cells."""
        listeners = [c for c in run.listeners if self._may_run(c)]
        broadcast(listeners, message(self._audience.channel, event, data))

    def take_payload(self, run: LiveExecution, cell_id: str, payload: Any) -> None:
        """Pass on what a cell's reply asks of the front end that ran it."""
        kept = run.payloads[cell_id] = bounded(payload)
        self._with_payload.append(run)
        while len(self._with_payload) > _PAYLOADS_KEPT:
            oldest = self._with_payload.popleft()
            if oldest not in self._with_payload:
                oldest.payloads.clear()
        self.send(
            run,
            "execute_payload_event",
            ExecutePayloadEventData(execution_id=run.execution_id, cell_id=cell_id, payload=kept),
        )

    # Questions

    def ask(
        self, run: LiveExecution, cell_id: str, prompt: str, password: bool, answer: Answer
    ) -> None:
        """Put a question of a running cell to whoever is attached, now or later.

        Parameters
        ----------
        run, cell_id
            Who asks.
        prompt, password
            What to show, and whether the answer must not be shown.
        answer
            Hands the answer to the kernel.
        """
        data = InputRequestEventData(
            request_id=uuid4(),
            cell_id=cell_id,
            execution_id=run.execution_id,
            prompt=prompt,
            password=password,
        )
        question = run.question = _Question(data, answer)
        loop = asyncio.get_running_loop()

        def put() -> None:
            # Again and again: if the one who was asked goes, the next is asked.
            if run.question is question:
                self._put(run)
                loop.call_later(_LOOK_EVERY, put)

        put()

    def _put(self, run: LiveExecution) -> None:
        """Send a run's question to the first that is attached, once."""
        question = run.question
        first = next((c for c in run.listeners if self._may_run(c)), None)
        if question is not None and first is not None and question.asked is not first:
            question.asked = first
            first.send(message(self._audience.channel, "input_request_event", question.data))

    def _may_run(self, connection: Connection) -> bool:
        person = connection.person
        return person is not None and authorise(person, Action.EXECUTE, self._audience.file_id)

    def answer(self, connection: Connection, request_id: UUID, value: str) -> LiveExecution | None:
        """Hand an answer to the kernel; returns the run, None when nothing is asked any more."""
        for run in self._runs.values():
            question = run.question
            if question is None or question.data.request_id != request_id:
                continue
            if connection not in run.listeners:
                return None
            run.question = None
            question.answer(value)
            return run
        return None

    @staticmethod
    def withdraw(run: LiveExecution) -> bool:
        """Forget the question of a cell that has ended or is gone; returns whether it had one."""
        question, run.question = run.question, None
        return question is not None


def _is(connection: Connection, user_id: UUID) -> bool:
    return connection.person is not None and connection.person.id == user_id


def _when(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
