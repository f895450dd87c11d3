"""Messages of the front end that come while a cell runs: on other threads, or within that cell.

ipykernel 7.4 handles them while an asynchronous cell waits, on the main thread; JupyterLab sends
them to a subshell, which has a thread of its own. The widgets only hand over what they are asked.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rtu_magics
from rtu_magics.session import background
from rtu_magics.widgets.history import widget as history
from rtu_magics.widgets.history.widget import History

from ..ipython.kernels import CellRun, Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.server, pytest.mark.timeout(240)]

SET_UP = """
import asyncio, json, pathlib, threading, time
from rtu_magics.widgets import History, Mirror, Status
session = rtu_magics.session.sessions.get()
cell = session.add("6 * 7")
session.add("'last'")
mirror, status, past = Mirror(session), Status(session), History(session)
names = {"mirror": mirror, "strip": status._strip, "run": status._buttons["run"], "past": past}
handled = []
for widget in (mirror, status._strip, status._buttons["run"], past):
    widget.on_msg(lambda _, content, buffers: handled.append(threading.current_thread().name))
print(json.dumps({"cell": cell.id, **{name: one.model_id for name, one in names.items()}}))
"""
AWAITS = """
print("begun", flush=True)
while not pathlib.Path({gate!r}).exists():
    await asyncio.sleep(0.01)
"""
BLOCKS = """
print("begun", flush=True)
while not pathlib.Path({gate!r}).exists():
    time.sleep(0.01)
"""
REMOTE = """
print("begun", flush=True)
get_ipython().run_cell_magic(
    "rtu_exec", "", "import pathlib, time\\nwhile not pathlib.Path({gate!r}).exists():\\n"
    "    time.sleep(0.01)\\nprint('remote', 'over')")
"""


class FrontEnd:
    """A page's side of the kernel's comms."""

    def __init__(self, kernel: Kernel, ids: dict[str, str], subshell: str | None) -> None:
        self.kernel = kernel
        self.ids = ids
        self.subshell = subshell
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def send(self, widget: str, content: dict[str, Any]) -> None:
        client = self.kernel.client
        data = {"method": "custom", "content": content}
        message = client.session.msg("comm_msg", {"comm_id": self.ids[widget], "data": data})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        client.shell_channel.send(message)

    def wait(self, widget: str, found: Callable[[dict[str, Any]], Any]) -> Any:
        """Return the first true answer for what one of the widgets says, from now on or since."""
        deadline = time.monotonic() + 60
        while True:
            for name, content in self.seen:
                if name == self.ids[widget] and (answer := found(content)):
                    return answer
            assert time.monotonic() < deadline, f"{widget} said only {self.seen}"[:2000]
            self._receive()

    def _receive(self) -> None:
        message = self.kernel.client.get_iopub_msg(timeout=60)
        content = message["content"]
        if message["msg_type"] == "comm_msg" and content["data"].get("method") == "custom":
            self.seen.append((content["comm_id"], content["data"]["content"]))
        elif message["msg_type"] == "stream" and "begun" in content["text"]:
            self.seen.append(("", {"begun": True}))

    def wait_for_cell(self) -> None:
        self.ids[""] = ""
        self.wait("", lambda content: content.get("begun"))
        self.seen.clear()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    env = dict(os.environ, IPYTHONDIR=str(tmp_path_factory.mktemp("ipython")))
    env.pop("RTU_TOKEN", None)
    kernel = Kernel(tmp_path_factory.mktemp("lesson"), env)
    try:
        kernel.ok("import rtu_magics\n%load_ext rtu_magics")
        kernel.ok("%rtu_connect lesson.ipynb --new --no-widget\n%rtu_kernel start", timeout=120)
        yield kernel
        kernel.ok("%unload_ext rtu_magics")
    finally:
        kernel.close()


def new_subshell(kernel: Kernel) -> str:
    client = kernel.client
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    reply = client.get_control_msg(timeout=60)["content"]
    assert reply["status"] == "ok", reply
    return str(reply["subshell_id"])


@pytest.mark.parametrize(
    ("code", "subshell"),
    [(AWAITS, False), (AWAITS, True), (BLOCKS, True), (REMOTE, True)],
    ids=["an async cell", "an async cell, subshell", "a blocking cell, subshell", "a remote cell"],
)
def test_widgets_answer_while_a_cell_runs(
    kernel: Kernel, tmp_path: Path, code: str, subshell: bool
) -> None:
    gate = tmp_path / "gate"
    ids = json.loads(kernel.ok(SET_UP).text)
    page = FrontEnd(kernel, ids, new_subshell(kernel) if subshell else None)
    running = kernel.start(code.format(gate=str(gate)))
    try:
        page.wait_for_cell()
        page.send("mirror", {"a": "hello"})
        snapshot = page.wait("mirror", lambda m: m if m["t"] == "snapshot" else None)
        assert ids["cell"] in [cell["id"] for cell in snapshot["cells"]]
        page.send("past", {"a": "hello"})
        page.wait("past", lambda m: m["t"] == "piece" and m["i"] + 1 == m["n"])
        page.send("strip", {"a": "hello"})
        page.wait("strip", lambda m: m["t"] == "all")
        page.send(
            "mirror",
            {"a": "edit", "cell": ids["cell"], "base": "6 * 7", "text": "6 * 70", "key": "e"},
        )
        assert page.wait("mirror", lambda m: m if m["t"] == "reply" else None)["ok"]
        if code != REMOTE:  # there the remote kernel is busy itself
            page.send("run", {"event": "click"})
            page.wait("strip", lambda m: "done" in json.dumps(m))
            page.wait("mirror", lambda m: "420" in json.dumps(m))
    finally:
        gate.touch()
        ended: CellRun = kernel.finish(running, timeout=120)
    assert ended.status == "ok", ended.messages
    assert "Traceback" not in ended.text
    after = kernel.ok(
        "print(json.dumps([session.cell(cell.id).source, handled]))\n"
        "mirror.close(); status.close(); past.close()\nsession.delete(cell.id)"
    )
    source, threads = json.loads(after.text)
    assert source == "6 * 70"
    assert threads
    if subshell:
        assert "MainThread" not in threads, "the page's messages were to come on another thread"
    else:
        assert set(threads) == {"MainThread"}


def test_a_page_that_opens_while_the_past_is_sent_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hello is handled in the middle of sending a piece, on another thread."""
    monkeypatch.setattr(history, "_PIECE", 100)
    with rtu_magics.connect(str(tmp_path / "p.ipynb"), say=lambda line: None, new=True) as session:
        for n in range(3):
            session.add(f"x = {n}")
        sent: list[int] = []
        complete = threading.Condition()
        greeted: list[bool] = []

        class Watched(History):
            def send(self, content: Any, buffers: Any = None) -> None:
                if content["i"] == 1 and not greeted:
                    greeted.append(True)
                    page = threading.Thread(target=self._on_message, args=(self, HELLO, []))
                    page.start()
                    page.join()
                with complete:
                    sent.append(content["i"])
                    complete.notify_all()

        slider = Watched(session)
        try:
            count = len(slider._pieces)
            assert count > 3
            with complete:
                assert complete.wait_for(lambda: sent[-count:] == list(range(count)), 60), sent
        finally:
            slider.close()


HELLO = {"a": "hello"}


def test_handlers_return_while_the_background_loop_is_busy(tmp_path: Path) -> None:
    """Whoever handles the messages may be the loop that a cell's own code waits on."""
    from rtu_magics.widgets import Mirror, Status

    with rtu_magics.connect(str(tmp_path / "b.ipynb"), say=lambda line: None, new=True) as session:
        session.add("1")
        mirror, status, slider = Mirror(session), Status(session), History(session)
        held, free = threading.Event(), threading.Event()

        def hold() -> None:
            held.set()
            free.wait(60)

        background().loop.call_soon_threadsafe(hold)
        assert held.wait(60)
        try:

            def handle() -> None:
                for action in (HELLO, {"a": "run", "cell": "x"}, {"a": "need", "cells": ["x"]}):
                    mirror._on_message(mirror, action, [])
                status._on_message(status._strip, HELLO, [])
                slider._on_message(slider, HELLO, [])
                for button in status._buttons.values():
                    button.click()

            page = threading.Thread(target=handle, daemon=True)
            page.start()
            page.join(30)
            assert not page.is_alive(), "a handler waits for the loop"
        finally:
            free.set()
        for widget in (mirror, status, slider):
            widget.close()
