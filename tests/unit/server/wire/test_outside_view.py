"""How a link calls this machine, so that others find it."""

from __future__ import annotations

import pytest

from rtu_magics.server.wire.outside_view import for_others


@pytest.mark.parametrize(
    ("url", "listens_on"),
    [
        ("http://127.0.0.1:8888/rtu/f/1", "127.0.0.1"),
        ("http://localhost:8888/rtu/f/1", "localhost"),
        ("http://lab.example:8888/rtu/f/1", "0.0.0.0"),
        ("https://hub.example/user/ann/rtu/f/1", ""),
        ("http://127.0.0.1:8888/rtu/f/1", "192.0.2.7"),
    ],
)
def test_what_stays(url: str, listens_on: str) -> None:
    assert for_others(url, listens_on) == url


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "::", "", "*"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_one_that_listens_on_all_addresses(host: str, listens_on: str) -> None:
    url = for_others(f"http://{host}:8888/x/rtu/f/1?invite=a", listens_on)
    assert url.endswith(":8888/x/rtu/f/1?invite=a")
    assert url.startswith("http://")
    assert f"//{host}:" not in url
