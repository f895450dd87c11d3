"""Help: all magics in groups, and what a slip may have meant."""

from __future__ import annotations

import pytest

from .shells import Shell


def test_every_magic_stands_in_a_group(shell: Shell) -> None:
    text = shell.ok("%rtu_help")
    magics = shell.ip.magics_manager.magics
    ours = {n for kind in magics.values() for n in kind if n.startswith("rtu_")}
    for name in ours:
        assert f"%{name} " in text, f"{name} is in no group"
    assert "%rtu_exec, %%rtu_exec" in text
    assert all(len(line.split(None, 1)) == 2 for line in text.splitlines()[1:])


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("%rtu_exce 3", "there is no %rtu_exce; did you mean %rtu_exec, %%rtu_exec?"),
        ("%%rtu_ad\nx = 1", "there is no %%rtu_ad; did you mean %%rtu_add?"),
        ("x = %rtu_exe 1", "there is no %rtu_exe; did you mean %rtu_exec, %%rtu_exec?"),
        ("%rtu_conect a.ipynb", "did you mean %rtu_connect?"),
        ("%rtu_add", "there is no %rtu_add, it is written %%rtu_add"),
        ("%%rtu_cells\nx", "there is no %%rtu_cells, it is written %rtu_cells"),
        ("%rtu_xyzzyx", "there is no %rtu_xyzzyx; %rtu_help lists all"),
    ],
)
def test_slips(shell: Shell, cell: str, meant: str) -> None:
    line = shell.line(cell)
    assert meant in line
    assert "%rtu_help lists all" in line


def test_texts_that_only_look_like_one(shell: Shell) -> None:
    assert shell.ok("print('%rtu_exce')") == "%rtu_exce\n"
    assert shell.ok("rtu_exce = 3; print(rtu_exce)") == "3\n"


@pytest.mark.parametrize("magic", ["rtu_move", "rtu_connect", "rtu_exec", "rtu_share"])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_as_on_a_command_line(shell: Shell, magic: str, flag: str) -> None:
    text = shell.ok(f"%{magic} {flag}")
    assert "Examples" in text or "options" in text
    assert shell.ok(f"%rtu_help {magic}") == text


def test_unload_leaves_nothing(shell: Shell) -> None:
    before = len(shell.ip.input_transformers_post)
    shell.ok("%unload_ext rtu_magics")
    assert len(shell.ip.input_transformers_post) == before - 1
    shell.ok("%load_ext rtu_magics")


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("%rtu_connect my notebook.ipynb", "a name with spaces in it goes in quotes"),
        ("%rtu_connect --nwe a.ipynb", "did you mean --new?"),
        ("%rtu_connect -x.ipynb", "is written ./-x.ipynb"),
        ("%rtu_rename two words.ipynb", "goes in quotes"),
    ],
)
def test_one_word_too_many(shell: Shell, cell: str, hint: str) -> None:
    assert hint in shell.line(cell)
