"""A server that has the kernels of the table."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

import rtu_magics
from rtu_magics.models import SCRATCH_CELL
from rtu_magics.session import Execution, Session, sessions, stop_background
from rtu_magics.session.events import Event, InputRequested, OutputAppended, OutputContinued

from ...helpers.server import RunningServer, running_server
from .table import KERNELS, Language

INSTALLED = Path(
    os.environ.get("RTU_TEST_KERNELS") or Path(__file__).parents[3] / ".kernels"
).resolve()


@dataclass
class Ran:
    """What came of a run."""

    execution: Execution
    text: dict[str, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take an output of it."""
        if not isinstance(event, (OutputAppended, OutputContinued)):
            return
        output = event.output
        cell_id, shown = output.cell_id or SCRATCH_CELL, output.content
        if output.type != "error" and shown is not None:
            plain = (output.data or {}).get("text/html", shown.raw) or ""
            self.text[cell_id] = self.text.get(cell_id, "") + str(plain)

    @property
    def states(self) -> list[str]:
        """The states of its cells, in order."""
        return [self.execution.states[cell_id].state for cell_id in self.execution.targets]

    @property
    def reasons(self) -> list[str | None]:
        return [self.execution.states[cell_id].reason for cell_id in self.execution.targets]

    @property
    def causes(self) -> list[str | None]:
        return [self.execution.states[cell_id].cause for cell_id in self.execution.targets]

    @property
    def texts(self) -> list[str]:
        return [self.text.get(cell_id, "") for cell_id in self.execution.targets]


@dataclass
class Remote:
    """A notebook on one of the kernels."""

    session: Session
    server: RunningServer
    language: Language

    def start(self, *sources: str, asks: bool = False, background: bool = False) -> Execution:
        """Run new cells in one request."""
        ids = [self.session.add(source).id for source in sources]
        return self.session.start(after=ids[0], asks=asks, background=background)

    def follow(self, execution: Execution, answer: str | None = None) -> Ran:
        """Wait for a run's end."""
        ran = Ran(execution)
        for event in execution:
            ran.take(event)
            if isinstance(event, InputRequested) and answer is not None:
                assert execution.answer(event.request_id, answer)
        return ran

    def run(self, *sources: str, answer: str | None = None) -> Ran:
        return self.follow(self.start(*sources, asks=answer is not None), answer)

    def works(self) -> None:
        """Check that the kernel runs cells."""
        ran = self.run(self.language.prints)
        assert ran.states == ["finished_with_no_error"], ran.causes
        assert self.printed(ran, 0)
        ran.execution.raise_for_failure()

    def printed(self, ran: Ran, index: int) -> bool:
        """Whether a cell of a run has put out what the printing program does.

        Some put it out after they have said that they are idle, as Deno right after its start.
        """
        cell_id, wanted = ran.execution.targets[index], self.language.printed
        if wanted not in ran.texts[index]:
            ran.execution.on_late(ran.take)
        until = time.monotonic() + (1 if self.language.loses_output else 60)
        while wanted not in ran.text.get(cell_id, "") and time.monotonic() < until:
            time.sleep(0.05)
        return wanted in ran.text.get(cell_id, "") or self.language.loses_output

    def process(self) -> psutil.Process:
        """The kernel's process."""
        session_id = self.session.kernel_status().session_id
        kernel_id = self.session.call(self.session.kernel.kernel_id(session_id))
        for child in psutil.Process(self.server.pid).children():
            with contextlib.suppress(psutil.Error):
                if kernel_id in " ".join(child.cmdline()):
                    return child
        raise AssertionError("the kernel has no process")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(INSTALLED / "share" / "jupyter"))
        patch.delenv("RTU_TOKEN", raising=False)
        with running_server(tmp_path_factory.mktemp("kernels")) as found:
            yield found


@pytest.fixture(scope="module", params=KERNELS, ids=[one.name for one in KERNELS])
def remote(request: pytest.FixtureRequest, server: RunningServer) -> Iterator[Remote]:
    """A notebook on each kernel in turn."""
    language: Language = request.param
    spec = INSTALLED / "share" / "jupyter" / "kernels" / language.name / "kernel.json"
    if language.name != "python3" and not spec.exists():
        missing = f"no kernel {language.name}: run .ci/kernels" + (
            f", with {language.needs} installed" if language.needs else ""
        )
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    kernelspec = {"name": language.name, "display_name": language.name}
    empty = {
        "cells": [],
        "metadata": {"kernelspec": kernelspec},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (server.root / f"{language.name}.ipynb").write_text(json.dumps(empty))
    with rtu_magics.connect(
        f"{server.url}lab/tree/{language.name}.ipynb", token=server.token, say=lambda _: None
    ) as session:
        found = Remote(session, server, language)
        if language.before is not None:
            found.run(language.before)
        yield found
        session.kernel_stop()
    if not list(sessions):
        stop_background()
