"""Which file of another server a copy is of, also after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtu_magics.server.afar.identities import Identities

URL = "http://lab.example:8888"


def test_they_are_kept(tmp_path: Path) -> None:
    place = tmp_path / "afar.json"
    ids = Identities(place, URL)
    assert URL in place.read_text()
    ids.note("a.ipynb", "1")
    ids.note("d/b é.ipynb", "2")
    ids.moved("a.ipynb", "c.ipynb")
    ids.moved("never.ipynb", "x.ipynb")
    again = Identities(place, URL)
    found = {path: again.of(path) for path in ("a.ipynb", "c.ipynb", "d/b é.ipynb", "x.ipynb")}
    assert found == {"a.ipynb": None, "c.ipynb": "1", "d/b é.ipynb": "2", "x.ipynb": None}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 3}', '{"files": {"a": 1}}'])
def test_half_a_file_is_none(tmp_path: Path, content: str) -> None:
    place = tmp_path / "afar.json"
    place.write_text(content)
    Identities(place, URL).note("b.ipynb", "2")
    assert Identities(place, URL).of("b.ipynb") == "2"
