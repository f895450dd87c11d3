"""Waits for runs against a model of a server: none lasts for ever, none ends before its run.

The server runs cells in turns, lets people delete cells and restore versions, and squashes its
chain; the connection is lost at any time, and what was on its way with it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from rtu_magics.models import CellState
from rtu_magics.protocol import ExecutionLedger

CELLS = ("a", "b", "c")
OK, FAILED, QUEUED, EXECUTING = (
    "finished_with_no_error",
    "finished_with_error",
    "queued",
    "executing",
)

Execution = Any  # any hashable stands for an id; a state carries it as it is
State = tuple[str, str, Execution]  # cell, state, execution


class Server:
    """What it holds, and what it sends to one client."""

    def __init__(self) -> None:
        self.present = list(CELLS)
        self.chain: list[tuple[str, Any, tuple[str, ...]]] = []
        self.snapshot = list(CELLS)  # the cells that the current version holds
        self.squashed = 0  # deltas of this epoch that the current version holds
        self.epoch = 0
        self.queue: list[tuple[Execution, list[str]]] = []
        self.running: tuple[Execution, str] | None = None
        self.gone = False  # what runs was deleted
        self.after: list[State] = []
        self.states: dict[str, State] = {}
        self.accepted: dict[Execution, tuple[str, ...]] = {}
        self.over: set[tuple[Execution, str]] = set()
        self.open: set[tuple[Execution, str]] = set()
        self.wire: deque[tuple[Any, ...]] | None = None
        self.subscribed = False

    def send(self, *message: Any) -> None:
        if self.wire is not None:
            self.wire.append(message)

    def show(self, cell: str, name: str, execution: Execution, *, deleted: bool = False) -> None:
        if name in (OK, FAILED):
            self.over.add((execution, cell))
            self.open.discard((execution, cell))
        if cell in self.present or deleted:
            self.states[cell] = (cell, name, execution)
            self.send("states", [self.states[cell]], True)

    def accept(self, execution: Execution, cells: tuple[str, ...]) -> None:
        if execution in self.accepted:
            self.send("stored", execution, self.accepted[execution])
            return
        cells = tuple(cell for cell in cells if cell in self.present)
        self.accepted[execution] = cells
        self.delta("run", execution, cells)
        if cells:
            self.queue.append((execution, list(cells)))
        for cell in cells:
            self.open.add((execution, cell))
            self.show(cell, QUEUED, execution)

    def delta(self, kind: str, subject: Any, cells: tuple[str, ...] = ()) -> None:
        self.chain.append((kind, subject, cells))
        if self.subscribed:
            self.send("delta", (kind, subject, cells))

    def begin(self, number: int) -> None:
        execution, cells = self.queue[number]
        self.running, self.gone = (execution, cells.pop(0)), False
        if not cells:
            del self.queue[number]
        self.show(self.running[1], EXECUTING, execution)

    def finish(self, name: str) -> None:
        assert self.running is not None
        (execution, cell), self.running = self.running, None
        if not self.gone:
            self.show(cell, name, execution)
        after, self.after = self.after, []
        for one in after:
            self.show(*one)
        self.still_queued(cell)

    def still_queued(self, cell: str) -> None:
        waiting = [execution for execution, cells in self.queue if cell in cells]
        if waiting and cell in self.present:
            self.show(cell, QUEUED, waiting[-1])

    def withdraw(self) -> None:
        queue, self.queue = self.queue, []
        for execution, cells in queue:
            for cell in cells:
                if self.running is not None and self.running[1] == cell:
                    self.after.append((cell, FAILED, execution))
                else:
                    self.show(cell, FAILED, execution)

    def forget(self, cell: str) -> None:
        """What becomes of the runs of a cell that is not there any more."""
        for _, cells in self.queue:
            if cell in cells:
                cells.remove(cell)
        self.queue = [one for one in self.queue if one[1]]
        self.after = [one for one in self.after if one[0] != cell]
        if self.running is not None and self.running[1] == cell:
            self.gone = True
        for execution, of in sorted(self.open, key=str):
            if of == cell:
                self.show(cell, FAILED, execution, deleted=True)
        self.states.pop(cell, None)

    def delete(self, cell: str) -> None:
        self.present.remove(cell)
        self.delta("delete", cell)
        self.forget(cell)

    def restore(self, cells: list[str], *, told_first: bool) -> None:
        gone = [cell for cell in self.present if cell not in cells]
        self.epoch, self.chain, self.squashed = self.epoch + 1, [], 0
        self.present, self.snapshot = list(cells), list(cells)
        if told_first:
            self.inconsistent()
        for cell in gone:
            self.forget(cell)
        if not told_first:
            self.inconsistent()

    def inconsistent(self) -> None:
        if self.subscribed:
            self.subscribed = False
            self.send("inconsistent")

    def squash(self) -> None:
        """Make a version of what there is; what it holds cannot be caught up with any more."""
        self.squashed, self.snapshot = len(self.chain), list(self.present)

    def subscribe(self, epoch: int, at: int) -> None:
        if epoch != self.epoch or at < self.squashed:
            self.send("inconsistent")
            return
        self.subscribed = True
        states = list(self.states.values())
        head = (self.epoch, len(self.chain))
        self.send("reply", states, self.chain[at:], head, self.hidden())
        self.send("states", states, False)

    def hidden(self) -> list[State]:
        """What goes on for cells that show the state of another execution."""
        going = [(cell, QUEUED, execution) for execution, cells in self.queue for cell in cells]
        if self.running is not None and not self.gone:
            going.append((self.running[1], EXECUTING, self.running[0]))
        going += [(cell, QUEUED, execution) for cell, _, execution in self.after]
        shown = {(s[0], s[2]) for s in self.states.values() if s[1] in (QUEUED, EXECUTING)}
        return [one for one in going if (one[0], one[2]) not in shown]


class Client:
    """What `RTUClient` does with its ledger, and nothing else."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ledger: ExecutionLedger[tuple[Execution, str]] = ExecutionLedger()
        self.present = list(CELLS)
        self.details: dict[str, State] = {}
        self.head = (0, 0)
        self.pending: dict[Execution, tuple[str, ...]] = {}
        self.known: set[Execution] = set()
        self.live = False
        self.must_reload = False
        self.ended: list[tuple[Execution, str]] = []

    def connect(self) -> None:
        self.server.wire = deque()
        self.server.subscribed = False
        if not self.must_reload:
            self.server.subscribe(*self.head)

    def drop(self) -> None:
        self.server.wire, self.server.subscribed, self.live = None, False, False

    def reload(self) -> None:
        self.must_reload = False
        self.present = list(self.server.snapshot)
        self.head = (self.server.epoch, self.server.squashed)
        self.known.clear()
        self.ledger.forget_order()
        self.server.subscribe(*self.head)

    def submit(self, execution: Execution, cells: tuple[str, ...]) -> None:
        self.pending[execution] = cells
        if self.live:
            self.server.accept(execution, cells)

    def take(self) -> None:
        assert self.server.wire
        kind, *rest = self.server.wire.popleft()
        getattr(self, f"on_{kind}")(*rest)

    def states_of(self, told: list[State]) -> list[CellState]:
        return [
            CellState.model_construct(cell_id=cell, state=name, execution_id=execution)
            for cell, name, execution in told
        ]

    def on_states(self, told: list[State], partial: bool) -> None:
        if not partial:
            self.details = {}
        self.details.update({one[0]: one for one in told})
        self.end(self.ledger.states(self.states_of(told), exact=partial))

    def on_delta(self, delta: tuple[str, Any, tuple[str, ...]]) -> None:
        if not self.live:
            return
        self.apply(delta)
        self.head = (self.head[0], self.head[1] + 1)

    def apply(self, delta: tuple[str, Any, tuple[str, ...]]) -> None:
        kind, subject, cells = delta
        if kind == "delete":
            self.present.remove(subject)
            self.ended += self.ledger.cell_gone(subject)
        else:
            self.known.add(subject)
            self.ledger.squashed(subject)
            self.arm(subject, cells)

    def on_stored(self, execution: Execution, cells: tuple[str, ...]) -> None:
        self.arm(execution, cells)

    def arm(self, execution: Execution, cells: tuple[str, ...]) -> None:
        if self.pending.pop(execution, None) is None:
            return
        for cell in cells:
            if cell in self.present:
                self.ledger.arm(execution, cell, (execution, cell))
        details = {state.cell_id: state for state in self.states_of(list(self.details.values()))}
        self.end(self.ledger.told_late(execution, details))

    def on_inconsistent(self) -> None:
        self.live, self.must_reload = False, True

    def on_reply(
        self, states: list[State], deltas: Any, head: tuple[int, int], hidden: list[State]
    ) -> None:
        self.details = {one[0]: one for one in states}
        self.ledger.replied(sum(kind == "run" for kind, *_ in deltas))
        for delta in deltas:
            self.apply(delta)
        self.head = head
        beside = self.states_of(hidden)
        self.end(self.ledger.states(self.states_of(states), fresh=True, hidden=beside))
        for cell in self.ledger.cell_ids:
            if cell not in self.present:
                self.ended += self.ledger.cell_gone(cell)
        self.live = True
        for execution, cells in list(self.pending.items()):
            self.server.accept(execution, cells)

    def end(self, ended: list[tuple[tuple[Execution, str], str]]) -> None:
        self.ended += [token for token, _ in ended]


class Waits(RuleBasedStateMachine):
    """People, a server, and one client that waits for what it asked for."""

    @initialize()
    def start(self) -> None:
        self.server = Server()
        self.client = Client(self.server)
        self.count = 0
        self.client.connect()

    cells = st.lists(st.sampled_from(CELLS), min_size=1, max_size=3, unique=True).map(tuple)

    @rule(cells=cells)
    def run_mine(self, cells: tuple[str, ...]) -> None:
        self.count += 1
        self.client.submit(f"mine {self.count}", cells)

    @rule(cells=cells)
    def run_theirs(self, cells: tuple[str, ...]) -> None:
        self.count += 1
        self.server.accept(f"theirs {self.count}", cells)

    @precondition(lambda self: self.server.queue and self.server.running is None)
    @rule(turn=st.integers(0, 5))
    def begin(self, turn: int) -> None:
        self.server.begin(turn % len(self.server.queue))

    @precondition(lambda self: self.server.running is not None)
    @rule(name=st.sampled_from((OK, FAILED)))
    def finish(self, name: str) -> None:
        self.server.finish(name)

    @rule()
    def interrupt(self) -> None:
        self.server.withdraw()

    @rule(cell=st.sampled_from(CELLS))
    def delete(self, cell: str) -> None:
        if cell in self.server.present:
            self.server.delete(cell)

    @rule(cells=cells, told_first=st.booleans())
    def restore(self, cells: tuple[str, ...], told_first: bool) -> None:
        self.server.restore(list(cells), told_first=told_first)

    @rule()
    def squash(self) -> None:
        self.server.squash()

    @precondition(lambda self: self.server.wire)
    @rule(times=st.integers(1, 5))
    def deliver(self, times: int) -> None:
        for _ in range(times):
            if self.server.wire:
                self.client.take()

    @precondition(lambda self: self.client.must_reload and self.server.wire is not None)
    @rule()
    def reload(self) -> None:
        self.client.reload()

    @rule()
    def drop(self) -> None:
        if self.server.wire is None:
            self.client.connect()
        else:
            self.client.drop()

    @invariant()
    def none_ends_early(self) -> None:
        if hasattr(self, "client"):
            early = [one for one in self.client.ended if one not in self.server.over]
            assert not early, early

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        server, client = self.server, self.client
        if server.wire is None:
            client.connect()
        self.settle()
        while server.running is not None or server.queue:
            if server.running is None:
                server.begin(0)
            server.finish(OK)
        self.settle()
        assert client.live
        assert not client.pending
        assert len(client.ledger) == 0, (list(client.ledger.cell_ids), server.states)
        self.none_ends_early()

    def settle(self) -> None:
        while self.server.wire or self.client.must_reload:
            if self.server.wire:
                self.client.take()
            else:
                self.client.reload()


TestWaits = Waits.TestCase
TestWaits.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, print_blob=True
)
