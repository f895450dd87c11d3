"""What makes a page of JupyterLab live is said once of each server, and only where it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rtu_magics.errors import PermissionDenied
from rtu_magics.ipython.magics import connect
from rtu_magics.ipython.magics.connect import NOT_LIVE, ConnectMagics


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_PAGES_TOLD", set())


def said(*pages: str, url: str = "http://lab", role: str | None = "owner") -> list[str]:
    lines: list[str] = []
    magics: Any = SimpleNamespace(say=lines.append)
    for one in pages:
        session: Any = SimpleNamespace(
            server_url=url,
            role=role,
            api=SimpleNamespace(info=lambda one=one: SimpleNamespace(pages=one)),
            call=lambda found: found,
        )
        ConnectMagics._tell_of_pages(magics, session)
    return lines


def test_once_of_each_server() -> None:
    assert said("plain", "plain") == [NOT_LIVE]
    assert said("plain", url="http://another") == [NOT_LIVE]
    assert 'pip install "rtu_magics[lab]"' in NOT_LIVE


@pytest.mark.parametrize("pages", ["live", ""])
def test_nothing_where_it_is_live_or_there_is_none(pages: str) -> None:
    assert said(pages) == []


def test_nothing_to_whom_it_does_not_concern() -> None:
    assert said("plain", role="viewer") == []


def test_a_server_that_does_not_say() -> None:
    def refuses(_: Any) -> None:
        raise PermissionDenied("no")

    magics: Any = SimpleNamespace(say=pytest.fail)
    api = SimpleNamespace(info=lambda: None)
    session: Any = SimpleNamespace(server_url="u", role=None, api=api, call=refuses)
    ConnectMagics._tell_of_pages(magics, session)
