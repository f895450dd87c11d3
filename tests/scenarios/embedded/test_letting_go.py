"""A directory whose server is about to end: its address is gone, its lock is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu_magics.embedded import find_or_start
from rtu_magics.embedded import start as starting
from rtu_magics.errors import EmbeddedServerError

pytestmark = pytest.mark.server

HOLD = """
import sys
from pathlib import Path
from rtu_magics.server.process.directory_lock import DirectoryLock
Path(sys.argv[1]).parent.mkdir(mode=0o700)
DirectoryLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the directory, as a server has it that ends."""
    lock = tmp_path / ".rtu_magics" / "rtu.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    if process.stdin is not None:
        process.stdin.close()
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


def test_the_next_server_starts_once_it_is_free(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdin is not None
    letting_go = threading.Timer(2, holder.stdin.close)
    letting_go.start()
    try:
        server = find_or_start(tmp_path)
    finally:
        letting_go.join()
    assert server.started
    os.kill(server.pid, signal.SIGTERM)
    while not server.ended:
        time.sleep(0.05)


def test_one_that_stays_is_named(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "FREE_TIMEOUT", 0.5)
    with pytest.raises(EmbeddedServerError) as caught:
        find_or_start(tmp_path)
    assert type(caught.value) is EmbeddedServerError
    assert "already serves" in str(caught.value)
