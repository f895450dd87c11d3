"""What reaches the front end of a cell that runs remotely, against the same cell run locally."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rtu_magics.document import OutputReducer
from tests.scenarios.ipython.kernels import Kernel

from .front_end import CellSeen, plain, run_program
from .person import looks
from .table import PROGRAMS, Program

pytestmark = [pytest.mark.kernel, pytest.mark.server]

# What follows a remote error here: which cell it was, as the exception that ends the local one.
OWN_ERRORS = ("RemoteCellError", "KeyboardInterrupt")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, Kernel]]:
    """A plain kernel, and one that is connected to a third; with the same cells run in both."""
    work = tmp_path_factory.mktemp("work")
    env = dict(os.environ, IPYTHONDIR=str(tmp_path_factory.mktemp("ipython")))
    env.pop("RTU_TOKEN", None)
    here, there = Kernel(work, env), Kernel(work, env)
    try:
        there.ok("%load_ext rtu_magics")
        there.ok("%rtu_connect table.ipynb --new")
        here.ok("pass")
        there.ok("%%rtu_exec\n0;")
        yield here, there
        there.ok("%unload_ext rtu_magics")
    finally:
        here.close()
        there.close()


def without_own_error(seen: CellSeen) -> list[tuple[str, dict[str, Any]]]:
    messages = seen.messages
    if len(messages) > 1 and messages[-1][1].get("ename") in OWN_ERRORS:
        assert len(messages[-1][1]["traceback"]) == 1
        return messages[:-1]
    return messages


def shown(cells: list[CellSeen]) -> list[list[Any]]:
    """What stands below each cell at the end, in a front end that follows the Jupyter protocol."""
    found = []
    displays: dict[str, dict[str, Any]] = {}
    reducers = []
    for seen in cells:
        reducer = OutputReducer()
        for kind, content in without_own_error(seen):
            reducer.process({"msg_type": kind, "content": content})
            display_id = content.get("transient", {}).get("display_id")
            if display_id is not None:
                displays[display_id] = content
        reducers.append(reducer)
    for reducer in reducers:
        for display_id, content in displays.items():
            reducer.update_display(display_id, content)
        found.append(reducer.to_nbformat())
    return found


def payload(seen: CellSeen, prefix: str = "") -> list[dict[str, Any]]:
    """What the reply asks of the front end; code runs where the cell did that asked for it."""
    found = []
    for item in seen.reply.get("payload", ()):
        text = str(item.get("text", ""))
        assert not text or text.startswith(prefix)
        page = plain(str(item.get("data", {}).get("text/plain", "")))
        found.append({**item, "text": text[len(prefix) :], "data": page.removesuffix("\x1b[0m")})
    return found


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program(kernels: tuple[Kernel, Kernel], program: Program) -> None:
    here, there = kernels
    local = run_program(here, program)
    remote = run_program(there, program, "%%rtu_exec\n")
    if program.shows_the_same is None:
        for one, other in zip(local, remote, strict=True):
            assert without_own_error(other) == one.messages
    elif "widget" not in program.shows_the_same:
        assert shown(remote) == shown(local)
    assert looks(remote, OWN_ERRORS) == looks(local)
    assert [payload(seen, "%%rtu_exec\n") for seen in remote] == [payload(seen) for seen in local]
    assert [seen.questions for seen in remote] == [seen.questions for seen in local]
    assert [seen.reply["status"] for seen in remote] == [seen.reply["status"] for seen in local]


def test_much_text(kernels: tuple[Kernel, Kernel]) -> None:
    _, there = kernels
    lines = 40_000
    run = there.ok(f"%%rtu_exec\nfor n in range({lines}): print(f'{{n:>98}}.')", timeout=100)
    whole = "".join(f"{n:>98}.\n" for n in range(lines))
    line = re.compile(r"\n\[… ([0-9,]+) characters left out here; all of it: (http\S+)\]\n")
    cut = line.search(run.text)
    assert cut is not None
    assert len(run.text) < 2_000_000
    assert whole.startswith(run.text[: cut.start()])
    assert cut.start() >= 1_500_000
    assert whole.endswith(run.text[-9000:])
    hidden = sum(int(count.replace(",", "")) for count, _ in line.findall(run.text))
    assert len(line.sub("", run.text)) + hidden == len(whole)
    assert httpx.get(cut[2], trust_env=False, timeout=60).text == whole
    assert httpx.get(cut[2][:-3], trust_env=False).status_code == 403
    there.ok("%rtu_save")
    text = there.ok("print(open('table.ipynb').read())").text
    assert "characters left out here]" in text
    assert "sig=" not in text
    # What is kept is what was shown, also when it is read again; the next run takes the file away.
    again = there.ok("%rtu_show -1").text
    assert cut[2] in again
    there.ok("%rtu_exec -1", timeout=100)
    assert httpx.get(cut[2], trust_env=False).status_code == 404


def test_the_table_is_large_enough() -> None:
    assert len(PROGRAMS) >= 40
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)
    assert sum(program.shows_the_same is not None for program in PROGRAMS) <= 6
