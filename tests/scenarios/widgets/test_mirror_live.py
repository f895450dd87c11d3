"""A mirror of a real notebook on a real server: what its readers do, and what they are told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rtu_magics
from rtu_magics.session import Session
from rtu_magics.widgets.mirror.actions import MirrorActions
from rtu_magics.widgets.mirror.feed import MirrorFeed
from rtu_magics.widgets.mirror.widget import Mirror, mirrors
from rtu_magics.widgets.writer import Writer

pytestmark = pytest.mark.kernel


class Reader:
    """A front end that keeps what it is sent, and can wait for it."""

    def __init__(self, session: Session) -> None:
        self.messages: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._came = threading.Condition()
        self.feed = MirrorFeed(session, None, self._take, Writer(0.02))
        self.actions = MirrorActions(self.feed)
        self.feed.refresh()

    def _take(self, message: dict[str, Any]) -> None:
        if message["t"] == "piece":
            self._pieces.append(message["s"])
            if message["i"] + 1 < message["n"]:
                return
            message = json.loads("".join(self._pieces))
            self._pieces.clear()
        with self._came:
            self.messages.append(message)
            self._came.notify_all()

    def wait(self, found: Callable[[dict[str, Any]], Any], timeout: float = 30) -> Any:
        """Return the first true answer for a message, and forget the messages up to it."""

        def look() -> Any:
            for index, message in enumerate(self.messages):
                answer = found(message)
                if answer:
                    del self.messages[: index + 1]
                    return answer
            return None

        with self._came:
            answer = self._came.wait_for(look, timeout)
        assert answer, f"not among {str(self.messages)[:1000]}"
        return answer

    def op(self, kind: str, *beginning: Any) -> list[Any]:
        """Wait for an operation that begins so."""

        def find(message: dict[str, Any]) -> Any:
            ops = message.get("ops", ())
            return next((o for o in ops if o[: 1 + len(beginning)] == [kind, *beginning]), None)

        found: list[Any] = self.wait(find)
        return found

    def do(self, kind: str, **more: Any) -> None:
        self.actions.hand_over({"a": kind, **more})

    def reply(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.wait(lambda m: m if m.get("key") == key else None)
        return found

    def close(self) -> None:
        self.feed.close()
        self.actions.close()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    path: Path = tmp_path_factory.mktemp("mirrored") / "x.ipynb"
    session = rtu_magics.connect(str(path), say=lambda line: None, new=True)
    yield session
    session.close()


@pytest.fixture
def reader(session: Session) -> Iterator[Reader]:
    reader = Reader(session)
    reader.wait(lambda m: m["t"] == "snapshot")
    yield reader
    reader.close()


def test_run_shows_every_state_and_the_outputs(session: Session, reader: Reader) -> None:
    cell = session.add("print('hello')\n6 * 7")
    reader.op("add")
    reader.do("run", cell=cell.id)
    assert reader.op("st", cell.id, "finished_with_no_error")[3] == 1
    late = Reader(session)
    try:
        [shown] = late.wait(lambda m: m["cells"] if m["t"] == "snapshot" else None)
        if shown["outs"] is None:
            late.do("need", cells=[cell.id])
            shown["outs"] = late.op("outs", cell.id)[2]
        text, result = shown["outs"]
        assert text["text"] == "hello\n"
        assert result["data"] == {"text/plain": "42"}
    finally:
        late.close()


def test_edits_are_merged_or_come_back_with_the_others_text(
    session: Session, reader: Reader
) -> None:
    cell = session.add("a = 1\nb = 2\n")
    session.edit(cell.id, "a = 10\nb = 2\n")
    reader.do("edit", cell=cell.id, base="a = 1\nb = 2\n", text="a = 1\nb = 20\n", key="merges")
    assert reader.reply("merges")["ok"]
    assert session.cell(cell.id).source == "a = 10\nb = 20\n"
    reader.do("edit", cell=cell.id, base="a = 1\nb = 2\n", text="a = 99\nb = 2\n", key="not")
    answer = reader.reply("not")
    assert not answer["ok"]
    assert answer["theirs"] == "a = 10\nb = 20\n"
    mine = "a = 99\nb = 20\n"
    reader.do("edit", cell=cell.id, base=answer["theirs"], text=mine, key="again")
    assert reader.reply("again")["ok"]
    assert session.cell(cell.id).source == mine
    session.delete(cell.id)
    reader.do("edit", cell=cell.id, base=mine, text="x", key="gone")
    assert "deleted" in reader.reply("gone")["error"]


def test_what_cannot_be_done_is_said_in_a_line(session: Session, reader: Reader) -> None:
    cell = session.add("# text", cell_type="markdown")
    reader.do("run", cell=cell.id)
    said = reader.wait(lambda m: m if m["t"] == "say" else None)
    assert said["bad"]
    assert "\n" not in said["text"]
    for nonsense in (
        {},
        None,
        [],
        {"a": 1},
        {"a": "run"},
        {"a": "fetch"},
        {"a": "edit", "key": "k"},
    ):
        reader.actions.hand_over(nonsense)
    assert not reader.reply("k")["ok"]


def test_who_looks_at_a_cell_is_seen_there(session: Session, reader: Reader) -> None:
    cell = session.add("x")
    session.add("y")  # a session's user is in the cell that they touched last
    reader.do("select", cell=cell.id)

    def there(message: dict[str, Any]) -> Any:
        people = [op[1] for op in message.get("ops", ()) if op[0] == "who"]
        return next((person for person in people if person["cell"] == cell.id), None)

    assert reader.wait(there)["id"] == str(session.client.user_id)


def test_large_entries_come_when_they_are_asked_for(
    session: Session, request: pytest.FixtureRequest
) -> None:
    source = (
        "from IPython.display import HTML, display\n"
        "display(HTML('<b>' + 'x' * 400_000 + '</b>'))\nprint('y' * 300_000)"
    )
    cell = session.add(source)
    session.run(cell.id)
    reader: Reader = request.getfixturevalue("reader")  # comes when all is there
    reader.do("need", cells=[cell.id])
    outputs = reader.op("outs", cell.id)[2]
    html = next(o for o in outputs if o["k"] == "data")
    text = next(o for o in outputs if o["k"] == "stream")
    assert "text/html" in html["omit"]
    assert text["cut"] + len(text["text"]) == 300_001
    reader.do("fetch", cell=cell.id, out=html["id"], mime="text/html")
    reader.do("fetch", cell=cell.id, out=text["id"], mime="")
    entries = [reader.wait(lambda m: m if m["t"] == "entry" else None) for _ in range(2)]
    whole = {entry["mime"]: entry["value"] for entry in entries}
    assert whole["text/html"] == f"<b>{'x' * 400_000}</b>"
    assert whole[""] == "y" * 300_000 + "\n"


def test_a_widget_frees_its_callbacks_and_ends_with_its_session(tmp_path: Path) -> None:
    session = rtu_magics.connect(str(tmp_path / "y.ipynb"), say=lambda line: None, new=True)
    before = len(session.hub._subscribers)
    one, two = Mirror(session), Mirror(session)
    assert mirrors(session) == [one, two]
    assert len(session.hub._subscribers) > before
    one.close()
    one.close()
    assert mirrors(session) == [two]
    assert "y.ipynb" in two.static()
    with pytest.raises(rtu_magics.errors.RTUError, match="nobody called 'Zoe' is here"):
        two.follow("Zoe")
    session.close()
    until = time.monotonic() + 60
    while mirrors(session) and time.monotonic() < until:
        time.sleep(0.02)
    assert mirrors(session) == []
    assert len(session.hub._subscribers) == before


def test_a_cell_that_runs_again_ends_the_mirror_it_showed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rtu_magics.connect(str(tmp_path / "z.ipynb"), say=lambda line: None, new=True) as session:
        places = iter([("cell", "run 1"), ("cell", "run 1"), ("other", "run 2"), ("cell", "run 3")])
        monkeypatch.setattr("rtu_magics.widgets.mirror.widget._place", lambda: next(places))
        one, two, elsewhere, again = (Mirror(session) for _ in range(4))
        for mirror in (one, two, elsewhere):
            mirror.show()
        assert mirrors(session) == [one, two, elsewhere, again]
        again.show()
        assert mirrors(session) == [elsewhere, again]


LATE = """
import asyncio, os
from IPython.display import clear_output, display
async def work():
    while not os.path.exists("{gate}"): await asyncio.sleep(0.02)
    {do}
task = asyncio.get_running_loop().create_task(work())
handle = display("shown", display_id=True)
print("early")
"""


def seen(session: Session, cell_id: str) -> list[str]:
    """What a cell shows, as who joins now and asks for it sees it."""
    reader = Reader(session)
    try:
        cells = reader.wait(lambda m: m["cells"] if m["t"] == "snapshot" else None)
        outputs = next(cell for cell in cells if cell["id"] == cell_id)["outs"]
        if outputs is None:
            reader.do("need", cells=[cell_id])
            outputs = reader.op("outs", cell_id)[2]
    finally:
        reader.close()
    return [o["text"] if "text" in o else o["data"].get("text/plain", "") for o in outputs]


@pytest.mark.parametrize(
    ("do", "whole"),
    [
        ("print('late')", ["'shown'", "early\nlate\n"]),
        ("display('late')", ["'shown'", "early\n", "'late'"]),
        ("handle.update('late')", ["'late'", "early\n"]),
        ("clear_output(); print('late')", ["late\n"]),
        ("clear_output(wait=True); display('late')", ["'late'"]),
    ],
)
def test_what_comes_after_the_end_of_a_run(
    session: Session, reader: Reader, tmp_path: Path, do: str, whole: list[str]
) -> None:
    gate = tmp_path / "gate"
    cell = session.add(LATE.replace("{gate}", str(gate)).replace("{do}", do))
    reader.op("add")
    reader.do("run", cell=cell.id)
    reader.op("st", cell.id, "finished_with_no_error")
    gate.touch()
    reader.wait(lambda m: "late" in json.dumps(m.get("ops", ())))
    assert seen(session, cell.id) == whole


def test_what_comes_late_of_a_run_that_another_has_followed(
    session: Session, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    cell = session.add(LATE.replace("{gate}", str(gate)).replace("{do}", "print('late')"))
    session.run(cell.id)
    session.edit(cell.id, f"print('again'); open({str(gate)!r}, 'w').close()")
    session.run(cell.id)
    other = session.add("import asyncio\nawait asyncio.sleep(0.3)\nprint('other')")
    session.run(other.id)
    assert seen(session, cell.id) == ["again\n"]
    assert seen(session, other.id) == ["other\n"]
