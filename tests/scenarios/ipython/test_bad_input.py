"""What goes wrong gives one line with the next step, and leaves session and notebook usable.

What needs no server stands in ``test_arguments.py``.
"""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import rtu_magics
from rtu_magics.errors import RTUError
from rtu_magics.models import CodeCell, MarkdownCell
from rtu_magics.session import Session, sessions

from .proxies import Proxy, answering
from .shells import Shell

pytestmark = [pytest.mark.kernel, pytest.mark.server]

ID = "0b3c7c1e-5a7c-4c7b-9f0e-3a1b2c3d4e5f"


def session() -> Session:
    return sessions.get("lab")


def usable(lab: Shell) -> None:
    """Session and notebook still do their work."""
    assert lab.ok("%%rtu_exec -s lab\nprint(20 + 22)").endswith("42\n")


# ---------------------------------------------------------------------- connecting


def test_wrong_token(lab: Shell) -> None:
    url = session().server_url
    assert lab.line(f"%rtu_connect {url}/lab/tree/lab.ipynb --token nonsense -s x") == (
        f"AuthenticationFailed: {url} does not accept the token; check it (RTU_TOKEN, --token), "
        f"or get a new one"
    )
    assert [s.name for s in sessions] == ["lab"]
    usable(lab)


@pytest.mark.parametrize("page", ["lab/tree/nope.ipynb", f"rtu/f/{ID}"])
def test_no_such_notebook(lab: Shell, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTU_TOKEN", session().api.authorization_token)
    url = session().server_url
    what = page.rpartition("/")[2]
    assert lab.line(f"%rtu_connect {url}/{page} -s x") == (
        f"FileUnknown: {url} has no notebook {what}; check the name, or open it there and copy "
        f"its address"
    )


def test_file_that_is_no_notebook(lab: Shell) -> None:
    Path("broken.ipynb").write_text("print('not JSON')")
    line = lab.line("%rtu_connect broken.ipynb")
    assert line.startswith("TargetError: broken.ipynb cannot be opened: not a notebook: no JSON")
    assert line.endswith("; repair it, or choose another file")
    assert Path("broken.ipynb").read_text() == "print('not JSON')"
    usable(lab)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n"
            b"Connection: close\r\n\r\n<html></html>",
            "APIError: http://127.0.0.1:{port}/rtu/api answered POST /v1/files/open with something "
            "else than RTU (text/html): check the address, or update the older of the two sides",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "ConnectFailed: http://127.0.0.1:{port} is no server with rtu_magics; check the "
            "address, and that rtu_magics is installed beside Jupyter there",
        ),
        (
            b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "APIError: the server has a problem (HTTP 500 for POST /v1/files/open): try again "
            "later",
        ),
        (
            b"SSH-2.0-OpenSSH_9.9\r\n",
            "ConnectFailed: http://127.0.0.1:{port}/rtu/api/v1/files/open does not answer in HTTP "
            "(…): check the address",
        ),
    ],
)
def test_server_that_answers_nonsense(lab: Shell, answer: bytes, line: str) -> None:
    with answering(answer) as port:
        found = lab.line(f"%rtu_connect http://127.0.0.1:{port}/tree/a.ipynb --token t -s x")
    found = re.sub(r"HTTP \([^0-9].*\):", "HTTP (…):", found)  # what h11 says of it
    assert found == line.format(port=port)
    usable(lab)


def test_name_that_is_taken(lab: Shell) -> None:
    assert lab.line("%rtu_connect other.ipynb --new -s lab") == (
        "SessionError: session 'lab' is already open (on lab.ipynb); choose another name or close "
        "it with %rtu_disconnect -s lab"
    )


def test_unknown_session(lab: Shell) -> None:
    assert lab.line("%rtu_cells -s nobody") == (
        "SessionError: no session is called 'nobody'; open are: lab"
    )


def test_connecting_twice_is_one_session(lab: Shell) -> None:
    assert lab.ok("%rtu_connect lab.ipynb").startswith("already connected to lab.ipynb as 'lab'\n")
    assert len(sessions) == 1


# ---------------------------------------------------------------------- cells


def test_unknown_cells(lab: Shell) -> None:
    assert lab.line("%rtu_delete 1") == (
        "CellNotFound: no cell '1': the notebook is empty, add one with %%rtu_add"
    )
    session().call(session().client.add_cell(cell=CodeCell(id="7abc", source="x = 1")))
    assert lab.line("%rtu_exec 7") == (
        "CellNotFound: no cell at position 7: positions are 1 to 1, or -1 to -1"
    )
    assert lab.ok("%rtu_show 7a").startswith("# cell 1 (7abc), code\nx = 1\n")
    assert lab.line("%rtu_show nope") == (
        "CellNotFound: no cell 'nope': %rtu_cells lists the cells and their ids"
    )
    usable(lab)


def test_ambiguous_prefix(lab: Shell) -> None:
    for cell_id in ("abc1", "abc2"):
        session().call(session().client.add_cell(cell=CodeCell(id=cell_id)))
    assert lab.line("%rtu_show abc") == (
        "AmbiguousCell: 'abc' fits 2 cells (abc1, abc2): give more of the id"
    )
    usable(lab)


def test_nothing_to_run(lab: Shell) -> None:
    assert lab.line("%rtu_exec --all") == (
        "RTUError: there is no code cell to run; %%rtu_add adds one"
    )
    session().call(session().client.add_cell(cell=CodeCell(id="empty1")))
    session().call(session().client.add_cell(cell=MarkdownCell(id="text1", source="# x")))
    assert lab.line("%rtu_exec empty1") == (
        "RTUError: cell 1 (empty1) is empty; %%rtu_edit gives it a text"
    )
    assert lab.line("%rtu_exec text1") == (
        "RTUError: cell 2 (text1) is a markdown cell and nothing to run; %rtu_type text1 code "
        "makes it code"
    )


def test_cell_next_to_itself(lab: Shell) -> None:
    lab.ok("%%rtu_add\nx = 1")
    line = lab.line("%rtu_move 1 --after 1")
    assert re.fullmatch(
        r"RTUError: cell 1 \(\w{8}\) cannot go next to itself; name another cell", line
    )


def test_patch_that_no_longer_applies(lab: Shell) -> None:
    lab.ok("%%rtu_add\nx = 1\ny = 2")
    with rtu_magics.connect("lab.ipynb", name="other", say=lambda _: None) as other:
        other.edit(1, "x = 5\ny = 2")
        wait_for_source(1, "x = 5\ny = 2")
        # Another line: merged.
        ran = lab.ok("%%rtu_edit 1 -s lab\nx = 1\ny = 3")
        assert "merged with what others changed" in ran
        wait_for_source(1, "x = 5\ny = 3")
        # The same place: nothing is sent, both are shown.
        lab.ok("%rtu_show 1 -s lab")
        other.edit(1, "x = 6\ny = 3")
        wait_for_source(1, "x = 6\ny = 3")
        ran = lab.run("%%rtu_edit 1 -s lab\nx = 7\ny = 3")
        assert re.fullmatch(
            r"EditConflict: cell 1 \(\w{8}\) was changed by somebody else in the same place; "
            r"nothing was sent\. Change your text, or run it again as it is to replace theirs",
            ran.line,
        )
        assert "x = 6\ny = 3" in ran.out
        assert "x = 7\ny = 3" in ran.out
        assert session().cell(1).source == "x = 6\ny = 3"
        # Again, knowing theirs: it replaces it.
        lab.ok("%%rtu_edit 1 -s lab\nx = 7\ny = 3")
        assert session().cell(1).source == "x = 7\ny = 3"


def test_edit_of_what_was_pulled_merges(lab: Shell) -> None:
    lab.ok("%%rtu_add\nx = 1\ny = 2")
    with rtu_magics.connect("lab.ipynb", name="other", say=lambda _: None) as other:
        lab.ok("%rtu_pull 1 -s lab")
        other.edit(1, "x = 5\ny = 2")
        wait_for_source(1, "x = 5\ny = 2")
        assert "merged with what others changed" in lab.ok("%%rtu_edit 1 -s lab\nx = 1\ny = 3")
        wait_for_source(1, "x = 5\ny = 3")


def wait_for_source(position: int, source: str) -> None:
    deadline = time.monotonic() + 60
    while [v.cell.source for v in session().cells()][position - 1 : position] != [source]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("%rtu_exec all", "--all"),
        ("%rtu_exec after 3", "--after"),
        ("%rtu_exec bg", "--bg"),
        ("%rtu_history runs", "--runs"),
        ("%rtu_clear all", "%rtu_clear alone, for all of them"),
        ("%rtu_revoke all", "--all"),
        ("%rtu_share viewer", "--role viewer"),
        ("%rtu_share list", "--list"),
        ("%rtu_kernel restart clear", "--clear"),
        ("%rtu_kernel interrupt all", "--all"),
        ("%rtu_disconnect all", "--all"),
        ("%%rtu_add first\nx", "--first"),
        ("%%rtu_add markdown\nx", "--type markdown"),
        ("%%rtu_edit 1 run\nx", "--run"),
        ("%rtu_move 1 first", "--first"),
    ],
)
def test_an_option_without_its_dashes(lab: Shell, line: str, meant: str) -> None:
    assert f"(did you mean {meant}?)" in lab.line(line)


# ---------------------------------------------------------------------- kernel


def test_unknown_kernel_name(lab: Shell) -> None:
    if session().kernel_status() is not None:
        lab.ok("%rtu_kernel stop")
    line = lab.line("%rtu_kernel start --name cobol")
    assert re.fullmatch(
        r"KernelUnknown: no kernel named 'cobol'; installed: (.*, )?python3(, .*)?; choose: "
        r"%rtu_kernel start --name NAME",
        line,
    )
    usable(lab)


def test_nothing_to_stop(lab: Shell) -> None:
    if session().kernel_status() is not None:
        lab.ok("%rtu_kernel stop")
    for action in ("stop", "interrupt", "restart"):
        assert lab.line(f"%rtu_kernel {action}") == (
            "KernelNotStarted: no remote kernel runs; %rtu_kernel start starts one"
        )


def test_kernel_that_dies(lab: Shell) -> None:
    ran = lab.run(
        "%%rtu_exec\nimport os\nimport time\nprint('last words', flush=True)\n"
        "time.sleep(0.5)\nos._exit(1)"
    )
    assert "last words" in ran.out
    assert re.fullmatch(
        r"KernelDied: cell 1 \(\w{8}\) did not run to its end: the kernel died \(exit code 1\); "
        r"its variables are gone, the next run starts on a fresh kernel",
        ran.line,
    )
    usable(lab)


def test_own_kernel_is_refused(lab: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    usable(lab)
    mine = session()
    status = mine.kernel_status()
    assert status is not None
    kernel_id = mine.call(mine.kernel.kernel_id(status.session_id))
    # As if this process were that kernel.
    monkeypatch.setattr("rtu_magics.session.ops.kernel.own_kernel_id", lambda: kernel_id)
    mine.kernel._not_own = None
    assert lab.line("%rtu_exec 1") == (
        "KernelError: lab.ipynb runs on this very kernel, which would wait for itself; run the "
        "cell in place, or connect from another notebook"
    )


# ---------------------------------------------------------------------- network


@pytest.fixture
def proxy(lab: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    mine = session()
    monkeypatch.setenv("RTU_TOKEN", mine.api.authorization_token)
    proxy = Proxy(urlsplit(mine.server_url).port or 0)
    lab.ok(f"%rtu_connect http://127.0.0.1:{proxy.port}/rtu/f/{mine.file.id} -s far")
    yield proxy
    sessions.get("far").close()
    proxy.close()


def test_network_gone_while_a_magic_waits(lab: Shell, proxy: Proxy) -> None:
    lab.ok("%%rtu_exec -s far\nimport time")
    timers = [threading.Timer(0.8, proxy.cut), threading.Timer(2.0, proxy.mend)]
    for timer in timers:
        timer.start()
    ran = lab.ok(
        "%%rtu_exec -s far\nfor n in range(40):\n    print(n, flush=True)\n    time.sleep(0.1)"
    )
    lines = ran.splitlines()
    assert "the connection is lost, reconnecting … (Ctrl-C stops waiting)" in lines
    assert any(re.fullmatch(r"reconnected after \d+\.\d s", line) for line in lines)
    # Nothing lost, nothing doubled, in order.
    assert [line for line in lines if line.isdigit()] == [str(n) for n in range(40)]
    for timer in timers:
        timer.join()


def test_run_that_ends_while_the_network_is_gone(lab: Shell, proxy: Proxy) -> None:
    lab.ok("%%rtu_exec -s far\nimport time")
    timers = [threading.Timer(0.5, proxy.cut), threading.Timer(2.5, proxy.mend)]
    for timer in timers:
        timer.start()
    ran = lab.run("%%rtu_exec -s far\nprint('a')\ntime.sleep(1)\nprint('b')\n1 / 0")
    assert "a\n" in ran.out
    assert "b\n" in ran.out
    assert "ZeroDivisionError" in ran.err
    assert re.search(r"RemoteCellError: cell 2 \(\w{8}\) raised ZeroDivisionError", ran.line)
    for timer in timers:
        timer.join()


def test_edit_while_the_network_is_gone(lab: Shell, proxy: Proxy) -> None:
    proxy.cut()
    wait_for_connection("far", "reconnecting")
    timer = threading.Timer(1, proxy.mend)
    timer.start()
    ran = lab.ok("%%rtu_add -s far\nx = 1")
    assert "the connection is lost, reconnecting … (Ctrl-C stops waiting)\n" in ran
    assert "added cell 1" in ran
    timer.join()
    wait_for_source(1, "x = 1")


def test_ctrl_c_gets_out_while_the_network_is_gone(lab: Shell, proxy: Proxy) -> None:
    proxy.cut()
    wait_for_connection("far", "reconnecting")
    threading.Timer(0.6, signal.raise_signal, [signal.SIGINT]).start()
    assert lab.line("%%rtu_add -s far\nx = 1") == (
        "KeyboardInterrupt: %rtu_add was stopped; what it had sent already may still take effect"
    )
    proxy.mend()
    wait_for_connection("far", "live")
    usable(lab)


def test_ctrl_c_of_a_run_while_the_network_is_gone(lab: Shell, proxy: Proxy) -> None:
    lab.ok("%%rtu_exec -s far\nimport time")
    timers = [
        threading.Timer(0.6, proxy.cut),
        threading.Timer(1.6, signal.raise_signal, [signal.SIGINT]),
    ]
    for timer in timers:
        timer.start()
    assert lab.line("%%rtu_exec -s far\ntime.sleep(4)") == (
        "KeyboardInterrupt: stopped waiting; the remote cell still runs, %rtu_kernel interrupt "
        "stops it, %rtu_attach shows it again"
    )
    proxy.mend()
    wait_for_connection("far", "live")
    usable(lab)


def wait_for_connection(name: str, state: str) -> None:
    deadline = time.monotonic() + 60
    while sessions.get(name).connection != state:
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---------------------------------------------------------------------- Ctrl-C in this process


def test_ctrl_c_interrupts_the_remote_cell(lab: Shell) -> None:
    lab.ok("%%rtu_exec\nimport time")
    threading.Timer(0.7, signal.raise_signal, [signal.SIGINT]).start()
    line = lab.line("%%rtu_exec\ntime.sleep(60)")
    assert line == "KeyboardInterrupt: the remote cell was interrupted"
    usable(lab)


def test_state_on_disk_is_a_valid_notebook(lab: Shell) -> None:
    import nbformat

    usable(lab)
    lab.ok("%rtu_save")
    content = json.loads(Path("lab.ipynb").read_text())
    nbformat.validate(nbformat.from_dict(content))
    assert content["cells"][0]["outputs"][0]["text"] in ("42\n", ["42\n"])


# ---------------------------------------------------------------------- the verbs' arguments


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.add(5), "a cell's source is text, and this is of type int: write str(…)"),
        (lambda s: s.add(["x"]), "a cell's source is text, and this is of type list"),
        (lambda s: s.add(None, cell_type="markdown"), "this is of type NoneType"),
        (lambda s: s.edit(1, 5), "a cell's source is text, and this is of type int"),
        (lambda s: s.start_scratch(5), "the code to run is text, and this is of type int"),
        (lambda s: s.rename(5), "a notebook's path is text, and this is of type int"),
        (lambda s: s.new_notebook(5), "a notebook's path is text, and this is of type int"),
        (lambda s: s.get(5), "5 is no name of a variable"),
        (lambda s: s.push(5, 1), "5 is no name of a variable"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_is_sent(
    lab: Shell, call: Callable[[Session], object], words: str
) -> None:
    lab.ok("%%rtu_add -s lab\nx = 1")
    before = [view.cell.source for view in session().cells()]
    with pytest.raises(RTUError) as caught:
        call(session())
    assert words in str(caught.value)
    assert [view.cell.source for view in session().cells()] == before


def test_a_session_named_without_its_option(lab: Shell) -> None:
    assert lab.line("%rtu_disconnect lab") == (
        "UsageError: unrecognized arguments: lab (did you mean -s lab?); see %rtu_disconnect?"
    )
    usable(lab)
