"""Variables that are gone without anybody having asked for it: who runs next is told, once."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rtu_magics
from rtu_magics.errors import KernelDied
from rtu_magics.session import Session
from rtu_magics.session.events import Event, KernelChanged

from ...helpers.server import RunningServer, child_pids, start_server
from ..server.conftest import write_notebook

__all__ = ["write_notebook"]

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(240)]

ENDED = "the kernel has ended with its server; its variables are gone"


def join(server: RunningServer, name: str = "teacher") -> Session:
    url = f"{server.url}tree/a.ipynb"
    return rtu_magics.connect(url, token=server.token, name=name, say=lambda line: None)


def said_by(session: Session, work: Callable[[], object]) -> list[str]:
    said: list[str] = []
    before, session.say = session.say, said.append  # type: ignore[method-assign]
    work()
    session.say = before  # type: ignore[method-assign]
    return [line for line in said if "variables are gone" in line]


@pytest.fixture
def server(tmp_path, write_notebook) -> Iterator[RunningServer]:
    write_notebook(tmp_path / "a.ipynb", "x = 1", "import os\nprint(os.getpid())")
    running = start_server(tmp_path)
    try:
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_who_comes_after_the_server_has_ended(tmp_path: Path, write_notebook, sign) -> None:
    write_notebook(tmp_path / "a.ipynb", "x = 1")
    server = start_server(tmp_path)
    try:
        with join(server) as session:
            session.run("c1")
    finally:
        kernels = child_pids(server.pid)
        os.kill(server.pid, sign)
        server.process.wait(60)
        for pid in kernels:  # of a server that could not end them
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.stop()
    server = start_server(tmp_path)
    try:
        with join(server) as session:
            assert session.kernel_culled
            assert said_by(session, lambda: session.run("c1")) == [ENDED]
            assert said_by(session, lambda: session.run("c1")) == []
        with join(server) as session:
            session.kernel_stop()
    finally:
        server.stop()
    server = start_server(tmp_path)
    try:
        with join(server) as session:
            assert not session.kernel_culled
            assert said_by(session, lambda: session.run("c1")) == []
    finally:
        server.stop()


def die(server: RunningServer, *sessions: Session) -> None:
    """Let the kernel die, and wait until everybody has seen that it is there again."""
    seen: dict[Session, list[str]] = {session: [] for session in sessions}

    def note(session: Session, event: Event) -> None:
        if isinstance(event, KernelChanged):
            seen[session].append(event.status.kernel.execution_state)

    ends = [one.hub.subscribe(functools.partial(note, one)) for one in sessions]
    [pid] = child_pids(server.pid)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not all("restarting" in states and states[-1] == "idle" for states in seen.values()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    for end in ends:
        end()


def test_who_runs_after_a_death_that_nobody_saw(server: RunningServer) -> None:
    with join(server) as first, join(server, "second") as second:
        first.run("c1")
        die(server, first, second)
        for session in (first, second):
            [line] = said_by(session, lambda session=session: session.run("c1"))
            assert line.startswith("the kernel died (SIGKILL"), line
            assert said_by(session, lambda session=session: session.run("c1")) == []
        first.kernel_restart()
        assert said_by(first, lambda: first.run("c1")) == []


def test_who_saw_the_death_is_told_no_second_time(server: RunningServer) -> None:
    with join(server) as mine, join(server, "other") as other:
        mine.edit("c1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
        with pytest.raises(KernelDied, match="its variables are gone"):
            mine.run("c1")
        mine.edit("c1", "x = 1")
        assert said_by(mine, lambda: mine.run("c1")) == []
        [line] = said_by(other, lambda: other.run("c1"))
        assert "SIGKILL" in line
