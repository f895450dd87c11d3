"""A process of its own that pings a server over its websocket and says how long each took.

Run as a program, it takes its token from the environment; each line that it reads is answered with
the times in ms between a ping and its answer since the line before, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

from websockets.sync.client import ClientConnection, connect

from .server import RunningServer

_EVERY = 0.005  # seconds
_TOKEN = "RTU_PINGS_TOKEN"


class Pings:
    """The process that pings."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def longest(self) -> float:
        """Return the longest ping in ms since the last call; the one under way is waited for."""
        return max(self.all())

    def all(self) -> list[float]:
        """Return what each ping since the last call took, in ms."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: list[float] = json.loads(self._process.stdout.readline())
        return found


@contextlib.contextmanager
def pinged(server: RunningServer) -> Iterator[Pings]:
    """Ping a server for the length of a block."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__, server.rtu_url],
        env={**os.environ, _TOKEN: server.token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            pings = Pings(process)
            pings.longest()
            yield pings
        finally:
            process.terminate()


def _round_trip(socket: ClientConnection, event: str, data: object) -> float:
    transaction_id = str(uuid4())
    request = {
        "transaction_id": transaction_id,
        "channel": "system",
        "event": event,
        "data": data,
    }
    start = time.perf_counter()
    socket.send(json.dumps(request))
    while json.loads(socket.recv())["transaction_id"] != transaction_id:
        pass
    return (time.perf_counter() - start) * 1000


def _main(url: str) -> None:
    asked = threading.Semaphore(0)

    def listen() -> None:
        for _ in sys.stdin:
            asked.release()

    threading.Thread(target=listen, daemon=True).start()
    with connect(url, max_size=None, proxy=None) as socket:
        who = {"token": os.environ[_TOKEN], "rtu_client_type": "pings"}
        _round_trip(socket, "authenticate_request", who)
        took: list[float] = []
        while True:
            took.append(_round_trip(socket, "ping_request", {}))
            if asked.acquire(timeout=_EVERY):
                print(json.dumps(took), flush=True)
                took = []


if __name__ == "__main__":
    _main(sys.argv[1])
