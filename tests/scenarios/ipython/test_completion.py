"""Tab completion, asked the way a front end asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu_magics.ipython.completion import MagicCompleter
from rtu_magics.session import sessions

from .shells import Shell

pytestmark = pytest.mark.filterwarnings("ignore:.Completer.complete. is pending deprecation")


def complete(shell: Shell, line: str, cell: str | None = None) -> list[str]:
    """What the Tab key offers at the end of a line; with `cell`, of that cell's first line."""
    text = cell if cell is not None else line
    found = [
        c.text for c in shell.ip.Completer.completions(text, len(line)) if c.text != "<unknown>"
    ]
    # The older way in gives the same.
    _, legacy = shell.ip.complete(None, line, len(line))
    assert cell is not None or sorted(set(legacy)) == sorted(set(found))
    return found


@pytest.fixture(autouse=True)
def _experimental() -> Iterator[None]:
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        yield


def test_flags(shell: Shell) -> None:
    assert complete(shell, "%rtu_exec --a") == ["--all", "--after"]
    assert complete(shell, "%%rtu_add --t") == ["--type"]
    assert complete(shell, "x = %rtu_exec --be") == ["--before"]
    assert complete(shell, "rtu_exec --al") == ["--all"]
    assert complete(shell, "%rtu_exec --all --a") == ["--after"]
    assert complete(shell, "%%rtu_exec --ce", "%%rtu_exec --ce\nx = 1\n") == ["--cell"]
    assert "--session" in complete(shell, "%rtu_status ")


def test_choices(shell: Shell) -> None:
    assert complete(shell, "%rtu_kernel re") == ["restart"]
    assert complete(shell, "%%rtu_add --type ") == ["code", "markdown", "raw", "sql"]
    assert complete(shell, "%%rtu_add --type=m") == ["markdown"]
    assert complete(shell, "%rtu_type 3 s") == ["sql"]


def test_without_a_session(shell: Shell) -> None:
    matcher = MagicCompleter(shell.ip)
    for line in ("%rtu_show 1", "%rtu_status -s a", "%rtu_nonsense --a", "%rtu_show 'a", "rtu_"):
        found = matcher.match(line, line.split()[-1])
        assert found == {"completions": [], "suppress": False, "ordered": True}


def test_notebooks(shell: Shell) -> None:
    Path("lessons").mkdir()
    Path(".ipynb_checkpoints").mkdir()
    for name in ("a.ipynb", "two words.ipynb", "lessons/b.ipynb", "c.txt"):
        Path(name).touch()
    Path(".ipynb_checkpoints/a.ipynb").touch()
    assert complete(shell, "%rtu_connect a") == ["a.ipynb"]
    assert complete(shell, "%rtu_connect less") == ["lessons/b.ipynb"]
    offered = complete(shell, "%rtu_connect ")
    assert offered[:3] == ["a.ipynb", '"two words.ipynb"', "lessons/b.ipynb"]
    assert '"two words.ipynb"'[1:] in complete(shell, '%rtu_connect "two')


def test_never_raises(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("rtu_magics.ipython.completion.pending", fail)
    assert "restart" not in complete(shell, "%rtu_kernel re")


def test_unload_takes_it_away(shell: Shell) -> None:
    before = list(shell.ip.Completer.custom_matchers)
    shell.ok("%reload_ext rtu_magics")
    assert len(shell.ip.Completer.custom_matchers) == len(before)
    shell.ok("%unload_ext rtu_magics")
    assert len(shell.ip.Completer.custom_matchers) == len(before) - 1
    shell.ok("%load_ext rtu_magics")


@pytest.mark.server
def test_cells_sessions_and_kernels(lab: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    session = sessions.get("lab")
    ids = [session.add(f"x = {n}").id[:8] for n in range(3)]
    for line in ("%rtu_show ", "%rtu_exec 1 ", "%rtu_move 1 --after ", "%rtu_exec -s lab "):
        assert complete(lab, line)[:6] == ["1", "2", "3", *ids]
    assert complete(lab, f"%%rtu_edit {ids[1][:7]}") == [ids[1]]
    assert complete(lab, "%rtu_cells -s ") == ["lab"]
    assert complete(lab, "%rtu_cells --session=l") == ["lab"]
    assert complete(lab, "%rtu_exec -s nobody --be") == ["--before"]
    assert MagicCompleter(lab.ip).match("%rtu_show -s nobody ", "")["completions"] == []

    deadline = time.monotonic() + 60
    while not session.known_kernels:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # From here on nothing may be asked of the server.
    monkeypatch.setattr(session, "api", None)
    assert "python3" in complete(lab, "%rtu_kernel start --name p")


@pytest.mark.server
def test_busy_loop_does_not_block(lab: Shell) -> None:
    from rtu_magics.session import background

    session = sessions.get("lab")
    session.add("x = 1")
    known = complete(lab, "%rtu_show ")
    free = threading.Event()
    background().loop.call_soon_threadsafe(free.wait, 60)
    session_known = lab.ip.complete(None, "%rtu_show ", 10)[1]
    assert not free.is_set(), "the answer came while the loop was busy"
    free.set()
    assert sorted(session_known) == sorted(known)
