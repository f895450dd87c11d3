"""What remote cells put out after their end appears in the cell that ran them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest

from tests.helpers.server import start_server
from tests.scenarios.ipython.kernels import Kernel
from tests.scenarios.ipython.proxies import Proxy

pytestmark = [pytest.mark.kernel, pytest.mark.server]

LATE = """
import asyncio, os, threading, time
from IPython.display import clear_output, display
async def work():
    while not os.path.exists("{gate}"): await asyncio.sleep(0.02)
    {do}
task = asyncio.get_running_loop().create_task(work())
print("early")
"""

Message = tuple[str, dict[str, Any]]


def after(
    kernel: Kernel, msg_id: str, done: Callable[[list[Message]], bool], seconds: float = 60
) -> list[Message]:
    """What a cell that has ended receives, until it is enough."""
    found: list[Message] = []
    deadline = time.monotonic() + seconds
    while not done(found):
        assert time.monotonic() < deadline, found
        for message in received(kernel):
            kind = message["msg_type"]
            about = kind == "status" or kind.startswith("comm_")  # the status shown above, too
            if message["parent_header"].get("msg_id") == msg_id and not about:
                found.append((kind, message["content"]))
    return found


def received(kernel: Kernel) -> list[dict[str, Any]]:
    try:
        return [kernel.client.get_iopub_msg(timeout=0.1)]
    except Exception:
        return []


def text_of(messages: list[Message]) -> str:
    return "".join(content["text"] for kind, content in messages if kind == "stream")


def begin(kernel: Kernel, do: str, gate: str, magic: str = "%%rtu_exec", more: str = "") -> str:
    code = LATE.replace("{do}", do).replace("{gate}", gate) + more
    msg_id = kernel.start(f"{magic}\n{code}")
    run = kernel.finish(msg_id)
    assert run.status == "ok", run.text
    return msg_id


@pytest.fixture
def connected(kernel: Kernel) -> Kernel:
    kernel.ok("%load_ext rtu_magics")
    kernel.ok("%rtu_connect late.ipynb --new")
    return kernel


@pytest.mark.parametrize("magic", ["%%rtu_exec", "%%rtu_exec --scratch"])
def test_it_goes_to_the_cell_that_ran_it(connected: Kernel, work: Path, magic: str) -> None:
    msg_id = begin(connected, "print('late')", "gate", magic)
    other = connected.ok("%%rtu_exec\nprint('other')")
    assert other.text == "other\n"
    here = connected.ok("print('here')")
    assert here.text == "here\n"
    (work / "gate").touch()
    assert after(connected, msg_id, lambda found: "late" in text_of(found)) == [
        ("stream", {"name": "stdout", "text": "late\n"})
    ]


def test_displays_updates_and_clears(connected: Kernel, work: Path) -> None:
    msg_id = begin(
        connected,
        "h = display('one', display_id='d'); h.update('two'); clear_output(True); print('three')",
        "gate",
    )
    (work / "gate").touch()
    found = after(connected, msg_id, lambda found: "three" in text_of(found))
    assert found[-2:] == [
        ("clear_output", {"wait": True}),
        ("stream", {"name": "stdout", "text": "three\n"}),
    ]


def test_where_the_run_is_kept(connected: Kernel, work: Path) -> None:
    begin(connected, "print('late')", "gate", "%%rtu_exec -o kept")
    connected.ok("assert kept.text == 'early\\n', kept.text")
    (work / "gate").touch()
    connected.ok(
        "import time\nfor _ in range(600):\n"
        "    if 'late' in kept.text: break\n    time.sleep(0.1)\n"
        "assert kept.text == 'early\\nlate\\n', kept.text"
    )


def test_of_a_run_in_the_background(connected: Kernel, work: Path) -> None:
    msg_id = begin(connected, "print('late')", "gate", "%%rtu_exec --bg -o r")
    connected.ok("%rtu_wait r")
    (work / "gate").touch()
    found = after(connected, msg_id, lambda found: "late" in text_of(found))
    assert text_of(found).endswith("late\n")
    assert connected.ok("print(r.result.text)").text == "early\nlate\n\n"
    assert "late" in connected.ok("%rtu_attach r").text


def test_of_a_failed_run_and_of_one_that_is_looked_at_again(connected: Kernel, work: Path) -> None:
    code = LATE.replace("{do}", "print('late')").replace("{gate}", "gate") + "1 / 0"
    msg_id = connected.start(f"%%rtu_exec\n{code}")
    assert connected.finish(msg_id).status == "error"
    again = connected.start("%rtu_attach")
    connected.finish(again)
    (work / "gate").touch()
    seen: dict[str, str] = {msg_id: "", again: ""}
    deadline = time.monotonic() + 60
    while not all("late" in text for text in seen.values()):
        assert time.monotonic() < deadline, seen
        for message in received(connected):
            parent = message["parent_header"].get("msg_id")
            if parent in seen and message["msg_type"] == "stream":
                seen[parent] += message["content"]["text"]


def test_a_captured_cell(connected: Kernel, work: Path) -> None:
    code = LATE.replace("{do}", "print('late')").replace("{gate}", "gate")
    msg_id = connected.start(
        f"%%capture got\nget_ipython().run_cell_magic('rtu_exec', '', {code!r})"
    )
    assert connected.finish(msg_id).text == ""
    (work / "gate").touch()
    assert "late" in text_of(after(connected, msg_id, lambda found: "late" in text_of(found)))


RETURNS = {
    "of the cell's last run": ("%%rtu_exec", None),
    "of a run that another has replaced": ("%%rtu_exec", "%%rtu_exec --cell -1\nprint('again')"),
    "of a run without a cell": ("%%rtu_exec --scratch", None),
    "of a cell that was cleared": ("%%rtu_exec", "%rtu_clear -1"),
}


@pytest.mark.parametrize("what", RETURNS)
def test_what_comes_while_the_connection_is_lost(kernel: Kernel, work: Path, what: str) -> None:
    magic, then = RETURNS[what]
    server = start_server(work)
    proxy = Proxy(urlsplit(server.url).port or 0)
    try:
        (work / "late.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
        url = f"http://127.0.0.1:{proxy.port}/lab/tree/late.ipynb?token={server.token}"
        kernel.ok("%load_ext rtu_magics")
        kernel.ok(f"%rtu_connect {url}")
        do = (
            "print('missed'); open('done', 'w').close()\n"
            "    while not os.path.exists('more'): await asyncio.sleep(0.02)\n"
            "    print('seen')"
        )
        msg_id = begin(kernel, do, "gate", magic)
        if then:
            kernel.ok(then)
        proxy.cut()
        (work / "gate").touch()
        deadline = time.monotonic() + 60
        while not (work / "done").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        proxy.mend()
        found = after(kernel, msg_id, lambda found: "missed" in text_of(found))
        (work / "more").touch()
        found += after(kernel, msg_id, lambda found: "seen" in text_of(found))
        assert text_of(found) == "missed\nseen\n"
    finally:
        proxy.close()
        server.stop()
