"""A server that may open no more files: one line in its log, and it goes on afterwards."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rtu_magics.server.process.shortage import ShortageFilter

from ...helpers.rtu import call, follow, open_notebook
from ...helpers.server import RunningServer, start_server
from .test_disk import eventually, load, sources

LIMIT = 90  # descriptors; the server's own, a notebook's and a few more


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))

    found = start_server(tmp_path, preexec_fn=few, fresh=True)
    try:
        yield found
    finally:
        found.stop()


@pytest.mark.server
@pytest.mark.skipif(sys.platform != "linux", reason="it counts descriptors in /proc")
async def test_too_many_connections_cost_one_line(
    server: RunningServer, write_notebook: Any
) -> None:
    path = write_notebook(server.root / "n.ipynb", "x = 1")
    file_id = await open_notebook(server, "n.ipynb")
    address = urlsplit(server.url)
    where = (address.hostname, address.port)
    many: list[socket.socket] = []
    try:
        async with follow(server, file_id) as client:
            many.extend(socket.create_connection(where, timeout=30) for _ in range(LIMIT))
            await eventually(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) >= LIMIT - 1)
            await eventually(lambda: "Too many open files" in server.log.read_text())
            await client.add("meanwhile", "m = 1")  # who is connected works on
            await asyncio.sleep(2)
            for one in many:
                one.close()
            await eventually(lambda: "m = 1" in sources(load(path)))
        response = await call(server, "POST", f"/v1/files/{file_id}/save")
        assert response.status_code == 200, response.text
    finally:
        for one in many:
            one.close()
    lines = server.log.read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line], lines
    assert len([line for line in lines if "nobody new gets in" in line]) == 1, lines
    assert len(lines) < 30, lines


def record(exc: BaseException | None) -> logging.LogRecord:
    info = None if exc is None else (type(exc), exc, None)
    return logging.LogRecord("x", logging.ERROR, "f", 1, "it failed: %s", ("a",), info)


def test_a_shortage_is_told_once_in_a_while_and_all_else_as_it_is() -> None:
    now = 0.0
    found = ShortageFilter(lambda: now)
    full = OSError(errno.EMFILE, "Too many open files")
    first = record(full)
    assert found.filter(first)
    assert first.exc_info is None
    assert first.getMessage().startswith("Too many open files: ")
    assert not found.filter(record(full))
    assert found.filter(record(OSError(errno.ENOMEM, "Cannot allocate memory")))
    for other in (None, ValueError("x"), OSError(errno.EIO, "Input/output error")):
        same = record(other)
        assert found.filter(same)
        assert same.getMessage() == "it failed: a"
    now = 61.0
    assert found.filter(record(full))
