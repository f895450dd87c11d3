"""Any history of edits, losses, restores, reconnects: nothing is lost, doubled or left waiting."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtu_magics import models as m
from rtu_magics.errors import ClientClosed, DeltaRejected, RTUError
from rtu_magics.protocol import effects as fx

from .world import (
    CHANNEL,
    OK,
    Server,
    Shell,
    add,
    delete,
    event,
    execute,
    inconsistent,
    replace,
    state,
    states,
)


def cells_of(builder):
    return [(cell.id, cell.source) for cell in builder.cells]


class ReplicaMachine(RuleBasedStateMachine):
    """One replica, its server, and a connection that may break at any point.

    ``wire`` is what is under way to the replica. What the replica sends arrives at once and is
    taken up by rules of its own, so that any order of acceptance, answer and loss comes about.
    """

    def __init__(self):
        super().__init__()
        self.server = Server()
        self.shell = Shell(self.server)
        self.wire = deque()
        self.seen = 0  # how many effects of the log were acted upon
        self.asked = None  # a subscribe request that waits for its answer
        self.subscribed = False
        self.inbox = deque()  # requests that wait for the server
        self.taken = 0  # how many of shell.sent went into the inbox
        self.refused = set()
        self.accepted = {}
        self.numbers = iter(range(10**6))
        self.executed = []

    # The connection

    @initialize(live=st.booleans())
    def begin(self, live):
        if live:
            self.connect()
            self.look()
            self.answer_subscription()
            self.deliver_all()

    @precondition(lambda self: not self.shell.connected)
    @rule()
    def connect(self):
        self.shell.connect()

    @precondition(lambda self: self.shell.connected)
    @rule()
    def lose(self):
        self.wire.clear()
        self.inbox.clear()
        self.asked, self.subscribed = None, False
        self.look()
        self.inbox.clear()
        self.shell.lose()

    @precondition(lambda self: self.asked is not None)
    @rule()
    def answer_subscription(self):
        answer = self.server.answer(self.asked)
        self.asked, self.subscribed = None, isinstance(answer, m.FileSubscribeReply)
        self.wire.append(answer)

    # The server

    @rule(cell_id=st.sampled_from(["a", "b"]))
    def somebody_edits(self, cell_id):
        if cell_id in self.server.builder:
            self.broadcast(self.server.accept(replace(str(next(self.numbers)), cell_id)))

    @rule()
    def somebody_adds(self):
        self.broadcast(self.server.accept(add(f"n{next(self.numbers)}", "0")))

    @rule(cell_id=st.sampled_from(["a", "b"]))
    def somebody_deletes(self, cell_id):
        if cell_id in self.server.builder:
            self.broadcast(self.server.accept(delete(cell_id)))

    @precondition(lambda self: self.inbox)
    @rule(accepts=st.booleans(), mute=st.booleans())
    def take_request(self, accepts, mute):
        pending = self.inbox.popleft()
        stored = self.accepted.get(pending.owner)
        yes = m.NewDeltaReply(
            transaction_id=pending.transaction_id, channel=CHANNEL, data={"success": True}
        )
        if stored is not None:
            self.wire += [yes, event(stored, pending.transaction_id)]
        elif accepts and self.can_take(pending):
            completed = self.server.accept(self.mine[pending.owner])
            self.accepted[completed.id] = completed
            if not mute:
                self.wire.append(yes)
            self.broadcast(completed)
        else:
            self.refused.add(pending.owner)
            data = {"cause": "no"}
            self.wire.append(
                m.DeltaRejectedResponse(
                    transaction_id=pending.transaction_id, channel=CHANNEL, data=data
                )
            )

    def can_take(self, pending):
        cell_id = self.mine[pending.owner].resource_id
        return pending.owner not in self.refused and cell_id in self.server.builder

    @rule()
    def save_version(self):
        self.server.save()

    @rule()
    def restore(self):
        """Content is replaced: what was accepted before is part of another chain."""
        ids = ("a", "b")
        text = str(next(self.numbers))
        self.server.restore(m.Notebook(cells=[m.CodeCell(id=i, source=text) for i in ids]))
        if self.subscribed:
            self.subscribed = False
            self.wire.append(inconsistent())

    @precondition(lambda self: self.subscribed)
    @rule()
    def ask_for_a_reload(self):
        """The server loses track of this subscriber, and the chain goes on."""
        self.subscribed = False
        self.wire.append(inconsistent())

    @rule(pick=st.integers(min_value=0))
    def a_cell_finishes(self, pick):
        if self.executed:
            delta_id = self.executed[pick % len(self.executed)]
            told = state(self.mine[delta_id].resource_id, OK, delta_id)
            self.server.states = [told]
            if self.subscribed:
                self.wire.append(states(told, partial=True))

    def broadcast(self, completed):
        if self.subscribed:
            self.wire.append(event(completed))

    # The wire

    @precondition(lambda self: self.wire)
    @rule()
    def deliver(self):
        self.shell.receive(self.wire.popleft())

    @rule()
    def deliver_all(self):
        while self.wire:
            self.deliver()

    @precondition(lambda self: self.wire)
    @rule()
    def deliver_twice(self):
        if isinstance(self.wire[0], m.NewDeltaEvent):
            self.shell.receive(self.wire[0])
        self.deliver()

    @precondition(lambda self: len(self.wire) > 1)
    @rule()
    def swap(self):
        """Two deltas change places; no sound server lets anything overtake a reply."""
        if all(isinstance(self.wire[i], m.NewDeltaEvent) for i in (0, 1)):
            self.wire[0], self.wire[1] = self.wire[1], self.wire[0]

    @precondition(lambda self: self.wire)
    @rule()
    def drop_event(self):
        if isinstance(self.wire[0], m.NewDeltaEvent):
            self.wire.popleft()

    # The application

    mine: dict = None

    @rule(cell_id=st.sampled_from(["a", "b"]))
    def edit(self, cell_id):
        self.submit(replace(str(next(self.numbers)), cell_id))

    @rule(cell_id=st.sampled_from(["a", "b"]))
    def run_cell(self, cell_id):
        delta = execute(cell_id)
        self.executed.append(delta.id)
        self.submit(delta, wait=True)

    def submit(self, delta, wait=False):
        self.mine = self.mine or {}
        self.mine[delta.id] = delta
        self.shell.edit(delta, wait=wait)

    @precondition(lambda self: self.wire and not self.shell.held)
    @rule()
    def hold_the_next(self):
        """The hook of a delta under way will wait."""
        if isinstance(self.wire[0], m.NewDeltaEvent):
            self.shell.held.add(self.wire[0].data.id)

    @precondition(lambda self: self.shell.sleeping)
    @rule()
    def let_go(self):
        self.shell.let_go()

    @rule(seconds=st.sampled_from([0.1, 2.0, 6.0, 20.0]))
    def time_passes(self, seconds):
        self.shell.pass_time(seconds)

    @precondition(lambda self: self.shell.replica.reloads.under_way)
    @rule(works=st.booleans())
    def load(self, works):
        if works:
            self.shell.reload()
        else:
            self.shell.reload_fails()

    # What has to be true

    @invariant()
    def look(self):
        """Take what the replica sent; and its copy is what the server had at that point."""
        for effect in self.shell.log[self.seen :]:
            if isinstance(effect, fx.Send):
                self.asked, self.subscribed = effect.request, False
        self.seen = len(self.shell.log)
        for pending in self.shell.sent[self.taken :]:
            self.inbox.append(pending)
        self.taken = len(self.shell.sent)

    @invariant()
    def results_are_true(self):
        for delta_id, result in self.shell.results.items():
            if isinstance(result, DeltaRejected):
                assert delta_id in self.refused
            elif not isinstance(result, RTUError):
                assert delta_id in self.accepted

    @invariant()
    def nobody_waits_for_a_cell_that_has_gone(self):
        replica = self.shell.replica
        if replica.is_live and not replica.catching_up:
            assert all(cell_id in replica.builder for cell_id in replica.state.waits.cell_ids)

    @invariant()
    def a_copy_of_the_head_is_the_heads(self):
        replica, server = self.shell.replica, self.server
        at_head = server.chain and replica.builder.last_applied_delta_id == server.head
        if replica.is_live and at_head:
            assert cells_of(replica.builder) == cells_of(server.builder)

    def teardown(self):
        """Let everything come to rest: then all is in step, and nobody waits."""
        shell, replica = self.shell, self.shell.replica
        for _ in range(400):
            self.look()
            if replica.error is not None:
                break
            if shell.sleeping:
                shell.let_go()
            elif replica.reloads.under_way:
                shell.reload()
            elif not shell.connected:
                self.connect()
            elif self.asked is not None:
                self.answer_subscription()
            elif self.wire:
                self.deliver()
            elif self.inbox:
                self.take_request(accepts=True, mute=False)
            elif not shell.in_step:
                # A lost event that nothing follows is noticed with the next.
                self.somebody_adds()
                self.deliver()
                shell.pass_time(6.0)
            else:
                break
        else:
            raise AssertionError("it does not come to rest")
        if replica.error is None:
            assert set(shell.results) == set(self.mine or ())
            for delta_id in self.mine or ():
                assert (delta_id in self.refused) == isinstance(
                    shell.results[delta_id], DeltaRejected
                )
            for run, cell_id in shell.tokens:
                shell.receive(states(state(cell_id, OK, run), partial=True))
            assert set(shell.ends) == set(shell.tokens)
        shell.run(replica.close(ClientClosed("closed")))
        assert set(shell.results) == set(self.mine or ())
        assert set(shell.ends) == set(shell.tokens)
        assert len(replica.requests) == len(replica.state.waits) == 0


TestMachine = ReplicaMachine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
