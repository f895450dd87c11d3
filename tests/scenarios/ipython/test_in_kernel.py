"""The main job in a real Jupyter kernel, on a real embedded server with a real remote kernel."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import nbformat
import psutil
import pytest

from .kernels import Kernel, RunningKernel

pytestmark = [pytest.mark.kernel, pytest.mark.server]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lesson")


@pytest.fixture(scope="module")
def kernel(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    env = dict(os.environ, IPYTHONDIR=str(tmp_path_factory.mktemp("ipython")))
    env.pop("RTU_TOKEN", None)
    kernel = Kernel(work, env)
    try:
        kernel.ok("%load_ext rtu_magics")
        yield kernel
        server = server_pid(work)
        kernel.ok("%unload_ext rtu_magics")
        if server is not None:
            wait_gone(server)
    finally:
        kernel.close()


def server_pid(work: Path) -> int | None:
    address = work / ".rtu_magics" / "server.json"
    return json.loads(address.read_text())["pid"] if address.exists() else None


def wait_gone(pid: int, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_the_main_job(kernel: Kernel, work: Path) -> None:
    connected = kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    assert f"starting a server for {work} …" in connected.text
    assert "server ready in" in connected.text
    assert "created lesson.ipynb" in connected.text
    assert "connected to lesson.ipynb as 'lesson': 0 cells" in connected.text

    added = kernel.ok("%%rtu_add --type markdown\n# Lesson one")
    assert added.text.startswith("added cell 1 (")
    kernel.ok(
        "%%rtu_add\nimport time\nfor n in range(4):\n    print('line', n)\n    time.sleep(0.4)"
    )
    edited = kernel.ok(
        "%%rtu_edit 2\nimport time\nfor n in range(5):\n    print('line', n)\n    time.sleep(0.4)"
    )
    assert edited.text.startswith("edited cell 2 (")
    kernel.ok(
        "%%rtu_add\nimport matplotlib.pyplot as plt\n%matplotlib inline\nplt.plot([1, 3, 2]);"
    )
    kernel.ok("%%rtu_add\n6 * 7")

    ran = kernel.ok("%rtu_exec --all", timeout=90)
    assert "starting the remote kernel …" in ran.text
    assert "kernel python3 ready in" in ran.text
    assert "".join(f"line {n}\n" for n in range(5)) in ran.text
    # The lines came while the remote cell ran, not at its end.
    assert ran.when("line 4") - ran.when("line 0") > 1.2
    assert len(ran.bundles("image/png")) == 1
    assert "42" in ran.bundles("text/plain")

    failed = kernel.run("%%rtu_exec\ndef f():\n    1 / 0\nf()")
    assert failed.status == "error"
    assert failed.reply["ename"] == "RemoteCellError"
    assert failed.error_line == (
        f"RemoteCellError: cell 5 ({failed_id(work, 4)}) raised ZeroDivisionError: division by zero"
    )
    assert "\x1b[" in failed.remote_traceback  # in its colours
    assert "f()" in re.sub(r"\x1b\[[0-9;]*m", "", failed.remote_traceback)
    assert "rtu_magics/" not in str(failed.messages) + str(failed.reply)

    saved = kernel.ok("%rtu_save")
    assert saved.text == "saved lesson.ipynb\n"
    notebook = nbformat.read(work / "lesson.ipynb", as_version=4)
    nbformat.validate(notebook)
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    assert outputs[1] == [
        {
            "output_type": "stream",
            "name": "stdout",
            "text": "".join(f"line {n}\n" for n in range(5)),
        }
    ]
    assert outputs[2][-1]["data"]["image/png"].strip() == ran.bundles("image/png")[0].strip()
    assert outputs[3][0]["data"]["text/plain"] == "42"
    assert outputs[4][0]["ename"] == "ZeroDivisionError"
    assert "\n".join(outputs[4][0]["traceback"]) == failed.remote_traceback


def failed_id(work: Path, index: int) -> str:
    """The short id of a cell, from the file."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        cells = nbformat.read(work / "lesson.ipynb", as_version=4).cells
        if len(cells) > index:
            return str(cells[index]["id"][:8])
        time.sleep(0.1)
    raise AssertionError("the cell never reached the file")


def test_failed_cell_stops_run_all(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    run = kernel.run("%rtu_exec -1\nprint('after')")
    assert run.status == "error"
    assert "after" not in run.text


def test_interrupt(kernel: Kernel) -> None:
    msg_id = kernel.start(
        "%%rtu_exec\nimport time\nprint('begun', flush=True)\nfor n in range(600):\n"
        "    time.sleep(0.1)"
    )
    time.sleep(1.5)
    kernel.interrupt()
    run = kernel.finish(msg_id, timeout=60)
    assert "begun" in run.text
    assert run.reply["ename"] == "KeyboardInterrupt"
    assert run.error_line == "KeyboardInterrupt: the remote cell was interrupted"
    assert kernel.ok("%%rtu_exec\nprint('still', 'fine')").text == "still fine\n"


def test_second_interrupt_leaves_it_running(kernel: Kernel) -> None:
    msg_id = kernel.start(
        "%%rtu_exec\nimport time\nend = time.time() + 6\nwhile time.time() < end:\n"
        "    try:\n        time.sleep(0.1)\n    except KeyboardInterrupt:\n        print('no')"
    )
    time.sleep(1)
    kernel.interrupt()
    time.sleep(1)
    kernel.interrupt()
    run = kernel.finish(msg_id, timeout=3)
    assert run.error_line == (
        "KeyboardInterrupt: stopped waiting; the remote cell still runs, %rtu_kernel interrupt "
        "stops it, %rtu_attach shows it again"
    )
    assert "running or queued" in kernel.ok("%rtu_status --text").text
    assert kernel.ok("%%rtu_exec\nprint('next')", timeout=30).text == "next\n"


def test_display_updates_and_clear(kernel: Kernel) -> None:
    run = kernel.ok(
        "%%rtu_exec\nfrom IPython.display import display, clear_output\n"
        "handle = display('one', display_id=True)\n"
        # What is cleared at once may never be sent at all.
        "import time; time.sleep(0.5)\nhandle.update('two'); time.sleep(0.5)\n"
        "print('gone')\nclear_output(wait=True)\nprint('left')"
    )
    kinds = [kind for _, kind, _ in run.messages]
    assert "update_display_data" in kinds
    assert run.messages[-1][2]["text"] == "left\n"
    assert "clear_output" in kinds


def test_large_image_comes_whole(kernel: Kernel) -> None:
    run = kernel.ok(
        "%%rtu_exec\nimport random\nfrom IPython.display import Image\n"
        "data = b'\\x89PNG\\r\\n\\x1a\\n' + random.Random(0).randbytes(600_000)\n"
        "import hashlib; print(hashlib.sha256(data).hexdigest())\nImage(data=data, format='png')"
    )
    (image,) = run.bundles("image/png")
    assert hashlib.sha256(base64.b64decode(image)).hexdigest() == run.text.strip()


def test_running_on_the_kernel_that_waits_is_refused(tmp_path: Path) -> None:
    from jupyter_core.paths import jupyter_runtime_dir

    from rtu_magics.embedded import open_server

    server, lease = open_server(tmp_path)
    headers = {"Authorization": f"token {server.token}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=30) as http:
        empty = nbformat.v4.new_notebook()
        body = {"type": "notebook", "format": "json", "content": empty}
        http.put("/api/contents/own.ipynb", json=body).raise_for_status()
        body = {"path": "own.ipynb", "name": "own.ipynb", "type": "notebook"}
        answer = http.post("/api/sessions", json={**body, "kernel": {"name": "python3"}})
        kernel_id = answer.raise_for_status().json()["kernel"]["id"]
    kernel = RunningKernel.attach(Path(jupyter_runtime_dir()) / f"kernel-{kernel_id}.json")
    try:
        kernel.ok("%load_ext rtu_magics")
        kernel.ok(f"%rtu_connect {server.url}lab/tree/own.ipynb --token {server.token}")
        run = kernel.run("%%rtu_exec\nprint('for ever')", timeout=20)
        assert run.error_line == (
            "KernelError: own.ipynb runs on this very kernel, which would wait for itself; run "
            "the cell in place, or connect from another notebook"
        )
        assert server.token not in run.text
    finally:
        kernel.close()
        lease.release()
        wait_gone(server.pid)


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (
            "%rtu_connect http://127.0.0.1:9/lab/tree/a.ipynb --token t",
            "ConnectFailed: nothing listens at 127.0.0.1:9: is the server running, and is the "
            "port right?",
        ),
        (
            "%rtu_connect no.txt",
            "TargetError: no.txt does not exist; the name of a new notebook ends in .ipynb, and a "
            "URL begins with http:// or https://",
        ),
        (
            "%rtu_show nope",
            "CellNotFound: no cell 'nope': %rtu_cells lists the cells and their ids",
        ),
        ("%rtu_cells --loud", "UsageError: unrecognized arguments: --loud; see %rtu_cells?"),
        (
            "%%rtu_exec\n \n",
            "UsageError: the body of %%rtu_exec is empty; write the code below the magic",
        ),
        (
            "%rtu_cells -s nobody",
            "SessionError: no session is called 'nobody'; open are: lesson",
        ),
        (
            "%%rtu_exec\nimport os\nos._exit(1)",
            "KernelDied: cell # did not run to its end: the kernel died (exit code 1); its "
            "variables are gone, the next run starts on a fresh kernel",
        ),
    ],
)
def test_bad_input(kernel: Kernel, cell: str, line: str) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    run = kernel.run(cell)
    assert run.status == "error"
    assert re.sub(r"cell \d+ \(\w+\)", "cell #", run.error_line) == line
    assert kernel.ok("%%rtu_exec\nprint('usable')", timeout=30).text.endswith("usable\n")


def test_two_kernels_share_the_server(kernel: Kernel, work: Path, tmp_path: Path) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    second = Kernel(work, dict(os.environ, IPYTHONDIR=str(tmp_path)))
    try:
        second.ok("%load_ext rtu_magics")
        connected = second.ok("%rtu_connect lesson.ipynb --new --no-widget")
        assert "starting" not in connected.text
        second.ok("%%rtu_add --type markdown\nfrom the second kernel")
        assert "from the second kernel" in kernel.ok("%rtu_show -1").text
    finally:
        second.close()
    assert psutil.pid_exists(server_pid(work) or 0)


def test_completion_through_the_front_end(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    assert kernel.complete("%rtu_exec --bef") == ["--before"]
    assert kernel.complete("%%rtu_add --type mark\nx", at=21) == ["markdown"]
    assert kernel.complete("x = %rtu_exec --al") == ["--all"]
    assert kernel.complete("%rtu_show ")[:2] == ["1", "2"]
    assert kernel.complete("%rtu_cells -s les") == ["lesson"]


def test_kept_outputs_are_shown_when_asked_for(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    kernel.ok("%%rtu_exec\nprint('text')\nfrom IPython.display import HTML\nHTML('<b>html</b>')")
    assert kernel.ok("kept = %rtu_exec -1").messages == []
    ((_, kind, content),) = kernel.ok("kept").messages
    assert kind == "execute_result"
    assert content["data"]["text/html"] == "<b>html</b>"
    assert content["data"]["text/plain"].startswith("text\n")


def test_pull_fills_the_next_cell(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect lesson.ipynb --new --no-widget")
    kernel.ok("%%rtu_add\na = 1\nb = 2")
    pulled = kernel.ok("%rtu_pull -1")
    found = re.fullmatch(
        r"cell \d+ \((\w{8})\) is in the next cell; change it there and run it\n", pulled.text
    )
    assert found is not None
    (payload,) = pulled.reply["payload"]
    assert payload["source"] == "set_next_input"
    assert payload["text"] == f"%%rtu_edit {found[1]}\na = 1\nb = 2"
    assert payload["replace"] is False
    assert "edited cell" in kernel.ok(payload["text"].replace("b = 2", "b = 3")).text
    assert "b = 3" in kernel.ok("%rtu_show -1").text
    (payload,) = kernel.ok("%rtu_pull -1 -s lesson -q").reply["payload"]
    assert payload["text"] == f"%%rtu_edit {found[1]} -s lesson\na = 1\nb = 3"


def test_progress_of_several_cells(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect progress.ipynb --new --no-widget")
    try:
        kernel.ok("%%rtu_exec -q\nimport time")
        for n in range(3):
            kernel.ok(f"%%rtu_add -q\ntime.sleep(0.5); print('cell', {n})")
        assert kernel.ok("%rtu_exec --after 2").text == "cell 0\ncell 1\ncell 2\n"
        kernel.ok("%rtu_config progress_delay 0.2")
        for line in ("%rtu_exec --after 2", "%rtu_exec 2 3 4"):
            run = kernel.ok(line)
            shown = [(kind, c["data"]["text/plain"]) for _, kind, c in run.messages if "data" in c]
            assert shown[:2] == [
                ("display_data", "running cell 1 of 3 …"),
                ("update_display_data", "running cell 2 of 3 …"),
            ]
            assert re.fullmatch(r"ran 3 of 3 cells in \d\.\d s", shown[-1][1])
            assert run.text == "cell 0\ncell 1\ncell 2\n"
        quiet = kernel.ok("%rtu_exec 2 3 -q")
        assert {kind for _, kind, _ in quiet.messages} == {"stream"}
        assert {kind for _, kind, _ in kernel.ok("%rtu_exec 2").messages} == {"stream"}
    finally:
        kernel.ok("%rtu_config progress_delay 3")
        kernel.ok("%rtu_disconnect -s progress")


def test_clear_output_of_one_cell_spares_the_others(kernel: Kernel) -> None:
    kernel.ok("%rtu_connect several.ipynb --new --no-widget")
    try:
        kernel.ok("%%rtu_add\nprint('first')")
        kernel.ok(
            "%%rtu_add -q\nimport time, IPython.display as d\n"
            "print(1); time.sleep(0.5); d.clear_output(); print(2)"
        )
        for line in ("%rtu_exec 1 2", "%rtu_exec --all"):
            kinds = {kind for _, kind, _ in kernel.ok(line).messages}
            assert "clear_output" not in kinds
        assert "clear_output" in {kind for _, kind, _ in kernel.ok("%rtu_exec 2").messages}
    finally:
        kernel.ok("%rtu_disconnect -s several")
