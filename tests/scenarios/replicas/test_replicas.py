"""Several clients and the room, over a network that drops, loses, delays and repeats."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rtu_magics.document import NotebookBuilder, make_patch
from rtu_magics.errors import ClientClosed, DeltaRejected
from rtu_magics.models import (
    CellContentsReplace,
    CellContentsUpdate,
    CellMetadataReplace,
    CellMetadataUpdate,
    CodeCell,
    FileDeltaBase,
    NBCellsAdd,
    NBCellsDelete,
    NBCellsMove,
    NBMetadataUpdate,
    Notebook,
)

from .world import World

SETTLE = 40.0  # seconds for all clients to come to rest once the network is whole
who = st.integers(0, 3)
where = st.integers(0, 30)
ends = st.sampled_from(["client", "server"])


class Replicas(RuleBasedStateMachine):
    """Edits by several clients in all kinds of trouble; everybody has the same in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory(prefix="rtu-replicas-")
        self.world: World
        self.edits: dict[asyncio.Task[Any], FileDeltaBase] = {}
        self.left: set[UUID] = set()
        self.count = 0

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    @initialize(clients=st.integers(1, 3))
    def start(self, clients: int) -> None:
        async def begin() -> None:
            cells = [CodeCell(id=name, source=f"{name} = 1\n{name}\n") for name in "abc"]
            self.world = World(Path(self.directory.name), Notebook(cells=cells))
            await self.world.open()
            for _ in range(clients):
                await self.world.join()

        self.run(begin())

    # What people do

    @rule(who=who, kind=st.integers(0, 8), one=where, other=where)
    def edit(self, who: int, kind: int, one: int, other: int) -> None:
        async def submit() -> None:
            client = self.client(who)
            delta = self.any_edit(client, kind, one, other)
            self.edits[asyncio.create_task(client.new_delta_request(delta))] = delta

        self.run(submit())

    @rule(who=who, one=where, times=st.integers(2, 12))
    def type_fast(self, who: int, one: int, times: int) -> None:
        for number in range(times):
            self.edit(who, 0, one, number)

    @precondition(lambda self: len(self.world.clients) < 4)
    @rule()
    def join(self) -> None:
        self.run(self.world.join())

    @precondition(lambda self: len(self.world.clients) > 1)
    @rule(who=who)
    def leave(self, who: int) -> None:
        async def go() -> None:
            client = self.client(who)
            self.world.clients.remove(client)
            await client.shutdown(now=True)

        self.run(go())

    @rule()
    def save_a_version(self) -> None:
        async def save() -> None:
            room = await self.world.room()
            await room.save_version("a version", self.world.service.people.owner)

        self.run(save())

    # What the network does

    @rule(steps=st.integers(1, 40))
    def turn(self, steps: int) -> None:
        async def turn() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        self.run(turn())

    @rule(ms=st.integers(1, 60))
    def wait(self, ms: int) -> None:
        self.run(asyncio.sleep(ms / 1000))

    @rule(who=who, pending=st.booleans())
    def drop(self, who: int, pending: bool) -> None:
        pair = self.world.ends(self.client(who))
        if pair is not None:
            pair[0].drop(lose_pending=pending)

    @rule(who=who, end=ends, times=st.integers(1, 5))
    def repeat(self, who: int, end: str, times: int) -> None:
        pair = self.world.ends(self.client(who))
        if pair is not None:
            pair[end == "server"].duplicate += times

    @rule(who=who, times=st.integers(1, 3))
    def lose_what_the_server_says(self, who: int, times: int) -> None:
        pair = self.world.ends(self.client(who))
        if pair is not None:
            pair[1].lose += times

    @rule(who=who, end=ends)
    def hold(self, who: int, end: str) -> None:
        pair = self.world.ends(self.client(who))
        if pair is not None:
            pair[end == "server"].hold()

    @rule(who=who)
    def release(self, who: int) -> None:
        for end in self.world.ends(self.client(who)) or ():
            end.release()

    @rule()
    def restart_the_server(self) -> None:
        self.run(self.world.restart())

    # At the end

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.run(asyncio.wait_for(self.settle_and_compare(), SETTLE))
        finally:
            if hasattr(self, "world"):
                self.run(self.world.aclose())
            self.loop.close()
            self.directory.cleanup()

    async def settle_and_compare(self) -> None:
        world = self.world
        world.heal()
        if self.edits:
            await asyncio.wait(self.edits)
        await world.join()
        room = await world.room()
        while not all(
            c.is_live and c.builder.last_applied_delta_id == room.chain.head for c in world.clients
        ):
            assert not world.errors
            await asyncio.sleep(0.001)
        assert not world.errors

        right = room.chain.builder.dumps()
        for number, client in enumerate(world.clients):
            assert client.builder.dumps() == right, f"client {number} differs"
            assert len(client.unapplied_deltas) == 0
            assert len(client.in_flight) == 0
        chain = world.chain()
        replayed = NotebookBuilder(world.seed)
        for delta in chain:
            replayed.apply_delta(delta)
        assert replayed.dumps() == right, "the stored chain differs"
        self.compare_answers(Counter(delta.id for delta in chain))

    def compare_answers(self, stored: Counter[UUID]) -> None:
        assert not stored or max(stored.values()) == 1, "doubled"
        for task, delta in self.edits.items():
            error = task.exception()
            if error is None:
                assert delta.id in stored, "lost"
                assert task.result().id == delta.id
                event("acknowledged")
            elif isinstance(error, DeltaRejected):
                assert delta.id not in stored, "refused but kept"
                event("refused")
            else:
                assert isinstance(error, ClientClosed), error  # of somebody who left

    # Choices

    def client(self, who: int) -> Any:
        return self.world.clients[who % len(self.world.clients)]

    def any_edit(self, client: Any, kind: int, one: int, other: int) -> FileDeltaBase:
        self.count += 1
        ids = client.cell_ids or ["gone"]
        cell, neighbour = ids[one % len(ids)], ids[other % len(ids)]
        file_id, new = client.file_id, f"n{self.count}"
        if kind <= 1 and cell in client.builder:
            text = client.builder.cell(cell).source
            at = other % (len(text) + 1)
            patch = make_patch(text, f"{text[:at]}<{self.count}é🎉>{text[at:]}")
            return CellContentsUpdate(
                file_id=file_id, resource_id=cell, properties={"patch": patch}
            )
        if kind == 2:
            content = CodeCell(id=new, source=f"{new}\n")
            after = cell if other % 4 else None
            return NBCellsAdd(
                file_id=file_id, properties={"id": new, "cell": content, "after_id": after}
            )
        if kind == 3:
            return NBCellsDelete(file_id=file_id, properties={"id": cell})
        if kind == 4:
            return NBCellsMove(file_id=file_id, properties={"id": cell, "after_id": neighbour})
        if kind == 5:
            update = {"path": ["k", new], "value": self.count}
            return CellMetadataUpdate(file_id=file_id, resource_id=cell, properties=update)
        if kind == 6:
            change = {"type": ["code", "markdown"][other % 2], "language": "python"}
            return CellMetadataReplace(file_id=file_id, resource_id=cell, properties=change)
        if kind == 7:
            return NBMetadataUpdate(file_id=file_id, properties={"path": [new], "value": 1})
        return CellContentsReplace(
            file_id=file_id, resource_id=cell, properties={"source": f"{self.count}\n"}
        )


TestReplicas = Replicas.TestCase
TestReplicas.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
