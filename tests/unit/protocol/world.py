"""A replica without a connection: a shell that carries its effects out at once, and a server."""

from __future__ import annotations

from uuid import UUID, uuid4

from rtu_magics import models as m
from rtu_magics.document import NotebookBuilder
from rtu_magics.protocol import Pending, Replica
from rtu_magics.protocol import effects as fx

FILE = UUID(int=1)
CHANNEL = f"files/{FILE}"
KERNELS = m.kernel_channel(FILE)
OK = "finished_with_no_error"


def replace(source, cell_id="a"):
    return m.CellContentsReplace(
        file_id=FILE, resource_id=cell_id, properties={"source": source}, id=uuid4()
    )


def add(cell_id, source=""):
    cell = m.CodeCell(id=cell_id, source=source)
    return m.NBCellsAdd(file_id=FILE, properties={"id": cell_id, "cell": cell})


def delete(cell_id):
    return m.NBCellsDelete(file_id=FILE, properties={"id": cell_id})


def execute(cell_id="a"):
    return m.CellExecute(file_id=FILE, resource_id=cell_id)


class Server:
    """What a sound server makes of requests; nothing here waits or goes wrong by itself."""

    def __init__(self, *cells):
        cells = cells or (m.CodeCell(id="a", source="1"), m.CodeCell(id="b", source="2"))
        self.restore(m.Notebook(cells=list(cells)))
        self.states = []
        self.kernel = None

    @property
    def head(self):
        return self.chain[-1].id if self.chain else m.NIL_UUID

    def restore(self, notebook):
        """Replace the content outside the chain: a new chain begins."""
        self.builder = NotebookBuilder(notebook)
        self.chain = []
        self.save()

    def save(self):
        """Save a version: it holds the chain so far."""
        self.version, self.version_at = uuid4(), len(self.chain)
        self.seed = self.builder.nb.model_copy(deep=True)

    def load(self):
        return self.version, NotebookBuilder(self.seed)

    def accept(self, delta):
        completed = delta.model_copy(
            update={"parent_delta_id": self.head, "created_at": m.utcnow(), "created_by_id": FILE}
        )
        self.builder.apply_delta(completed, strict=True)
        self.chain.append(completed)
        return completed

    def stored(self, delta_id):
        return next((delta for delta in self.chain if delta.id == delta_id), None)

    def missed(self, request):
        """Return the deltas after where a subscription begins, None if that is unknown."""
        data = request.data
        if data.from_version_id is not None:
            return self.chain[self.version_at :] if data.from_version_id == self.version else None
        ids = [delta.id for delta in self.chain]
        if data.from_delta_id not in ids:
            return None
        return self.chain[ids.index(data.from_delta_id) + 1 :]

    def answer(self, request):
        missed = self.missed(request)
        if missed is None:
            return inconsistent(request.transaction_id)
        return reply(request, missed, self.head, self.states, self.kernel)


def reply(request, missed=(), latest=m.NIL_UUID, states=(), kernel=None, **more):
    data = {
        "deltas_to_apply": list(missed),
        "cell_states": list(states),
        "latest_delta_id": latest,
        "kernel_session": kernel,
        **more,
    }
    return m.FileSubscribeReply(transaction_id=request.transaction_id, channel=CHANNEL, data=data)


def event(delta, transaction_id=None):
    return m.NewDeltaEvent(transaction_id=transaction_id or uuid4(), channel=CHANNEL, data=delta)


def inconsistent(transaction_id=None):
    return m.InconsistentStateEvent(
        transaction_id=transaction_id or uuid4(), channel=CHANNEL, data={"message": "restored"}
    )


def kernel_status(state, reason=None):
    kernel = m.KernelDetails(name="python3", execution_state=state)
    return m.KernelStatusUpdate(session_id=FILE, kernel=kernel, reason=reason)


def kernel(state, reason=None):
    return m.KernelStatusUpdateResponse(channel=KERNELS, data=kernel_status(state, reason))


def state(cell_id, name, execution_id=None):
    return m.CellState(cell_id=cell_id, state=name, execution_id=execution_id)


def states(*cell_states, partial=False):
    return m.BulkCellStateUpdateResponse(
        channel=KERNELS, data={"cell_states": list(cell_states), "partial": partial}
    )


class Shell:
    """Carries out what a replica wants, and keeps it.

    ``held`` are ids of deltas whose hook waits: squashing stops before them, until `let_go`.
    """

    def __init__(self, server=None, *, reload=True, gap_timeout=5.0):
        self.server = server or Server()
        version, builder = self.server.load()
        self.replica = Replica(FILE, version, builder, gap_timeout=gap_timeout)
        self.replica.running = True
        self.replica.reloads.possible = reload
        self.now = 0.0
        self.log = []
        self.sent = []
        self.results = {}
        self.ends = {}
        self.tokens = []  # what stands for the waits for cells
        self.connected = False
        self.held = set()
        self.sleeping = []  # deltas in the hands of hooks that wait

    # What happens

    def receive(self, *messages):
        for message in messages:
            effects = self.replica.receive(message, self.now)
            if effects is fx.OFFER:
                effects = self.replica.queue(message.data, self.now)
            self.run(effects)
        return self

    def connect(self):
        self.connected = True
        self.replica.contact.connected()
        self.run(self.replica.authenticated())
        return self

    def subscribe(self):
        """Connect and be answered: the replica is live then."""
        self.connect()
        self.receive(self.server.answer(self.subscription))
        return self

    def lose(self):
        self.connected = False
        self.run(self.replica.disconnected())

    def pass_time(self, seconds):
        self.now += seconds
        self.run(self.replica.tick(self.now))

    def edit(self, delta, wait=False):
        def wait_for(cell_id):
            self.tokens.append((delta.id, cell_id))
            return self.tokens[-1]

        pending = Pending(uuid4(), delta.id, delta.id, wait_for=wait_for if wait else None)
        self.replica.requests.put(pending)
        if self.replica.submit(pending):
            self.sent.append(pending)
        return pending

    def reload(self):
        self.run(self.replica.reloaded(*self.server.load()))

    def reload_fails(self, error="no network"):
        self.run(self.replica.reload_failed(OSError(error), self.now))

    # What is wanted

    def run(self, effects):
        for effect in effects:
            self.log.append(effect)
            match effect:
                case fx.Subscribe() | fx.Resubscribe():
                    if self.connected:
                        self.run(self.replica.subscribe())
                case fx.Replay() | fx.CatchUp():
                    self.squash()
                case fx.Follow():
                    self.run(self.replica.followed(self.now))
                case fx.Settle():
                    self._end(self.results, effect.owner, effect.delta)
                case fx.Fail():
                    self._end(self.results, effect.owner, effect.error)
                case fx.Finish():
                    self._end(self.ends, effect.wait, effect.cell)
                case fx.Lose():
                    self._end(self.ends, effect.wait, effect.error)
                case fx.Submit():
                    self.sent.append(effect.pending)

    @staticmethod
    def _end(table, key, value):
        assert key not in table, f"{key} ends twice"
        table[key] = value

    def squash(self):
        order = self.replica.order
        if order.applying:
            return
        order.applying = True
        self._go_on()

    def _go_on(self):
        while (delta := self.replica.next_delta()) is not None:
            if delta.id in self.held:
                self.sleeping.append((delta, self.replica.builder))
                return
            self.run(self.replica.squash(delta, self.now))
        self.replica.order.applying = False
        if self.replica.catching_up:
            self.run(self.replica.caught_up(self.now))

    def let_go(self):
        """The hook returns: its delta is squashed, and what comes after."""
        self.held.clear()
        delta, builder = self.sleeping.pop()
        if builder is self.replica.builder:
            self.run(self.replica.squash(delta, self.now))
        self._go_on()

    # What can be seen

    @property
    def subscription(self):
        """The last subscribe request."""
        return next(e.request for e in reversed(self.log) if isinstance(e, fx.Send))

    def kinds(self):
        return [type(effect) for effect in self.log]

    def of(self, kind):
        return [effect for effect in self.log if isinstance(effect, kind)]

    def source(self, cell_id="a"):
        return self.replica.builder.cell(cell_id).source

    @property
    def in_step(self):
        mine, theirs = self.replica.builder, self.server.builder
        return (
            self.replica.is_live
            and mine.last_applied_delta_id == self.server.head
            and [(c.id, c.source) for c in mine.cells] == [(c.id, c.source) for c in theirs.cells]
        )
