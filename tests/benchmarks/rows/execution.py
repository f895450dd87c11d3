"""`%rtu_exec` of ``1+1`` through the whole way, against a client on the same machine's kernel."""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel

from ..harness import Bench, Row, undisturbed, within
from ..live import time_each


def rows(bench: Bench) -> Iterator[Row]:
    with _local_kernel() as local, _remote_cell() as remote:
        for call in (local, remote):
            time_each(call, 10)
        ours: list[float] = []
        floor: list[float] = []
        with undisturbed():
            for _ in range(bench.repeat(9)):  # in turns, so that both see the same machine
                floor += time_each(local, 20)
                ours += time_each(remote, 20)
    yield Row(
        "%rtu_exec of 1+1",
        "execute_interactive",
        statistics.median(floor) / 1000,
        statistics.median(ours) / 1000,
        within(1.2),
        unit="ms",
    )


@contextlib.contextmanager
def _local_kernel() -> Iterator[Callable[[], Any]]:
    manager, client = start_new_kernel(kernel_name="python3")
    shown: list[Any] = []

    def execute() -> None:
        client.execute_interactive("1+1", output_hook=shown.append, timeout=30)

    try:
        yield execute
        assert any(message["msg_type"] == "execute_result" for message in shown)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def _remote_cell() -> Iterator[Callable[[], Any]]:
    shell = InteractiveShell.instance()
    with tempfile.TemporaryDirectory(prefix="rtu-bench-") as root:
        shown = io.StringIO()

        def magic(line: str, cell: str | None = None) -> None:
            name, _, rest = line.partition(" ")
            with contextlib.redirect_stdout(shown):
                if cell is None:
                    shell.run_line_magic(name, rest)
                else:
                    shell.run_cell_magic(name, rest, cell)

        magic("load_ext rtu_magics")
        magic(f"rtu_connect {Path(root) / 'n.ipynb'} --new")
        try:
            magic("rtu_exec", "1+1")
            yield lambda: magic("rtu_exec -1")
            assert "2" in shown.getvalue(), shown.getvalue()
        finally:
            magic("rtu_disconnect --all")
