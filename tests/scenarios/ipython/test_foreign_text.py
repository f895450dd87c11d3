"""Hostile text through every magic and every command: it is shown as text, and orders nothing.

A new magic, or a new command, fails here until it has a row.
"""

from __future__ import annotations

import argparse
import builtins
import os
import re
import signal
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from rtu_magics.cli import _parser
from rtu_magics.errors import RTUError
from rtu_magics.session import Session, sessions

from ...helpers.cli import COMMAND
from .conftest import interactive_shell
from .shells import Shell

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]

TITLE, CLIPBOARD, CLEAR = "\x1b]0;t\x07", "\x1b]52;c;QQ==\x07", "\x1b[2J"
EVIL = f"A{TITLE}{CLIPBOARD}{CLEAR}\x1b[8m\x9b31m\x9d0;t\x9c\u202e\u2066\u200b\x08\x7fZ"
PATH = "evil\u202e\x9b31m\x9d0;t\x9c\u2067.ipynb"

SOURCE = f"""# {EVIL}
import sys
from IPython.display import display
print({EVIL!r}, flush=True)
print({EVIL!r}, file=sys.stderr, flush=True)
display({{"text/plain": {EVIL!r}, {EVIL!r}: "x"}}, raw=True)
Evil = type({EVIL!r}, (), {{"__repr__": lambda self: {EVIL!r}}})
evil = Evil()
"""
FAILS = f"raise type({EVIL!r}, (Exception,), {{}})({EVIL!r})"
ASKS = f"input({EVIL!r})"

# What is typed for each magic; a line that fails counts as well, since errors quote, too.
MAGICS: dict[str, list[str]] = {
    "rtu_add": ["%%rtu_add\nx = 1"],
    "rtu_attach": ["%rtu_attach 1", "%rtu_attach 2"],
    "rtu_cells": ["%rtu_cells"],
    "rtu_clear": ["%rtu_clear 4"],
    "rtu_config": ["%rtu_config"],
    "rtu_connect": ["%rtu_connect {url}", "%rtu_connect {link} -s guest", "%rtu_connect {missing}"],
    "rtu_delete": ["%rtu_delete 5", "%rtu_delete nothing"],
    "rtu_disconnect": ["%rtu_disconnect -s guest"],
    "rtu_edit": ["%%rtu_edit 5\nx = 2", "%%rtu_edit 4\nx = 'mine'"],
    "rtu_exec": ["%rtu_exec 1", "%rtu_exec 2", "%rtu_exec 3", "%rtu_exec 2 --bg"],
    "rtu_follow": ["%rtu_follow Ann"],
    "rtu_get": ["%rtu_get evil", "%rtu_get nothing"],
    "rtu_help": ["%rtu_help", "%rtu_help nothing"],
    "rtu_history": ["%rtu_history", "%rtu_history 1 --runs"],
    "rtu_kernel": ["%rtu_kernel", "%rtu_kernel start --name nothing"],
    "rtu_ls": ["%rtu_ls"],
    "rtu_mirror": ["%rtu_mirror"],
    "rtu_move": ["%rtu_move 4 --after 3"],
    "rtu_new": ["%rtu_new {missing_path}"],
    "rtu_pull": ["%rtu_pull 4"],
    "rtu_push": ["evil = 1", "%rtu_push evil"],
    "rtu_remote": ["%rtu_remote on", "x = 1", "%rtu_remote", "%rtu_remote off"],
    "rtu_rename": ["%rtu_rename no/such\x9b.txt"],
    "rtu_replay": ["%rtu_replay"],
    "rtu_restore": ["%rtu_restore 1", "%rtu_restore nothing"],
    "rtu_result": ["%rtu_result run1", "%rtu_result nothing"],
    "rtu_revoke": ["%rtu_revoke --all", "%rtu_revoke nothing"],
    "rtu_runs": ["%rtu_runs"],
    "rtu_save": ["%rtu_save"],
    "rtu_sessions": ["%rtu_sessions"],
    "rtu_share": ["%rtu_share --name Ann", "%rtu_share --list"],
    "rtu_show": ["%rtu_show 1", "%rtu_show 2", "%rtu_show 4"],
    "rtu_status": ["%rtu_status", "%rtu_status --text"],
    "rtu_type": ["%rtu_type 4 raw"],
    "rtu_undo": ["%%rtu_edit 4\nx = 3", "%rtu_undo"],
    "rtu_vars": ["%rtu_vars"],
    "rtu_versions": ["%rtu_versions"],
    "rtu_wait": ["%rtu_wait"],
    "rtu_who": ["%rtu_who"],
}
ORDER_LAST = ["rtu_wait", "rtu_result", "rtu_restore", "rtu_disconnect"]


def orders(text: str, *, returns: bool = False) -> list[str]:
    """Return what in a text a terminal, or a bidirectional algorithm, would obey."""
    assert "\x1b[8m" not in text, "hidden text"
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    seen = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return sorted(seen - set("\n\t") - ({"\r"} if returns else set()))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InteractiveShell, Session]]:
    """A shell, and a notebook in which everything that others may write is hostile."""
    work = tmp_path_factory.mktemp("evil")
    with pytest.MonkeyPatch.context() as patch, interactive_shell(work / "ipython") as ip:
        patch.chdir(work)
        ip.run_cell("%rtu_connect lab.ipynb --new")
        session = sessions.get("lab")
        for source in (SOURCE, FAILS, ASKS):
            session.add(source)
        session.add(f"# {EVIL}\r\nx = 1\rhidden", cell_type="code")
        session.add(f"# {EVIL}", cell_type="markdown")
        session.save_version(EVIL)
        session.rename(PATH)
        session.resolve("1")  # where others see this user
        ip.user_ns["link"] = session.share("executor", name="Ann").url
        ip.user_ns["url"] = f"{session.server_url}/rtu/f/{session.file.id}"
        ip.user_ns["missing"] = f"{session.server_url}/tree/no{PATH}"
        ip.user_ns["missing_path"] = f"no/{PATH}"
        yield ip, session


def test_every_magic_shows_hostile_text_as_text(
    scene: tuple[InteractiveShell, Session],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ip, _ = scene
    asked: list[str] = []

    def answer(prompt: str = "") -> str:
        asked.append(prompt)
        return "answer"

    monkeypatch.setattr(builtins, "input", answer)
    registered = {n for kind in ip.magics_manager.magics.values() for n in kind if n[:4] == "rtu_"}
    assert set(MAGICS) == registered, "every magic has a row here"
    shell = Shell(ip, capsys)
    seen = ""
    for name in [*sorted(set(MAGICS) - set(ORDER_LAST)), *ORDER_LAST]:
        for typed in MAGICS[name]:
            ran = shell.run(typed)
            found = orders(ran.text, returns=name in ("rtu_exec", "rtu_attach", "rtu_remote"))
            assert not found, (typed, found, ran.text)
            assert "rtu_magics/" not in ran.text, "frames of ours"
            if ran.error is not None:
                assert not orders(str(ran.error)), typed
            seen += ran.text
    assert asked
    assert not orders("".join(asked))
    # The text itself is there: nothing is hidden, it only is no order.
    assert seen.count("]0;t") > 20
    assert "·]52;c;QQ==·" in seen


def test_representations_are_text(scene: tuple[InteractiveShell, Session]) -> None:
    ip, session = scene
    assert not orders(repr(session))
    ip.run_cell("%rtu_exec 1 -o kept")
    kept = ip.user_ns["kept"]
    assert EVIL in kept.text  # as it came, for programs
    assert not orders(kept._repr_mimebundle_()["text/plain"])
    assert not orders(str(RTUError(EVIL)))


# The demo has a notebook and two people of its own making, and nobody else in it.
COMMANDS = {"serve", "share", "tail", "doctor", "demo"}


def test_every_command_has_a_row() -> None:
    parser, _ = _parser()
    actions: Any = parser._actions
    found = next(a for a in actions if isinstance(a, argparse._SubParsersAction))
    assert set(found.choices) == COMMANDS


def test_commands_show_hostile_text_as_text(
    scene: tuple[InteractiveShell, Session], tmp_path: Path
) -> None:
    _, session = scene
    token = session.api.authorization_token
    url = f"{session.server_url}/rtu/f/{session.file.id}?token={token}"
    missing = f"{session.server_url}/tree/no{PATH}?token={token}"
    evil = tmp_path / f"d{TITLE.replace('/', '')}\u202e"
    evil.mkdir()
    (evil / PATH).write_text("no notebook")
    for arguments in (
        ["share", url, "--name", "Ann"],
        ["share", missing],
        ["tail", missing],
        ["doctor", str(evil)],
        ["serve", str(evil / "missing" / PATH)],
        ["serve", str(evil / "nothing")],
    ):
        done = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=100, check=False
        )
        assert done.stdout + done.stderr
        assert not orders(done.stdout + done.stderr), arguments


def test_tail_shows_hostile_messages_as_text(scene: tuple[InteractiveShell, Session]) -> None:
    _, session = scene
    url = f"{session.server_url}/rtu/f/{session.file.id}"
    token = str(session.api.authorization_token)
    with subprocess.Popen(
        [*COMMAND, "tail", url, "--full"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "RTU_TOKEN": token},
    ) as process:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if "following" in line:
                session.add(f"# {EVIL}")
            if "new_delta_event" in line:
                break
        process.send_signal(signal.SIGINT)
        text += process.communicate(timeout=30)[0]
    assert not orders(text)
