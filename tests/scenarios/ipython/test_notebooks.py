"""The notebooks of a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu_magics.session import sessions

from .shells import Shell

pytestmark = [pytest.mark.server]


@pytest.fixture
def clean(lab: Shell) -> Iterator[Shell]:
    yield lab
    for path in Path(".").rglob("*.ipynb"):
        if path.name != "lab.ipynb":
            path.unlink()
    for session in [s for s in sessions if s.name != "lab"]:
        session.close()


def test_list_make_open(clean: Shell) -> None:
    lines = clean.ok("%rtu_ls").splitlines()
    assert lines[0].split() == ["notebook", "session"]
    assert re.fullmatch(r"lab\.ipynb +lab", lines[1])
    assert len(lines) == 2

    Path("week2").mkdir(exist_ok=True)
    assert clean.ok("%rtu_new week2/notes.ipynb") == (
        "created week2/notes.ipynb; to open it: %rtu_connect week2/notes.ipynb\n"
    )
    assert json.loads(Path("week2/notes.ipynb").read_text())["nbformat"] == 4
    text = clean.ok("%rtu_ls")
    assert re.search(r"week2/notes\.ipynb\n", text)
    assert text.endswith("to open one: %rtu_connect week2/notes.ipynb\n")

    assert clean.line("%rtu_new week2/notes.ipynb") == (
        "TargetError: there is a notebook week2/notes.ipynb already; %rtu_connect "
        "week2/notes.ipynb opens it"
    )
    assert "and connected to it as 'two words'" in clean.ok('%rtu_new "two words.ipynb" --open')
    assert sessions.get().path == "two words.ipynb"
    assert clean.ok("%rtu_new -q quiet.ipynb") == ""


def test_over_a_url(clean: Shell) -> None:
    lab = sessions.get("lab")
    # The token of the session that is open there already serves.
    clean.ok(f"%rtu_connect {lab.server_url}/rtu/f/{lab.file.id} -s far")
    assert clean.ok("%rtu_new far.ipynb -s far") == (
        f"created far.ipynb; to open it: %rtu_connect {lab.server_url}/lab/tree/far.ipynb\n"
    )
    clean.ok(f"%rtu_connect {lab.server_url}/lab/tree/far.ipynb")
    assert sessions.get().name == "far-2"
    assert "'c'" in clean.ok("%rtu_new c.ipynb -s far --open")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.txt", "TargetError: the name of a notebook ends in .ipynb, and 'a.txt' does not"),
        ("../out.ipynb", "leads out of the directory that is served"),
        (".hidden/a.ipynb", "is hidden"),
    ],
)
def test_bad_paths(clean: Shell, path: str, line: str) -> None:
    assert line in clean.line(f"%rtu_new {path}")
    assert "lab.ipynb" in clean.ok("%rtu_ls")
