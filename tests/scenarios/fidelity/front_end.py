"""What a front end receives for a cell, in a form that two kernels can be compared by."""

from __future__ import annotations

import queue
import re
import time
from dataclasses import dataclass, field
from typing import Any

from tests.scenarios.ipython.kernels import Kernel

from .table import Program

__all__ = ["CellSeen", "plain", "run_program"]

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_TEMPORARY = re.compile(r"(ipykernel_|/tmp/tmp)[0-9a-z_]+(/\d+\.py)?|(?<=8;id=)\d+")

# Left out on purpose: a widget lives in the kernel that made it, remote scripts are not trusted.
UNSHOWN = ("application/vnd.jupyter.widget-view+json", "application/javascript")


@dataclass
class CellSeen:
    """What one cell put out: its messages, the questions it asked, how it ended."""

    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    questions: list[tuple[str, bool]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)
    raw: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    msg_id: str = ""
    whole: list[dict[str, Any]] = field(default_factory=list)


def run_program(kernel: Kernel, program: Program, prefix: str = "") -> list[CellSeen]:
    """Run a program's cells as a person does, each with a prefix, and return what is seen."""
    answers = iter(program.answers)
    display_ids: dict[str, str] = {}
    seen = [
        _run_cell(kernel, prefix + cell, answers, program.interrupt, display_ids)
        for cell in program.cells
    ]
    if program.late is not None:
        _listen_on(kernel, seen, program.late, display_ids)
    return seen


def _listen_on(
    kernel: Kernel, cells: list[CellSeen], until: str, display_ids: dict[str, str]
) -> None:
    """Receive what belongs to cells that have ended, up to a text."""
    by_id = {seen.msg_id: seen for seen in cells}
    deadline = time.monotonic() + 60
    while not any(until in c.get("text", "") for seen in cells for _, c in seen.messages):
        assert time.monotonic() < deadline, (until, cells)
        for message in _received(kernel.client, "iopub", 0.1):
            seen = by_id.get(message["parent_header"].get("msg_id", ""))
            kind = message["msg_type"]
            if seen is None or kind == "status":
                continue
            seen.whole.append(message)
            if not kind.startswith("comm_"):
                _take(seen.messages, kind, message["content"], display_ids)


def _run_cell(
    kernel: Kernel, code: str, answers: Any, interrupt: str | None, display_ids: dict[str, str]
) -> CellSeen:
    client, seen, idle = kernel.client, CellSeen(), False
    msg_id = client.execute(code, allow_stdin=True)
    seen.msg_id = msg_id
    deadline = time.monotonic() + 60
    while not (idle and seen.reply):
        assert time.monotonic() < deadline, (code, seen)
        for message in _received(client, "stdin", 0):
            question = message["content"]
            seen.questions.append((question["prompt"], question["password"]))
            client.input(next(answers))
        for message in _received(client, "shell", 0):
            if message["parent_header"].get("msg_id") == msg_id:
                seen.reply = message["content"]
        for message in _received(client, "iopub", 0.02):
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind != "status":
                seen.whole.append(message)
            if kind == "status":
                idle = content["execution_state"] == "idle"
            elif kind != "execute_input" and not kind.startswith("comm_"):
                seen.raw.append((kind, content))
                if interrupt is not None and interrupt in content.get("text", ""):
                    interrupt = None
                    kernel.interrupt()
    for kind, content in seen.raw:
        _take(seen.messages, kind, content, display_ids)
    return seen


def _received(client: Any, channel: str, timeout: float) -> list[dict[str, Any]]:
    try:
        return [getattr(client, f"get_{channel}_msg")(timeout=timeout)]
    except queue.Empty:
        return []


def _take(
    messages: list[tuple[str, dict[str, Any]]],
    kind: str,
    content: dict[str, Any],
    display_ids: dict[str, str],
) -> None:
    """Add a message without what may differ: ids, addresses, names of temporary files, timing.

    Where a stream is cut into messages is timing, so adjacent pieces of one stream are one.
    """
    content = {key: value for key, value in content.items() if key != "transient"} | {
        "transient": dict(content.get("transient") or {})
    }
    if kind == "stream":
        if messages and messages[-1][0] == "stream" and messages[-1][1]["name"] == content["name"]:
            before = messages.pop()[1]["text"]
        else:
            before = ""
        text = plain(before + content["text"])
        messages.append(("stream", {"name": content["name"], "text": text}))
        return
    if kind == "error":
        content["traceback"] = [plain(line) for line in content["traceback"]]
    if "data" in content:
        shown = {k: v for k, v in content["data"].items() if k not in UNSHOWN}
        content["data"] = {
            k: plain(v) if isinstance(v, str) and len(v) < 100_000 else v for k, v in shown.items()
        }
    display_id = content["transient"].pop("display_id", None)
    if display_id is not None:
        known = display_ids.setdefault(display_id, f"display {len(display_ids) + 1}")
        content["transient"]["display_id"] = known
    messages.append((kind, content))


def plain(text: str) -> str:
    """Return text without addresses and names of temporary files."""
    return _TEMPORARY.sub("(temporary)", _ADDRESS.sub("(address)", text))
