"""Questions, runs in the background and without a cell, in a real kernel on an embedded server."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from ..ipython.kernels import Kernel
from .front_end import later, run_answering

pytestmark = [pytest.mark.kernel, pytest.mark.server]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control")


@pytest.fixture(scope="module")
def kernel(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    env = dict(os.environ, IPYTHONDIR=str(tmp_path_factory.mktemp("ipython")))
    env.pop("RTU_TOKEN", None)
    kernel = Kernel(work, env)
    try:
        kernel.ok("%load_ext rtu_magics")
        kernel.ok("%rtu_connect control.ipynb --new")
        kernel.ok("%rtu_kernel start")
        yield kernel
        kernel.ok("%unload_ext rtu_magics")
    finally:
        kernel.close()


def rest(work: Path, method: str, path: str) -> Any:
    server = json.loads((work / ".rtu_magics" / "server.json").read_text())
    response = httpx.request(
        method,
        f"{server['url'].rstrip('/')}/rtu/api{path}",
        headers={"Authorization": f"Bearer {server['token']}"},
        trust_env=False,
    )
    assert response.is_success, response.text
    return response.json() if response.content else None


# ---------------------------------------------------------------------- questions


def test_asked_here(kernel: Kernel) -> None:
    run, asked = run_answering(
        kernel,
        "%%rtu_exec\nprint('before')\nname = input('Name? ')\nprint('hello', name)\n"
        "import getpass\nprint(len(getpass.getpass('Key: ')))",
        ["Ada", "geheim"],
    )
    assert asked == [("Name? ", False), ("Key: ", True)]
    assert run.status == "ok"
    assert run.text == "before\nhello Ada\n6\n"
    run, asked = run_answering(kernel, "r = %rtu_exec -1\nprint(r.text)", ["Bo", "x"])
    assert (run.text, len(asked)) == ("before\nhello Bo\n1\n\n", 2)


def test_interrupt_while_asked(kernel: Kernel) -> None:
    run, _ = run_answering(kernel, "%%rtu_exec\ninput('wait: ')", [kernel.interrupt])
    assert run.error_line == "KeyboardInterrupt: the remote cell was interrupted"
    assert kernel.ok("%rtu_cells").text.rstrip().endswith("input('wait: ')")
    assert "interrupted" in kernel.ok("%rtu_cells").text.rstrip().rpartition("\n")[2]


def test_a_question_that_nobody_needs_answered_any_more(kernel: Kernel, work: Path) -> None:
    def interrupt_remotely() -> None:
        (file,) = rest(work, "GET", "/v1/files")
        session = rest(work, "GET", f"/v1/files/{file['id']}/session")
        rest(work, "POST", f"/v1/sessions/{session['session_id']}/interrupt")

    run, _ = run_answering(kernel, "%%rtu_exec\ninput('wait: ')", [interrupt_remotely])
    assert "raised KeyboardInterrupt: Interrupted by user" in run.error_line
    assert kernel.ok("%%rtu_exec\n1 + 1").bundles("text/plain") == ["2"]


@pytest.mark.parametrize("flags", ["", "--scratch"])
def test_a_front_end_that_takes_no_input(kernel: Kernel, flags: str) -> None:
    run = kernel.run(f"%%rtu_exec {flags}\ninput('who? ')")
    assert "asked for input, and there is nobody to answer; run it in the foreground" in (
        run.error_line
    )


def test_nbclient_gets_a_clear_line(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(work / "ipython-nbclient"))
    cells = [
        "%load_ext rtu_magics\n%rtu_connect control.ipynb --new -s nbclient",
        "%%rtu_exec\ninput('who? ')",
        "%unload_ext rtu_magics",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = NotebookClient(
        notebook, allow_errors=True, resources={"metadata": {"path": str(work)}}, timeout=60
    )
    client.execute()
    error = notebook.cells[1].outputs[-1]
    assert error["ename"] == "RemoteCellError"
    assert "there is nobody to answer; run it in the foreground" in error["traceback"][0]


# ---------------------------------------------------------------------- in the background

TICKS = (
    "import time\nfor n in range(3):\n    print('tick', n, flush=True)\n    time.sleep(0.3)\n6 * 7"
)


def test_background(kernel: Kernel) -> None:
    msg_id = kernel.start(f"%%rtu_exec --bg -o job\n{TICKS}")
    run = kernel.finish(msg_id)
    assert run.status == "ok"
    (headline,) = run.bundles("text/plain")
    assert headline.startswith("job: cell ")
    assert headline.endswith("of control.ipynb, running in the background")
    assert "running" in repr(kernel.ok("job").bundles("text/plain"))
    # It goes on in its own cell, whatever runs meanwhile.
    found = later(kernel, "ok after")
    assert "".join(text for parent, text in found if parent == msg_id and "tick" in text) == (
        "tick 0\ntick 1\ntick 2\n"
    ) or "tick 2\n" in "".join(text for _, text in found)
    assert {parent for parent, _ in found} == {msg_id}
    assert "42" in [text for _, text in found]
    kernel.ok("assert job.done and job.state == 'ok'")
    kernel.ok("assert job.result.text == 'tick 0\\ntick 1\\ntick 2\\n42\\n', job.result.text")
    kernel.ok("r = %rtu_result job\nassert r is job.result")
    assert "job " in kernel.ok("%rtu_runs").text


def test_waiting(kernel: Kernel) -> None:
    kernel.ok("%%rtu_exec --bg -o slow\nimport time\ntime.sleep(1.5)")
    line = kernel.run("%rtu_wait slow --timeout 0.3").error_line
    assert line.startswith("RunTimeout: slow still runs after 0.3 s; %rtu_wait slow waits on")
    again = kernel.run("%%rtu_exec --bg -o slow\n1")
    assert again.error_line.startswith("RTUError: a run 'slow' goes on; %rtu_wait slow waits")
    assert kernel.ok("%rtu_wait").text.startswith("slow: cell ")
    assert kernel.ok("%rtu_wait").text == "no run goes on in the background\n"
    for seconds in ("0", "-1", "nan"):
        assert "a number of seconds above 0" in kernel.run(f"%rtu_wait --timeout={seconds}").text
    kernel.ok("%%rtu_exec --bg -o bad\n1 / 0")
    assert "raised ZeroDivisionError" in kernel.run("%rtu_wait bad").error_line
    kernel.ok("assert bad.state == 'failed' and 'ZeroDivision' in str(bad.result.error)")


def test_input_in_the_background(kernel: Kernel) -> None:
    kernel.ok("%%rtu_exec --bg -o asks\ninput('who? ')")
    assert "asked for input, and there is nobody" in kernel.run("%rtu_wait asks").error_line


def test_interrupting_the_wait_leaves_the_run(kernel: Kernel) -> None:
    kernel.ok("%%rtu_exec --bg -o long\nimport time\ntime.sleep(3)")
    msg_id = kernel.start("%rtu_wait long")
    time.sleep(0.5)
    kernel.interrupt()
    line = kernel.finish(msg_id).error_line
    assert line.startswith("KeyboardInterrupt: stopped waiting; long runs on")
    assert kernel.ok("%rtu_wait long").text.startswith("long: cell ")


def test_attach(kernel: Kernel) -> None:
    kernel.ok(f"%%rtu_exec --bg -o first\n{TICKS}")
    time.sleep(0.4)
    run = kernel.ok("%rtu_attach first")
    assert run.text.endswith("tick 0\ntick 1\ntick 2\n")
    assert run.bundles("text/plain") == ["42"]
    again = kernel.ok("%rtu_attach -1 -o kept")
    assert "tick" not in again.text
    kernel.ok("assert kept.text == 'tick 0\\ntick 1\\ntick 2\\n42\\n'")
    kernel.run("%%rtu_exec\n1 / 0")
    assert "raised ZeroDivisionError" in kernel.run("%rtu_attach").error_line
    assert "is no run and no cell" in kernel.run("%rtu_attach zzzz").error_line


# ---------------------------------------------------------------------- without a cell


def test_scratch(kernel: Kernel, work: Path) -> None:
    before = kernel.ok("%rtu_cells").text
    run = kernel.ok("%%rtu_exec --scratch\nscratch = 5\nprint('here', scratch)\nscratch")
    assert run.text == "here 5\n"
    assert run.bundles("text/plain") == ["5"]
    assert kernel.ok("%rtu_cells").text == before
    assert kernel.ok("%%rtu_exec\nscratch").bundles("text/plain") == ["5"]  # the same kernel
    failed = kernel.run("%%rtu_exec --scratch\n1 / 0")
    assert failed.error_line == (
        "RemoteCellError: the scratch cell raised ZeroDivisionError: division by zero"
    )
    assert "scratch code" in kernel.ok("%rtu_runs").text
    kernel.ok(f"%%rtu_exec --scratch --bg -o quiet\n{TICKS}")
    kernel.ok("%rtu_wait quiet")
    kernel.ok("assert quiet.result.text.endswith('42\\n')")
    assert "scratch" not in (work / "control.ipynb").read_text().replace("scratch = ", "")[:0]


# ---------------------------------------------------------------------- clearing, changing


def test_clear(kernel: Kernel, work: Path) -> None:
    kernel.ok("%%rtu_exec\nprint('to be cleared')")
    assert re.search(r"ok \[\d+\]", kernel.ok("%rtu_cells").text.splitlines()[-1])
    assert kernel.ok("%rtu_clear -1").text == "cleared the outputs of 1 cell\n"
    assert kernel.ok("%rtu_clear -1").text == "there were no outputs to clear\n"
    assert "outputs" not in kernel.ok("%rtu_show -1").text
    assert not re.search(r"ok|\[\d+\]", kernel.ok("%rtu_cells").text.splitlines()[-1])
    kernel.ok("%%rtu_exec\nprint('again')")
    assert kernel.ok("%rtu_clear").text.startswith("cleared the outputs of ")
    kernel.ok("%rtu_save")
    cells = nbformat.read(work / "control.ipynb", as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []


def test_clear_while_it_runs(kernel: Kernel) -> None:
    kernel.ok(
        "%%rtu_exec --bg -o running\nimport time\nprint('old', flush=True)\ntime.sleep(1)\n"
        "print('new')"
    )
    time.sleep(0.4)
    kernel.ok("%rtu_clear -1")
    kernel.ok("%rtu_wait running")
    assert kernel.ok("%rtu_show -1").text.endswith("# outputs\nnew\n")


def test_change_of_kernel(kernel: Kernel) -> None:
    kernel.ok("%%rtu_exec\nprint('x'); gone = 1")
    cleared = kernel.ok("%rtu_kernel restart --clear").text
    assert "kernel restarted; its variables are gone" in cleared
    assert "cleared the outputs of" in cleared
    assert "NameError" in kernel.run("%%rtu_exec\ngone").error_line
    for action in ("restart", "start"):
        unknown = kernel.run(f"%rtu_kernel {action} --name pyhton3").error_line
        assert unknown.startswith("KernelUnknown: no kernel named 'pyhton3'; installed: ")
        assert "python3" in unknown.partition("installed")[2]
    assert "runs on python3 now" in kernel.ok("%rtu_kernel restart --name python3").text
    assert "--clear goes with restart" in kernel.run("%rtu_kernel stop --clear").text


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%rtu_exec 1 2 --bg", "--bg takes one run"),
        ("%rtu_exec 1 --bg --timeout 3", "--bg waits for nothing; %rtu_wait NAME --timeout S"),
        ("%rtu_exec --scratch 1", "--scratch belongs to %%rtu_exec with a body"),
        ("%%rtu_exec --scratch --cell 1\n1", "--scratch belongs to %%rtu_exec with a body"),
        ("%%rtu_exec --bg\n  ", "the body of %%rtu_exec is empty"),
        ("%%rtu_exec --bg -o 1x\n1", "-o takes the name of a variable"),
        ("%rtu_result nosuch", "no run of this kernel is called 'nosuch'"),
    ],
)
def test_bad_input(kernel: Kernel, cell: str, line: str) -> None:
    run = kernel.run(cell)
    assert run.status == "error"
    assert line in run.error_line
