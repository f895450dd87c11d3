"""What is said over a room's websocket beside Yjs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.afar.messages import answer_in, covers, save_request, why_closed
from rtu_magics.server.bridge.numbers import decoded, encoded


@given(st.integers(0, 2**53))
def test_numbers(value: int) -> None:
    assert decoded(b"x" + encoded(value) + b"y", 1) == (value, 1 + len(encoded(value)))


@pytest.mark.parametrize(
    "message",
    [b"\x02", b"\x02\x80", b"\x02\x02[]", b"\x02\x01x", b"\x02\x05\xff\xff\xff\xff\xff"],
)
def test_answers_that_cannot_be_read(message: bytes) -> None:
    assert answer_in(message) == {}


def test_an_answer_names_its_question() -> None:
    text = '{"type": "save", "responseTo": 300, "status": "success"}'
    assert answer_in(b"\x02" + encoded(len(text)) + text.encode())["responseTo"] == 300
    assert save_request(300) == b"\x02\x04save\xac\x02"


STATES = st.dictionaries(st.integers(0, 2**32 - 1), st.integers(1, 10**6), max_size=5)


def vector(state: dict[int, int]) -> bytes:
    parts = b"".join(encoded(client) + encoded(clock) for client, clock in state.items())
    return encoded(len(state)) + parts


@given(STATES, STATES)
def test_what_covers_what(one: dict[int, int], other: dict[int, int]) -> None:
    both = {key: max(one.get(key, 0), other.get(key, 0)) for key in one.keys() | other.keys()}
    assert covers(vector(both), vector(one))
    assert covers(vector(both), vector(other))
    assert covers(vector(one), vector(both)) is (both == one)
    assert not covers(b"\x01", vector(both)), "cut off"


def test_state_vectors_are_those_of_the_library() -> None:
    pycrdt = pytest.importorskip("pycrdt", reason="pip install jupyter-ydoc")
    doc, other = pycrdt.Doc(), pycrdt.Doc()
    doc["t"] = pycrdt.Text("abc")
    before = doc.get_state()
    other.apply_update(doc.get_update())
    other["u"] = pycrdt.Text("é😀")
    assert covers(other.get_state(), before)
    assert not covers(before, other.get_state())


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (4404, "Error initializing: a.ipynb.", "the notebook is not there any more"),
        (4500, "Error initializing: a.ipynb.", "it cannot be opened there (Error initializing: a"),
        (1003, '{"reason": "version_mismatch"}', "session was not accepted (version_mismatch)"),
        (1003, '{"errorReason": "no\\ndisk"}', "it cannot be opened there (no disk)"),
        (1003, "[]", "its session was not accepted (no reason given)"),
        (1001, None, "the connection broke"),
        (None, None, "the connection broke"),
    ],
)
def test_why_it_was_closed(code: int | None, reason: str | None, words: str) -> None:
    assert words in why_closed(code, reason)
