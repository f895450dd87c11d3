"""Our extension in somebody else's Jupyter Server that may open no more files."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ...helpers.rtu import call, follow, open_notebook
from ..collaboration.conftest import place, start_lab  # noqa: F401  fixtures
from .test_disk import eventually, load, sources

ROOMS = 4

pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="prlimit")]


async def test_a_shortage_fills_no_log_and_loses_nothing(
    start_lab: Any,  # noqa: F811
    place: Path,  # noqa: F811
    write_notebook: Any,
) -> None:
    lab = start_lab(rtu=True, python=sys.executable, extensions=())
    paths = [write_notebook(place / f"n{n}.ipynb", "x = 1") for n in range(ROOMS)]
    ids = [await open_notebook(lab, path.name) for path in paths]
    pid = lab.process.pid
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(follow(lab, one)) for one in ids]
        before = len(lab.log.read_text().splitlines())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), old[1]))
        try:
            for n in range(6):
                for client in clients:
                    await client.add(f"m{n}", f"m = {n}")
                await asyncio.sleep(1)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
        wanted = {"x = 1", *(f"m = {n}" for n in range(6))}
        for path in paths:
            await eventually(lambda path=path: set(sources(load(path))) == wanted, 60)
    lines = lab.log.read_text().splitlines()[before:]
    assert len(lines) < 40, lines
    assert len([line for line in lines if line.startswith("Traceback")]) <= 2, lines
    assert (await call(lab, "POST", f"/v1/files/{ids[0]}/save")).status_code == 200
