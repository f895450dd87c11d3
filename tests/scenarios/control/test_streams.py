"""A long stream arrives whole, in order and while it is made; a server may restart under it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ...helpers.server import free_port, start_server
from ..ipython.kernels import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.server]

LINES = 100_000


def test_many_lines(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect lines.ipynb --new")
    kernel.ok("%rtu_kernel start")
    whole = "".join(f"line {n}\n" for n in range(LINES))
    assert kernel.ok(f"%%rtu_exec\nfor n in range({LINES}):\n    print('line', n)").text == whole
    collected = kernel.ok(f"%%rtu_exec -o r\nfor m in range({LINES}):\n    print('line', m)")
    assert collected.text == ""
    kernel.ok(
        f"assert r.text == ''.join(f'line {{n}}\\n' for n in range({LINES})), len(r.text)",
        timeout=60,
    )


def test_the_first_line_comes_before_the_last_is_printed(kernel: Kernel, work: Path) -> None:
    kernel.ok("%rtu_connect lines.ipynb --new")
    kernel.ok("%rtu_kernel start")
    # The remote loop prints its last line only after the first has been seen here.
    msg_id = kernel.start(
        "%%rtu_exec\nimport pathlib, time\nfor n in range(1000):\n"
        "    print('line', n, flush=True)\n    if n == 500:\n"
        "        while not pathlib.Path('seen').exists():\n            time.sleep(0.01)"
    )
    seen = ""
    while "line 0\n" not in seen:
        message = kernel.client.get_iopub_msg(timeout=20)
        if message["msg_type"] == "stream":
            seen += message["content"]["text"]
    (work / "seen").touch()
    rest = kernel.finish(msg_id)
    assert seen + rest.text == "".join(f"line {n}\n" for n in range(1000))


def test_a_server_that_restarts_under_a_run(kernel: Kernel, tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    port = free_port()
    server = start_server(root, port=port)
    try:
        (root / "x.ipynb").write_text(
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
        )
        kernel.ok(f"%rtu_connect {server.url.rstrip('/')}/lab/tree/x.ipynb?token={server.token}")
        kernel.ok("%rtu_kernel start")
        msg_id = kernel.start("%%rtu_exec\nimport time\nprint('begun', flush=True)\ntime.sleep(30)")
        time.sleep(1.5)
        server.kill()
        server = start_server(root, port=port, token=server.token)
        run = kernel.finish(msg_id, timeout=40)
        assert "begun\n" in run.text
        assert "the connection is lost, reconnecting" in run.text
        assert "did not run to its end: the server restarted before the cell had finished" in (
            run.error_line
        )
        assert "failed" in kernel.ok("%rtu_cells").text
        assert "failed" in kernel.ok("%rtu_runs").text
        assert kernel.ok("%%rtu_exec\nprint('again')", timeout=60).text.endswith("again\n")
    finally:
        server.stop()
