"""Bad arguments and missing sessions: one line each, no server needed."""

from __future__ import annotations

import pytest

from .shells import Shell


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%rtu_status", "SessionError: no session is open; %rtu_connect opens one"),
        ("%rtu_exec 1", "SessionError: no session is open; %rtu_connect opens one"),
        ("%%rtu_add\nx = 1", "SessionError: no session is open; %rtu_connect opens one"),
        (
            "%rtu_cells --loud",
            "UsageError: unrecognized arguments: --loud; see %rtu_cells?",
        ),
        (
            "%rtu_delete",
            "UsageError: the following arguments are required: CELL; see %rtu_delete?",
        ),
        ("%rtu_show 'a", "UsageError: No closing quotation; see %rtu_show?"),
        (
            "%rtu_type 1 poem",
            "UsageError: argument type: invalid choice: 'poem' (choose from {}); see %rtu_type?",
        ),
        (
            "%rtu_exec",
            "UsageError: say what to run: %rtu_exec CELL, --all, --before CELL or --after CELL",
        ),
        (
            "%rtu_exec 1 --all",
            "UsageError: give only one of CELL, --all, --before and --after",
        ),
        (
            "%rtu_exec 1 --timeout 0",
            "UsageError: --timeout takes a number of seconds above 0; leave it out to wait on",
        ),
        (
            "%rtu_exec 1 --timeout -1",
            "UsageError: --timeout takes a number of seconds above 0; leave it out to wait on",
        ),
        (
            "%rtu_exec 1 --timeout nan",
            "UsageError: --timeout takes a number of seconds above 0; leave it out to wait on",
        ),
        (
            "%rtu_exec 1 --timeout soon",
            "UsageError: argument --timeout: invalid float value: 'soon'; see %rtu_exec?",
        ),
        (
            "%rtu_connect http://127.0.0.1:1/ --token -x",
            "UsageError: a value that begins with - is written --token=-…; see %rtu_connect?",
        ),
        (
            "%rtu_exec 1 -o 1x",
            "UsageError: -o takes the name of a variable, and '1x' is none",
        ),
        (
            "%rtu_exec --cell 1",
            "UsageError: --cell belongs to %%rtu_exec with a body; write %rtu_exec CELL",
        ),
        (
            "%%rtu_exec 3\nx",
            "UsageError: %%rtu_exec runs its body; --cell CELL puts it in place of a cell",
        ),
        (
            "%%rtu_exec\n  \n",
            "UsageError: the body of %%rtu_exec is empty; write the code below the magic",
        ),
        (
            "%%rtu_add\n\n",
            "UsageError: the body of %%rtu_add is empty; write the cell's text below the magic",
        ),
        (
            "%%rtu_edit 1\n\n",
            "UsageError: the body of %%rtu_edit is empty; write the cell's text below the magic",
        ),
        (
            "%%rtu_add",
            "UsageError: %%rtu_add is a cell magic, but the cell body is empty.",
        ),
        (
            "%%rtu_add --type markdown --run\n# x",
            "UsageError: a markdown cell cannot run; leave --run out",
        ),
        ("%rtu_move 1", "UsageError: say where to: --after CELL, --before CELL or --first"),
        (
            "%rtu_kernel stop --name python3",
            "UsageError: --name goes with start and restart",
        ),
        (
            "%rtu_connect ftp://x/y.ipynb",
            "TargetError: ftp://x/y.ipynb is not a web address: it has to begin with http:// or "
            "https://",
        ),
        ("%rtu_exec –all", "UsageError: –all begins with a typographic dash; write --all"),
        ("%rtu_exec —all", "UsageError: —all begins with a typographic dash; write --all"),
        ("x = %rtu_exec –all", "UsageError: –all begins with a typographic dash; write --all"),
        (
            "%rtu_exec 1 —keep‑going",
            "UsageError: —keep‑going begins with a typographic dash; write --keep-going",
        ),
        (
            "%rtu_exec 1 –timeout=5",
            "UsageError: –timeout=5 begins with a typographic dash; write --timeout=5",
        ),
        ("%%rtu_add –run\nx = 1", "UsageError: –run begins with a typographic dash; write --run"),
        (
            "%rtu_connect a.ipynb –new",
            "UsageError: –new begins with a typographic dash; write --new",
        ),
        ("%rtu_cells –s a", "UsageError: –s begins with a typographic dash; write -s"),
        ("%rtu_show −1", "UsageError: −1 has a typographic dash; write -1"),
        ("%rtu_exec 2–4", "UsageError: 2–4 has a typographic dash; write 2-4"),
        (
            "%rtu_save --name “before class”",
            'UsageError: “ is a typographic quote; write straight ones: "before class"',
        ),
        (
            "%rtu_connect „a.ipynb“",
            'UsageError: „ is a typographic quote; write straight ones: "a.ipynb"',
        ),
        (
            "%rtu_exec 1\xa0--keep-going",
            "UsageError: the space before --keep-going is a non-breaking one; type it anew",
        ),
        (
            "%rtu_exec\xa0--all",
            "UsageError: %rtu_exec is followed by a space that is none (non-breaking); type it "
            "anew",
        ),
        (
            "%rtu_save now",
            "UsageError: unrecognized arguments: now (did you mean --name now?); see %rtu_save?",
        ),
        (
            "%rtu_save --name before class",
            "UsageError: unrecognized arguments: class (a name with spaces in it goes in quotes); "
            "see %rtu_save?",
        ),
        (
            "%rtu_who Ann",
            "UsageError: unrecognized arguments: Ann (it takes none); see %rtu_who?",
        ),
        (
            "%rtu_connect no/such.ipynb",
            "TargetError: the directory {cwd}/no does not exist; create it first",
        ),
    ],
)
def test_one_line(shell: Shell, cell: str, line: str) -> None:
    import os
    import re

    found = shell.line(cell)
    if "choose from" in line:  # Python 3.12 quotes the choices, later ones do not
        found = re.sub(r"choose from [^)]*", "choose from {}", found)
    else:
        line = line.replace("{cwd}", os.getcwd())
    assert found == line


def test_nothing_open(shell: Shell) -> None:
    assert shell.ok("%rtu_sessions") == "no session is open; %rtu_connect opens one\n"
    assert shell.ok("%rtu_disconnect --all") == "no session is open\n"


def test_a_dead_host_is_told_before_anybody_is_asked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "x")
    assert shell.line("%rtu_connect http://127.0.0.1:9/lab/tree/a.ipynb") == (
        "ConnectFailed: nothing listens at 127.0.0.1:9: is the server running, and is the port "
        "right?"
    )
    assert not asked


def test_token_in_the_cell_is_said_once_and_masked(shell: Shell) -> None:
    ran = shell.run("%rtu_connect http://127.0.0.1:9/lab/tree/a.ipynb?token=s3cret")
    assert ran.out == (
        "note: the token stays in this cell, the history and the saved notebook; next time set "
        "RTU_TOKEN, or leave it out and be asked\n"
        "ConnectFailed: nothing listens at 127.0.0.1:9: is the server running, and is the port "
        "right?\n"
    )
    assert "s3cret" not in ran.text


@pytest.mark.parametrize("magic", ["rtu_connect", "rtu_exec", "rtu_edit", "rtu_kernel"])
def test_help_has_examples(shell: Shell, magic: str) -> None:
    functions = shell.ip.magics_manager.magics
    function = functions["line"].get(magic) or functions["cell"][magic]
    assert f"%{magic}" in function.__doc__
    assert "Examples::" in function.__doc__
    assert "--session NAME" in function.__doc__


def test_internal_errors_are_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("rtu_magics.ipython.text.notebook.session_table", fail)
    assert shell.line("%rtu_sessions") == (
        "RTUError: internal error in %rtu_sessions: ZeroDivisionError: oh no; please report it "
        "(logging.getLogger('rtu_magics') has the details at DEBUG)"
    )
