"""The server of the directory dies under a session."""

import os
import signal
import time

import pytest

from rtu_magics.session import sessions

from .shells import Shell

pytestmark = [pytest.mark.server]


def _kill_server() -> None:
    (session,) = sessions
    assert session.lease is not None
    os.kill(session.lease.server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not session.server_ended:
        assert time.monotonic() < deadline, "nobody sees that the server has gone"
        time.sleep(0.02)


def test_it_is_said_and_connecting_starts_another(shell: Shell) -> None:
    shell.ok("%rtu_connect lesson.ipynb --new -s class")
    shell.ok("%%rtu_add\nprint(6 * 7)")
    _kill_server()
    ended = (
        "ConnectionLost: the server of lesson.ipynb has ended; %rtu_connect lesson.ipynb starts "
        "one anew (what it had acknowledged is kept)"
    )
    assert shell.line("%rtu_exec 1") == ended
    assert shell.line("%%rtu_edit 1\nprint('while it was away')") == ended
    said = shell.ok("%rtu_connect lesson.ipynb --new")
    assert said.startswith("the server of lesson.ipynb has ended\nstarting a server for ")
    assert "\nconnected to lesson.ipynb as 'class': 1 cell, kernel starts" in said
    assert len(sessions) == 1
    assert shell.ok("%rtu_exec 1").endswith("42\n")


def test_a_run_that_it_takes_along_ends_here(shell: Shell) -> None:
    shell.ok("%rtu_connect lesson.ipynb --new")
    (session,) = sessions
    assert session.lease is not None
    kill = f"import os, time\nos.kill({session.lease.server.pid}, 9)\ntime.sleep(60)"
    assert "ConnectionLost: the server of lesson.ipynb has ended" in shell.line(
        f"%%rtu_exec\n{kill}"
    )
