"""Where copies of a far server's notebooks lie, and that nobody takes them for notebooks."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from rtu_magics.embedded import STATE_DIR, Afar, find_or_start, open_copies
from rtu_magics.embedded.afar import folder_of
from rtu_magics.embedded.start import AFAR_MARK
from rtu_magics.errors import EmbeddedServerError
from rtu_magics.server.afar.parts import MARK


def test_each_server_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    urls = [
        "http://lab.example:8888",
        "http://lab.example:8889",
        "https://lab.example:8888",
        "https://hub.example/user/ann",
        "https://hub.example/user/../ann",
        "https://hub.example/user/" + "é" * 300,
    ]
    folders = [folder_of(url) for url in urls]
    assert len(set(folders)) == len(urls)
    assert {folder.parent for folder in folders} == {tmp_path / "rtu_magics" / "afar"}
    assert folders == [folder_of(url) for url in urls]
    assert "lab.example-8888" in folders[0].name


def test_copies_are_no_notebooks_of_this_machine(tmp_path: Path) -> None:
    assert AFAR_MARK == MARK, "one name on both sides"
    state = tmp_path / STATE_DIR
    state.mkdir()
    (state / MARK).write_text("{}")
    with pytest.raises(EmbeddedServerError, match="connect to their address there"):
        find_or_start(tmp_path)


def test_what_has_to_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedServerError, match="pip install pycrdt"):
        open_copies(Afar("http://lab.example:8888", "t"), print)
    assert not (tmp_path / "rtu_magics").exists()
