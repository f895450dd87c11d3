"""What a kernel takes."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from rtu_magics.server.upkeep.usage import Usage, measure

from ...helpers.rtu import follow, open_notebook, post


def test_a_process_with_its_children():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        usage = Usage(process.pid)
        for _ in range(600):
            found = measure(usage)
            assert found is not None
            if found["kernel_processes"] == 2:
                break
            process_of = psutil.Process(process.pid)
            process_of.cpu_percent(0.05)
        assert found["kernel_processes"] == 2
        assert 0 < found["kernel_memory_bytes"] < found["memory_total_bytes"]
        assert all(isinstance(value, int) for value in found.values())
        process.communicate(b"\n")
    assert measure(usage) is None


def test_this_process_is_busy():
    usage = Usage(os.getpid())
    measure(usage)
    sum(range(20_000_000))
    found = measure(usage)
    assert found is not None
    assert found["kernel_cpu_percent"] > 0
    assert 0 <= found["cpu_usage_percent"] <= 100


@pytest.mark.server
@pytest.mark.kernel
async def test_it_is_told(server):
    file_id = await open_notebook(server, "usage.ipynb", create=True)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        event = await client.wait_for("usage_metrics_event", timeout=30)
        data = event["data"]
        assert 0 <= data["cpu_usage_percent"] <= 100
        assert isinstance(data["memory_usage_percent"], int)
        assert data["kernel_memory_bytes"] > 10_000_000
