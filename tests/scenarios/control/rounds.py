"""Interrupt, restart and kill the kernel at random moments of random runs, again and again.

``python -m tests.scenarios.control.rounds --rounds 200 --seed 1`` prints what was done and what
became of it. After each round every cell of every run has to have ended, as the event log says it
must, and the kernel has to run cells again.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil

if not __package__:  # started by path
    sys.path[0] = str(Path(__file__).resolve().parents[3])

from tests.helpers.rtu import NotebookClient, call, follow, get, open_notebook
from tests.helpers.server import RunningServer, child_pids, running_server
from tests.scenarios.control.oracle import FAILED, OK, Oracle

_EXCUSES = ("the kernel died", "the kernel keeps dying")
SETTLE = 30.0  # seconds that all runs have to end in
_RELAUNCH = 4.0  # seconds without a kernel after which one is started again

CELLS: dict[str, tuple[str, str | None]] = {
    "quick": ("print('quick')", "quick\n"),
    "asks": ("name = input('? ')\nprint('hi', name)", "hi there\n"),
    "loop": (
        "import time\nfor n in range(20):\n    print(n, flush=True)\n    time.sleep(0.015)",
        "".join(f"{n}\n" for n in range(20)),
    ),
    "sleeps": ("import time\ntime.sleep(0.3)\nprint('slept')", "slept\n"),
    "stubborn": (
        "import time\nend = time.time() + 0.4\nwhile time.time() < end:\n    try:\n"
        "        time.sleep(0.02)\n    except KeyboardInterrupt:\n        pass\nprint('done')",
        "done\n",
    ),
    "result": ("6 * 7", ""),
    "fails": ("print('a')\nraise ValueError('v')", "a\n"),
}
ACTIONS = ("interrupt", "restart", "kill")
WEIGHTS = (5, 3, 2)


@dataclass
class Report:
    """The figures of all rounds."""

    seed: int
    rounds: int = 0
    actions: collections.Counter[str] = field(default_factory=collections.Counter)
    cells: collections.Counter[str] = field(default_factory=collections.Counter)
    runs: int = 0
    answered: int = 0
    settled: list[float] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        settled = sorted(self.settled) or [0.0]
        lines = [
            f"seed {self.seed}: {self.rounds} rounds in {self.seconds:.0f} s",
            "did: " + ", ".join(f"{n} {name}s" for name, n in sorted(self.actions.items())),
            f"runs: {self.runs}; questions answered: {self.answered}",
            "cells: " + ", ".join(f"{n} {how}" for how, n in self.cells.most_common()),
            f"all over after: median {statistics.median(settled):.2f} s, "
            f"longest {settled[-1]:.2f} s",
            f"findings: {len(self.findings)}",
            *self.findings[:20],
        ]
        return "\n".join(lines)


class World:
    """A server, a notebook, a client that starts runs, and one that only looks."""

    def __init__(
        self, server: RunningServer, client: NotebookClient, watcher: NotebookClient, seed: int
    ) -> None:
        self.server = server
        self.client = client
        self.watcher = watcher
        self.random = random.Random(seed)
        self.report = Report(seed)
        self.oracle = Oracle({cell_id: text for cell_id, (_, text) in CELLS.items()})
        self._news = asyncio.Event()
        self._watched: list[dict[str, Any]] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._number = 0

    async def listen(self) -> None:
        """Feed the oracle for ever."""
        while True:
            message = await self.client.next(3600)
            self.oracle.feed(message)
            if message["event"] == "input_request_event" and self.random.random() < 0.7:
                task = asyncio.create_task(self._answer(message["data"]["request_id"]))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            self._news.set()

    async def watch(self) -> None:
        """Note what somebody sees who started nothing."""
        while True:
            message = await self.watcher.next(3600)
            if message["event"] == "bulk_cell_state_update_event":
                self._watched = message["data"]["cell_states"]

    async def _answer(self, request_id: str) -> None:
        await asyncio.sleep(self.random.uniform(0, 0.2))
        data = {"request_id": request_id, "value": "there"}
        await self.client.send(self.client.files, "input_reply_request", data)
        self.report.answered += 1

    async def until(self, done: Any, seconds: float) -> bool:
        """Wait for something to be so; returns whether it is."""
        deadline = time.monotonic() + seconds
        while not done():
            self._news.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
        return True

    # What happens

    async def start_kernel(self) -> None:
        body = {"file_id": self.client.file_id, "kernel_config": {"kernel_name": "python3"}}
        response = await call(self.server, "POST", "/v1/sessions", body)
        assert response.status_code == 201, response.text

    async def session_id(self) -> str | None:
        session = await get(self.server, f"/v1/files/{self.client.file_id}/session")
        return session["session_id"] if session else None

    async def start_runs(self) -> list[str]:
        run_ids = []
        for _ in range(self.random.choice((1, 1, 2, 3))):
            action = self.random.choice(
                ("execute",) * 4 + ("execute_all", "execute_before", "execute_after")
            )
            cell_id = self.random.choice(list(CELLS))
            delta = self.client.delta(
                "cell_execute", action, None, None if action == "execute_all" else cell_id
            )
            if self.random.random() < 0.7:
                data = {"execution_id": delta["id"]}
                await self.client.send(self.client.files, "attach_request", data)
            await self.client.submit(delta)
            run_ids.append(delta["id"])
        return run_ids

    async def disturb(self) -> None:
        action = self.random.choices(ACTIONS, WEIGHTS)[0]
        self.report.actions[action] += 1
        if action == "kill":
            for pid in child_pids(self.server.pid):
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if "ipykernel" in " ".join(psutil.Process(pid).cmdline()):
                        os.kill(pid, signal.SIGKILL)
            return
        session_id = await self.session_id()
        if session_id is not None:
            await call(self.server, "POST", f"/v1/sessions/{session_id}/{action}")

    async def round(self) -> None:
        """Start something, disturb it, and see that it comes to its end."""
        self._number += 1
        before = len(self.oracle.findings)
        await self.start_kernel()
        if self.random.random() < 0.8:  # the others begin while the kernel still starts
            await self.until(lambda: self.oracle.kernel_state == "idle", 10)
        run_ids = await self.start_runs()
        await asyncio.sleep(self.random.uniform(0, 0.8))
        await self.disturb()
        if self.random.random() < 0.2:
            await asyncio.sleep(self.random.uniform(0, 0.3))
            await self.disturb()
        began = time.monotonic()
        await self.settle(run_ids)
        self.report.settled.append(time.monotonic() - began)
        for finding in self.oracle.findings[before:]:
            self.report.findings.append(f"round {self._number}: {finding}")
        for run_id in run_ids:
            self.report.runs += 1
            for cell in self.oracle.runs.get(run_id, {}).values():
                self.report.cells[_how(cell)] += 1

    async def settle(self, run_ids: list[str]) -> None:
        """Wait until the runs are over; an unanswered question is interrupted, as a person does."""
        oracle, deadline = self.oracle, time.monotonic() + SETTLE
        quiet_since = time.monotonic()
        while not await self.until(lambda: oracle.over(run_ids), 1.0):
            now = time.monotonic()
            if now > deadline:
                states = {
                    r: {c.cell_id: c.state for c in cs.values()}
                    for r, cs in oracle.runs.items()
                    if r in run_ids
                }
                oracle.wrong(
                    f"not over after {SETTLE:.0f} s, kernel {oracle.kernel_state}: {states}"
                )
                return
            waits = any(s.get("waiting_for_input") for s in oracle.latest.values())
            session_id = await self.session_id()
            if waits and session_id is not None and not self._answering:
                await call(self.server, "POST", f"/v1/sessions/{session_id}/interrupt")
            if session_id is not None:
                quiet_since = now
            elif now - quiet_since > _RELAUNCH / 2:
                await self.start_kernel()

    async def probe(self) -> None:
        """See that cells run again, and that everybody has the same idea of how it ended."""
        oracle = self.oracle
        for tries in range(3):
            await self.start_kernel()
            delta = self.client.delta("cell_execute", "execute", None, "result")
            await self.client.submit(delta)
            if not await self.until(lambda run_id=delta["id"]: oracle.over([run_id]), SETTLE):
                oracle.wrong("the probe did not end")
                return
            cell = oracle.runs[delta["id"]]["result"]
            # A kernel that was killed a moment ago is found dead only now, and after several deaths
            # within a short time Jupyter does not start it again by itself.
            excused = any(why in str(cell.cause) for why in _EXCUSES)
            if cell.state == OK or tries == 2 or not excused:
                break
        if cell.state != OK:
            oracle.wrong(f"the probe failed: {cell.cause}")
        for cell_id in CELLS:
            implied, shown = oracle.final(cell_id), oracle.latest.get(cell_id)
            if implied is not None and (
                shown is None or (shown["execution_id"], shown["state"]) != implied
            ):
                oracle.wrong(f"{cell_id} is shown as {shown}, the log implies {implied}")
        oracle.check_runs(await get(self.server, f"/v1/files/{self.client.file_id}/runs"))
        async with follow(self.server, self.client.file_id) as fresh:
            bulk = await fresh.wait_for("bulk_cell_state_update_event")
            if _by_cell(bulk["data"]["cell_states"]) != oracle.latest:
                oracle.wrong("a fresh client is told other states")
        await asyncio.sleep(0.05)
        if _by_cell(self._watched) != oracle.latest:
            oracle.wrong("the one who looks was told other states")

    async def check_outputs(self) -> None:
        """Compare the stored outputs, and those on disk, with those that were sent."""
        oracle = self.oracle
        for cells in list(oracle.runs.values())[-40:]:
            for cell in cells.values():
                if cell.collection_id is None:
                    continue
                stored = await get(self.server, f"/outputs/collection/{cell.collection_id}")
                if _text(stored["outputs"]) != cell.text:
                    oracle.wrong(f"{cell.cell_id} has stored {_text(stored['outputs'])!r}")
        await call(self.server, "POST", f"/v1/files/{self.client.file_id}/save")
        notebook = nbformat.read(self.server.root / "control.ipynb", as_version=4)
        for cell in notebook.cells:
            last = [cells[cell.id] for cells in oracle.runs.values() if cell.id in cells]
            last = [one for one in last if one.collection_id is not None]
            text = "".join(o.text for o in cell.outputs if o.output_type == "stream")
            if last and text != last[-1].text:
                oracle.wrong(f"{cell.id} has on disk {text!r}, not {last[-1].text!r}")


def _how(cell: Any) -> str:
    if cell.state == OK:
        return "ok"
    if cell.state != FAILED:
        return "never ended"
    return f"failed ({cell.errors[-1]})" if cell.executed and cell.errors else "not run"


def _by_cell(states: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {state["cell_id"]: state for state in states}


def _text(outputs: list[dict[str, Any]]) -> str:
    return "".join(o["content"]["raw"] for o in outputs if o["type"] == "stream")


def write_notebook(path: Path) -> None:
    cells = [
        {
            "cell_type": "code",
            "id": cell_id,
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for cell_id, (source, _) in CELLS.items()
    ]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))


@contextlib.asynccontextmanager
async def world(root: Path, seed: int) -> AsyncIterator[World]:
    write_notebook(root / "control.ipynb")
    with running_server(root) as server:
        file_id = await open_notebook(server, "control.ipynb")
        async with follow(server, file_id) as client, follow(server, file_id) as watcher:
            found = World(server, client, watcher, seed)
            tasks = [asyncio.create_task(found.listen()), asyncio.create_task(found.watch())]
            try:
                yield found
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def run(root: Path, rounds: int, seed: int, *, say: Any = lambda text: None) -> Report:
    """Run the rounds and return the figures."""
    began = time.monotonic()
    async with world(root, seed) as found:
        report, told = found.report, 0
        for number in range(1, rounds + 1):
            await found.round()
            report.rounds = number
            if number % 10 == 0 or number == rounds:
                before = len(found.oracle.findings)
                await found.probe()
                report.findings += [f"after {number}: {f}" for f in found.oracle.findings[before:]]
                say(f"{number} rounds, {len(report.findings)} findings")
                for finding in report.findings[told:]:
                    say(f"  {finding}")
                told = len(report.findings)
            if number % 40 == 0 or number == rounds:
                before = len(found.oracle.findings)
                await found.check_outputs()
                report.findings += [f"after {number}: {f}" for f in found.oracle.findings[before:]]
        report.seconds = time.monotonic() - began
        return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        report = asyncio.run(
            run(
                Path(root),
                arguments.rounds,
                arguments.seed,
                say=lambda text: print(text, flush=True),
            )
        )
    print(report)
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
