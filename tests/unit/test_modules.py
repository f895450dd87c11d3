"""What holds for every module: one that can be read in one go, under a name that is a thing."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "rtu_magics"
MODULES = [one for one in PACKAGE.rglob("*.py") if "node_modules" not in one.parts]
LINES = 400
LONGER = {"session/session.py"}  # a line and a docstring for each verb, and nothing else


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def lines_of(module: Path) -> int:
    return len(module.read_text(encoding="utf-8").splitlines())


def test_none_is_longer_than_can_be_read_in_one_go() -> None:
    assert len(MODULES) > 300
    assert {name_of(one) for one in MODULES if lines_of(one) > LINES} == LONGER


def test_what_is_longer_only_hands_on() -> None:
    """Each verb of a session is its docstring and a few lines that call what does it."""
    for name in LONGER:
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name != "__init__":
                statements = [one for one in function.body if not isinstance(one, ast.Expr)]
                assert len(statements) <= 5, (name, function.name)


def test_none_is_named_after_a_doing() -> None:
    assert not [name_of(one) for one in MODULES if one.stem.endswith("ing")]
