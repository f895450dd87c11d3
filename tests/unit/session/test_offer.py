"""What a server without our extension offers, and what is said of it in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from rtu_magics.errors import (
    APIError,
    AuthenticationFailed,
    ConnectFailed,
    FileUnknown,
    RTUError,
    TargetError,
)
from rtu_magics.session.endpoint.offer import Answers, Offer, offer_of, way, why_not
from rtu_magics.session.endpoint.probe import find_live
from rtu_magics.session.endpoint.target import RemoteTarget

URL = "http://lab.example/user/ann"
NOTEBOOK = RemoteTarget(URL, path="week 1/lesson.ipynb")
CONTENTS = "/user/ann/api/contents/week 1"
SESSION = "/user/ann/api/collaboration/session/week 1/lesson.ipynb"
ROOM = "/user/ann/api/collaboration/room/JupyterLab:globalAwareness"


@pytest.mark.parametrize(
    ("answers", "offer"),
    [
        (Answers(), Offer.NO_JUPYTER),
        (Answers("", session=405, websocket=400), Offer.NO_JUPYTER),
        (Answers("2.21.1"), Offer.PLAIN),
        (Answers("2.21.1", session=405, websocket=400), Offer.COLLABORATION),
        (Answers("2.21.1", session=405), Offer.COLLABORATION),
        (Answers("2.21.1", session=404, websocket=400), Offer.SERVER_DOCUMENTS),
        (Answers("2.21.1", session=404, websocket=426), Offer.SERVER_DOCUMENTS),
        (Answers("2.21.1", session=404, websocket=405), Offer.PLAIN),
    ],
)
def test_offers(answers: Answers, offer: Offer) -> None:
    assert offer_of(answers) is offer


@pytest.mark.parametrize("offer", list(Offer))
def test_each_is_said_in_one_line(offer: Offer) -> None:
    line = why_not(offer, URL)
    assert bool(line) is (offer is not Offer.COLLABORATION)
    assert "\n" not in line + way(URL)


def server(answers: Mapping[str, tuple[int, object]]) -> httpx.MockTransport:
    """A server that has what is listed, by path; what is asked for must be allowed."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET", "nothing is changed"
        path = request.url.path
        if path.endswith("/api"):
            return made(*answers.get("/api", (200, {"version": "2.21.1"})))
        if request.headers["authorization"] != "Bearer right":
            return httpx.Response(403, json={"message": "Forbidden"})
        return made(*answers.get(path, (404, {"message": "nothing"})))

    return httpx.MockTransport(answer)


def made(status: int, content: object) -> httpx.Response:
    return httpx.Response(status, json=content)


FILE = {f"{CONTENTS}/lesson.ipynb": (200, {"type": "notebook", "writable": True})}
LIVE = {SESSION: (405, {"message": "Method Not Allowed"})}
NEIGHBOURS = {CONTENTS: (200, {"content": [{"type": "notebook", "path": "week 1/lessen.ipynb"}]})}


def test_a_live_notebook_is_found() -> None:
    asyncio.run(find_live(NOTEBOOK, "right", transport=server({**FILE, **LIVE})))


@pytest.mark.parametrize(
    ("answers", "token", "error", "words"),
    [
        ({"/api": (404, "")}, "right", ConnectFailed, "is no server with rtu_magics"),
        ({"/api": (200, [])}, "right", ConnectFailed, "is no server with rtu_magics"),
        ({**FILE, **LIVE}, "wrong", AuthenticationFailed, "does not accept the token; check it"),
        (FILE, "right", ConnectFailed, "neither rtu_magics nor live collaboration; run pip inst"),
        ({**FILE, ROOM: (400, "")}, "right", ConnectFailed, "run jupyter-collaboration there inst"),
        (LIVE, "right", FileUnknown, "has no notebook week 1/lesson.ipynb; check the name"),
        ({**LIVE, **NEIGHBOURS}, "right", FileUnknown, "did you mean week 1/lessen.ipynb?"),
        ({}, "right", FileUnknown, "has no notebook"),
        (
            {**LIVE, f"{CONTENTS}/lesson.ipynb": (200, {"type": "file"})},
            "right",
            TargetError,
            "is no notebook",
        ),
        ({SESSION: (302, "")}, "right", AuthenticationFailed, "does not accept the token"),
        ({SESSION: (502, "")}, "right", APIError, "has a problem"),
        ({**LIVE, f"{CONTENTS}/lesson.ipynb": (500, "")}, "right", APIError, "has a problem"),
    ],
)
def test_what_stands_against_it(
    answers: dict[str, tuple[int, object]], token: str, error: type[RTUError], words: str
) -> None:
    with pytest.raises(error) as caught:
        asyncio.run(find_live(NOTEBOOK, token, transport=server(answers)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is error
