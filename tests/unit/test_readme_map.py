"""The README's maps and drawings name what there is, and leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rtu_magics"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLACES = (PACKAGE, PACKAGE / "server", ROOT)


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## )", README, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found.group(1)


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ") and "`" in line]


def paths_in(row: str) -> list[str]:
    """Return what a row names as files and folders."""
    return [one for one in re.findall(r"`([^`]+)`", row) if re.fullmatch(r"[\w./]+(/|\.py)", one)]


def is_there(path: str, *more: Path) -> bool:
    return any((place / path).exists() for place in (*PLACES, *more))


MAP = section("Map of the code")
NAMED = [(path, row) for row in rows(MAP) for path in paths_in(row)]
DRAWN = sorted(
    {
        one
        for title in ("The way of a delta", "The way of an output")
        for one in re.findall(r"\b[a-z_]+/[a-z_]+\b", section(title))
    }
)


def test_there_is_enough_to_look_at() -> None:
    assert len(NAMED) > 50
    assert len(DRAWN) > 8


@pytest.mark.parametrize(("path", "row"), NAMED, ids=[path for path, _ in NAMED])
def test_what_a_table_names_is_there(path: str, row: str) -> None:
    owners = [place / one for place in PLACES for one in paths_in(row.split("|")[1])]
    assert is_there(path, *owners)


@pytest.mark.parametrize("path", DRAWN)
def test_what_is_drawn_is_there(path: str) -> None:
    assert is_there(path) or is_there(f"{path}.py")


@pytest.mark.parametrize("folder", [PACKAGE, PACKAGE / "server"], ids=lambda one: str(one.name))
def test_no_folder_is_left_out(folder: Path) -> None:
    there = {f"{one.name}/" for one in folder.iterdir() if one.is_dir() and any(one.glob("*.py"))}
    assert not there - {path for path, _ in NAMED}


def test_every_file_that_the_text_names_is_there() -> None:
    named = set(re.findall(r"`((?:\.ci|tests|notebooks|rtu_magics|findings)/[\w./-]+)`", README))
    assert not {path for path in named if not (ROOT / path).exists()}
