"""Kill the server without warning, again and again, under a stream of edits from two clients.

``python -m tests.scenarios.durability.rounds --rounds 50`` prints a table: what was acknowledged,
what of it was lost or done twice, and whether all copies of the notebook are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if not __package__:  # started by path
    sys.path[0] = str(Path(__file__).resolve().parents[3])

from rtu_magics.client import APIClient, RTUClient
from rtu_magics.errors import InconsistentState
from rtu_magics.models import CodeCell, MarkdownCell, Notebook
from rtu_magics.protocol import Backoff
from tests.helpers.server import RunningServer, free_port, start_server
from tests.scenarios.durability.checks import (
    Findings,
    Ledger,
    chain_of_dead,
    chain_of_live,
    content,
)
from tests.scenarios.durability.editors import SHARED_JOURNAL, Editor
from tests.scenarios.durability.variants import BROKEN, SOUND, VARIANT_ENV

SETTLE = 60.0  # seconds that the clients have to come back and to finish
_RUNS_FOR = (0.05, 0.8)  # seconds from the first edit to the kill
_AGAIN = 0.2  # of the servers are killed a second time, while the clients come back
_AGAIN_AFTER = (0.0, 0.25)  # seconds from the first sign of life to that
_GOES_ON = 0.3  # seconds of editing after the last restart


@dataclass
class Round:
    """The figures of one round."""

    number: int
    kills: int = 0
    acknowledged: int = 0
    refused: int = 0
    in_flight: int = 0
    """Without an answer at the (first) kill."""
    stored: int = 0
    """Of those, stored nevertheless: the client has to find out, not to send them as new."""
    back_after: float = 0.0
    """Seconds from the server's (last) restart to both clients being live."""
    findings: Findings = field(default_factory=Findings)


@dataclass
class Report:
    """The figures of all rounds."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    deltas: int = 0
    reconnections: list[int] = field(default_factory=list)

    def total(self, name: str) -> Any:
        return sum(getattr(one, name) for one in self.rounds)


class Server:
    """A server that always comes back at the same place."""

    def __init__(self, root: Path, broken: str | None = None) -> None:
        self.root = root
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self._broken = broken
        self._starts = 0
        self._running: RunningServer | None = None

    @property
    def running(self) -> RunningServer:
        assert self._running is not None
        return self._running

    async def start(self) -> RunningServer:
        # Every second one leaves more time in which a kill finds edits stored and not acknowledged.
        self._starts += 1
        variant = self._broken or (None if self._starts % 2 else SOUND)
        module = "rtu_magics.server" if variant is None else "tests.scenarios.durability.variants"
        with _environment(VARIANT_ENV, variant):
            self._running = await asyncio.to_thread(
                start_server, self.root, token=self.token, port=self.port, module=module
            )
        return self._running

    async def kill_after(self, seconds: float) -> None:
        """Kill it from a thread, so that the clients don't pause for it."""
        process = self.running.process

        def kill() -> None:
            time.sleep(seconds)
            process.kill()
            process.wait(10)

        await asyncio.to_thread(kill)
        self.running.kill()  # cleans up what is left of it

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()


@contextlib.contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


def seed_notebook() -> Notebook:
    cells = [CodeCell(id=f"cell-{number}", source=f"x = {number}\n") for number in range(10)]
    journal = MarkdownCell(id=SHARED_JOURNAL, source="begin\nend\n")
    return Notebook(cells=[*cells, journal])


@contextlib.asynccontextmanager
async def _editors(api: APIClient, file_id: Any, seed: int) -> AsyncIterator[list[Editor]]:
    clients: list[RTUClient] = []
    try:
        for _ in range(2):
            client = await api.connect_realtime(file_id)
            # As ever, only less patient: a server is not dead for long here.
            client.manager.backoff = Backoff(first=0.05, cap=0.5)
            clients.append(client)
        yield [Editor(name, client, seed) for name, client in zip("ab", clients, strict=True)]
    finally:
        for client in clients:
            await client.shutdown(now=True)


async def run(
    root: Path, rounds: int, seed: int, broken: str | None = None, progress: bool = False
) -> Report:
    """Run the rounds; ends early with the first round that finds anything.

    With a server that is `broken` on purpose only the store is compared with the answers, at each
    kill: what such a server tells a fresh joiner proves nothing about the rule that it breaks.

    Raises
    ------
    TimeoutError
        The clients did not come back, or an edit never got an answer.
    """
    rng = random.Random(seed)
    report = Report(seed)
    server = Server(root, broken)
    notebook = seed_notebook()
    running = await server.start()
    try:
        async with APIClient(server.token, running.api_url) as api:
            info = await api.info()
            file = await api.create_notebook(info.project_id, "n.ipynb", notebook)
            async with _editors(api, file.id, seed) as editors:
                ledger = Ledger(notebook, editors)
                for number in range(1, rounds + 1):
                    one = Round(number)
                    report.rounds.append(one)
                    try:
                        await _round(one, server, editors, ledger, rng)
                        if not one.findings and broken is None:
                            one.findings.add(await _compare(api, file.id, root, editors, ledger))
                    except InconsistentState as exc:
                        one.findings.differences.append(str(exc))
                    report.findings.add(one.findings)
                    if progress:
                        print(_line(one), flush=True)
                    if one.findings:
                        break
                else:
                    if broken is None:
                        report.findings.add(await _compare_file(api, file.id, root))
                report.reconnections = [e.client.manager.reconnections for e in editors]
                report.deltas = len(chain_of_live(root)) if not report.findings else 0
    finally:
        server.stop()
    return report


async def _round(
    one: Round, server: Server, editors: list[Editor], ledger: Ledger, rng: random.Random
) -> None:
    before = [(len(e.acknowledged), len(e.refused)) for e in editors]
    stop = asyncio.Event()
    streams = [asyncio.create_task(editor.stream(stop)) for editor in editors]
    again = rng.random() < _AGAIN
    kills = [rng.uniform(*_RUNS_FOR), *([rng.uniform(*_AGAIN_AFTER)] if again else [])]
    try:
        for delay in kills:
            await server.kill_after(delay)
            one.kills += 1
            await asyncio.sleep(0.02)  # what the server had sent may still be on its way
            chain = chain_of_dead(server.root)
            if one.kills == 1:
                unanswered = {delta_id for editor in editors for delta_id in editor.open}
                one.in_flight = len(unanswered)
                one.stored = len(unanswered & {delta.id for delta in chain.deltas})
            # Here already: whatever happens later, nothing acknowledged may be missing.
            one.findings.add(ledger.check_chain(chain))
            if one.findings:
                return
            await server.start()
        restarted = time.perf_counter()
        async with _deadline(SETTLE):
            await asyncio.gather(*(editor.client.wait_ready() for editor in editors))
            one.back_after = time.perf_counter() - restarted
            await asyncio.sleep(_GOES_ON)
            stop.set()
            await asyncio.gather(*streams)
    finally:
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        for editor, (acknowledged, refused) in zip(editors, before, strict=True):
            one.acknowledged += len(editor.acknowledged) - acknowledged
            one.refused += len(editor.refused) - refused


@contextlib.asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, which Python 3.10 lacks."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = loop.call_later(seconds, expire)
    try:
        yield
    except asyncio.CancelledError:
        if expired:
            raise TimeoutError(f"not done within {seconds:g} s") from None
        raise
    finally:
        timer.cancel()


async def _compare(
    api: APIClient, file_id: Any, root: Path, editors: list[Editor], ledger: Ledger
) -> Findings:
    """Compare everybody's copy with a fresh joiner's and with the store."""
    joiner = await api.connect_realtime(file_id)
    try:
        fresh = joiner.builder
        async with _deadline(SETTLE):
            while any(
                e.client.builder.last_applied_delta_id != fresh.last_applied_delta_id
                for e in editors
            ):
                await asyncio.sleep(0.005)
        chain = chain_of_live(root)
        replayed, found = ledger.replay(chain)
        found.add(ledger.check_chain(chain))
        found.add(ledger.check_notebook("a fresh joiner", fresh))
        copies = [(f"client {e.name}", e.client.builder) for e in editors]
        found.add(ledger.compare(fresh, [*copies, ("the stored chain", replayed)]))
        return found
    finally:
        await joiner.shutdown()


async def _compare_file(api: APIClient, file_id: Any, root: Path) -> Findings:
    """Compare the file on disk with what a fresh joiner has."""
    await api.save_file(file_id)
    on_disk = json.loads((root / "n.ipynb").read_text("utf-8"))
    joiner = await api.connect_realtime(file_id)
    try:
        expected = content(joiner.builder)
    finally:
        await joiner.shutdown()
    found = Findings()
    for side in (expected, on_disk):
        for cell in side["cells"]:
            if isinstance(cell["source"], list):
                cell["source"] = "".join(cell["source"])
    held = [(cell["id"], cell["source"]) for cell in on_disk["cells"]]
    if held != [(cell["id"], cell["source"]) for cell in expected["cells"]]:
        found.differences.append("the file on disk differs from a fresh joiner")
    return found


def _line(one: Round) -> str:
    verdict = str(one.findings) if one.findings else "all copies the same"
    return (
        f"{one.number:5} {one.kills:5} {one.acknowledged:12} {one.refused:8} {one.in_flight:10} "
        f"{one.stored:7} {one.back_after:7.2f}  {len(one.findings.lost):4} "
        f"{len(one.findings.doubled):7}  {verdict}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the status is 0 if nothing was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenarios.durability.rounds", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--broken", choices=BROKEN, help="break the server on purpose")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}")
    print(
        f"{'round':>5} {'kills':>5} {'acknowledged':>12} {'refused':>8} {'in flight':>10} "
        f"{'stored':>7} {'back/s':>7}  {'lost':>4} {'doubled':>7}"
    )
    with tempfile.TemporaryDirectory(prefix="rtu-rounds-") as root:
        report = asyncio.run(
            run(Path(root), options.rounds, options.seed, options.broken, progress=True)
        )
    print(
        f"{len(report.rounds)} rounds, {report.total('kills')} kills: "
        f"{report.total('acknowledged')} edits acknowledged, {report.total('refused')} refused, "
        f"{report.total('in_flight')} in flight at a kill ({report.total('stored')} of them "
        f"stored), {report.deltas} deltas in the chain, reconnections {report.reconnections}; "
        f"{report.findings}"
    )
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
