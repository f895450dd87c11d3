"""Help: all magics in groups, and what a slip may have meant."""

from __future__ import annotations

import argparse

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
        ("%RTU_exec --all", "there is no %RTU_exec, it is written %rtu_exec, %%rtu_exec"),
        ("%rtu-exec --all", "there is no %rtu-exec, it is written %rtu_exec, %%rtu_exec"),
        ("%rtuconnect a.ipynb", "there is no %rtuconnect, it is written %rtu_connect"),
        ("%%rtuadd\nx = 1", "there is no %%rtuadd, it is written %%rtu_add"),
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
        ("%rtu_exec --al", "unrecognized arguments: --al (did you mean --all?)"),
        ("%rtu_exec -all", "unrecognized arguments: -all (did you mean --all?)"),
        ("%rtu_revoke --a", "did you mean --all?"),
        ("%rtu_disconnect --al", "did you mean --all?"),
        ("%rtu_history --run", "did you mean --runs?"),
        ("%rtu_kernel restart --cl", "did you mean --clear?"),
        ("%rtu_connect -x.ipynb", "is written ./-x.ipynb"),
        ("%rtu_rename two words.ipynb", "goes in quotes"),
        ("%rtu_move 1 2", "did you mean --after 2?"),
        ("%rtu_pull 1 2", "it takes one cell"),
    ],
)
def test_one_word_too_many(shell: Shell, cell: str, hint: str) -> None:
    assert hint in shell.line(cell)


def test_no_magic_takes_half_an_option(shell: Shell) -> None:
    magics = shell.ip.magics_manager.magics
    ours = {n: f for kind in magics.values() for n, f in kind.items() if n.startswith("rtu_")}
    assert len(ours) > 30
    tried = 0
    for name, function in ours.items():
        parser = function.parser
        for action in parser._actions:
            for option in (o for o in action.option_strings if o.startswith("--")):
                half = option[:-1]
                if half in parser._option_string_actions:
                    continue
                _, rest = parser.parse_known_args([half, *_needed(parser)])
                assert half in rest, f"%{name} takes {half} for {option}"
                tried += 1
    assert tried > 40


def _needed(parser: argparse.ArgumentParser) -> list[str]:
    """The words without which the parser says that they are missing, and nothing else."""
    positionals = [a for a in parser._actions if not a.option_strings and a.nargs in (None, "+")]
    return [str(next(iter(a.choices))) if a.choices else "1" for a in positionals]
