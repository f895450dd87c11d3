"""Names of notebooks: slips make none, and odd ones that are there open as they are."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

import rtu_magics
from rtu_magics.errors import FileUnknown
from rtu_magics.session import sessions

from .shells import Shell

pytestmark = [pytest.mark.server]


def write(path: Path, source: str) -> None:
    cell = nbformat.v4.new_code_cell(source)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lesosn.ipynb", "lesson.ipynb"),
        ("Lesson.ipynb", "lesson.ipynb"),
        ("two%20words.ipynb", '"two words.ipynb"'),
        ("homework.ipynb", "week1/homework.ipynb"),
        ("two_words.ipynb", '"two words.ipynb"'),
    ],
)
def test_a_slip_makes_nothing(shell: Shell, typed: str, meant: str) -> None:
    Path("week1").mkdir()
    for name in ("lesson.ipynb", "two words.ipynb", "week1/homework.ipynb"):
        write(Path(name), "x = 1")
    line = shell.line(f"%rtu_connect {typed}")
    assert line == (
        f"FileUnknown: there is no notebook {typed}; did you mean {meant}? --new (new=True) makes "
        f"an empty one"
    )
    assert not Path(typed).exists()
    assert not Path(".rtu_magics").exists(), "a server was started for nothing"


def test_a_slip_beside_a_running_server(shell: Shell) -> None:
    write(Path("lesson.ipynb"), "x = 1")
    shell.ok("%rtu_connect lesson.ipynb")
    url = sessions.get().server_url
    assert "did you mean lesson.ipynb?" in shell.line("%rtu_connect lesosn.ipynb")
    assert "did you mean lesson.ipynb?" in shell.line(f"%rtu_connect {url}/tree/lesosn.ipynb")
    with pytest.raises(FileUnknown, match=r"did you mean lesson.ipynb\? .*new=True"):
        rtu_magics.connect("lesosn.ipynb")
    assert not Path("lesosn.ipynb").exists()
    assert "connected to lesosn.ipynb" in shell.ok("%rtu_connect lesosn.ipynb --new")
    assert Path("lesosn.ipynb").exists()
    with rtu_magics.connect("third.ipynb", new=True) as third:
        assert third.cells() == []


def test_odd_names_open_as_they_are(shell: Shell) -> None:
    names = ["a\\b.ipynb", "~x.ipynb", "50% off.ipynb", "tail .ipynb", "x" * 245 + ".ipynb"]
    for number, name in enumerate(names):
        write(Path(name), f"number = {number}")
    for number, name in enumerate(names):
        shell.ok(f"%rtu_connect '{name}' -s s{number}")
        assert f"number = {number}" in shell.ok("%rtu_show 1")
        shell.ok(f"%%rtu_edit 1\nnumber = {number}\nedited = True")
        shell.ok("%rtu_save")
        assert "edited = True" in Path(name).read_text()
    assert sorted(p.name for p in Path().iterdir() if p.suffix == ".ipynb") == sorted(names)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\\b.ipynb", "folders are written with /"),
        ("'d /x.ipynb'", "begins or ends with a space"),
        ("y" * 240 + ".ipynb", "longer than 200 bytes"),
        ("/etc/x.ipynb", "not below the directory that is served"),
    ],
)
def test_names_that_nobody_should_make(shell: Shell, name: str, words: str) -> None:
    shell.ok("%rtu_connect")
    assert words in shell.line(f"%rtu_new {name}")
    assert [p.name for p in Path().rglob("*.ipynb")] == ["rtu_scratch.ipynb"]
