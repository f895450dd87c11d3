"""Kernel sessions of another server, asked for without asking it more often than needed."""

from __future__ import annotations

from typing import Any

import pytest
from tornado.web import HTTPError

from rtu_magics.server.afar.remote import Unreachable
from rtu_magics.server.afar.sessions import RemoteSessions


def session(number: int, path: str) -> dict[str, Any]:
    return {"id": f"s{number}", "path": path, "kernel": {"id": f"k{number}", "name": "python3"}}


class Server:
    """Has sessions, and counts what it is asked."""

    def __init__(self, *sessions: dict[str, Any]) -> None:
        self.sessions = list(sessions)
        self.asked: list[str] = []
        self.down = False

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append(f"{method} {path}")
        if self.down:
            raise Unreachable("it does not answer")
        if method == "POST":
            made = session(9, body["path"])
            self.sessions.append(made)
            return made
        if method == "DELETE":
            there = [one for one in self.sessions if path.endswith(one["id"])]
            if not there:
                raise Unreachable("not there", 404)
            self.sessions.remove(there[0])
            return None
        return [*self.sessions, {"id": "console", "path": "x", "kernel": None}, "odd"]


class Kernels:
    def __init__(self) -> None:
        self.known: list[str] = []

    def list_kernel_ids(self) -> list[str]:
        return self.known

    async def start_kernel(self, kernel_id: str) -> None:
        self.known.append(kernel_id)


@pytest.mark.parametrize("path", ["d/a.ipynb", "RTC:d/a.ipynb", "/d/a.ipynb"])
async def test_a_notebooks_session_is_found(path: str) -> None:
    server, kernels = Server(session(1, "b.ipynb"), session(2, path)), Kernels()
    sessions = RemoteSessions(server, kernels)  # type: ignore[arg-type]
    assert await sessions.session_exists("d/a.ipynb")
    assert not await sessions.session_exists("a.ipynb")
    assert (await sessions.get_session(path="d/a.ipynb"))["id"] == "s2"
    assert (await sessions.get_session(session_id="s1"))["path"] == "b.ipynb"
    with pytest.raises(HTTPError):
        await sessions.get_session(session_id="s3")
    assert server.asked == ["GET /api/sessions"]
    assert sorted(kernels.known) == ["k1", "k2"]


async def test_a_kernel_is_started_and_ended_there() -> None:
    server, kernels = Server(), Kernels()
    sessions = RemoteSessions(server, kernels)  # type: ignore[arg-type]
    assert not await sessions.session_exists("a.ipynb")
    made = await sessions.create_session("a.ipynb", "a.ipynb", "notebook", "python3")
    assert kernels.known == ["k9"]
    assert await sessions.session_exists("a.ipynb"), "it is known at once"
    await sessions.delete_session(made["id"])
    assert not await sessions.session_exists("a.ipynb")
    await sessions.delete_session(made["id"])  # somebody else was quicker


async def test_a_page_starts_a_kernel_at_the_same_moment() -> None:
    server, kernels = Server(), Kernels()
    sessions = RemoteSessions(server, kernels)  # type: ignore[arg-type]
    assert not await sessions.session_exists("a.ipynb")
    server.sessions.append(session(1, "RTC:a.ipynb"))
    made = await sessions.create_session("a.ipynb", "a.ipynb", "notebook", "python3")
    assert made["id"] == "s1"
    assert [one["id"] for one in server.sessions] == ["s1"], "ours, in which nothing ran, has gone"


async def test_what_was_known_stays_while_nobody_answers() -> None:
    server = Server(session(1, "a.ipynb"))
    sessions = RemoteSessions(server, Kernels())  # type: ignore[arg-type]
    server.down = True
    assert not await sessions.session_exists("a.ipynb")
    server.down, sessions._asked_at = False, float("-inf")
    assert await sessions.session_exists("a.ipynb")
    server.down, sessions._asked_at = True, float("-inf")
    assert await sessions.session_exists("a.ipynb")
    with pytest.raises(Unreachable):
        await sessions.create_session("a.ipynb", "a.ipynb", "notebook", "python3")
