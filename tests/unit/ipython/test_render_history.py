"""Changes, people, versions and variables as text."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

from rtu_magics.ipython.text.history import history_text, variable_table
from rtu_magics.ipython.text.people import ago, invite_table, people_table, until
from rtu_magics.models import DeltaLog, FilePerson, Invite, Variable
from rtu_magics.session.changes import Change, read_log

NOON = datetime(2026, 4, 1, 12, tzinfo=timezone.utc)
TODAY = NOON.astimezone().date()
ANN, BEN = UUID(int=1), UUID(int=2)


def change(what: str, **more: object) -> Change:
    return Change(what, NOON, "Ann", ANN, "cell-one", **more)  # type: ignore[arg-type]


def text(*changes: Change, colour: bool = False, me: UUID | None = None) -> str:
    return history_text(changes, lambda cell_id: f"<{cell_id}>", me, TODAY, colour=colour)


def test_a_diff_is_red_and_green() -> None:
    shown = text(change("edited", before="a\nb", after="a\nc"), colour=True)
    assert shown.splitlines()[1:] == ["      a", "    \x1b[31m- b\x1b[0m", "    \x1b[32m+ c\x1b[0m"]
    assert "\x1b[1mAnn\x1b[0m  edited cell <cell-one>" in shown
    assert "\x1b" not in text(change("edited", before="a", after="b"))


def test_words() -> None:
    assert "  you  ran cell <cell-one>" in text(change("ran", runs=True), me=ANN)
    assert "moved cell <cell-one> after <cell-two>" in text(change("moved after cell-two"))
    assert "moved cell <cell-one> to the top" in text(change("moved to the top"))
    assert "made cell <cell-one> a markdown cell" in text(change("made markdown"))
    assert "set tags.x of cell <cell-one>" in text(change("set tags.x"))
    whole = Change("set kernelspec", NOON - timedelta(days=40), "Ann", ANN)
    assert text(whole).startswith("2026-02-20")
    assert text(whole).endswith("Ann  set kernelspec of the notebook")
    assert text() == "nothing was changed as far back as the server keeps its log"


def test_long_texts_are_cut() -> None:
    long = "\n".join(f"line {n}" for n in range(100))
    lines = text(change("added", after=long)).splitlines()
    assert len(lines) == 26
    assert lines[-1] == "    … 76 more lines"
    wide = text(change("added", after="x" * 1000)).splitlines()[1]
    assert len(wide) < 170
    far = text(change("edited", before=long, after=long.replace("line 9\n", "").replace("50", "L")))
    assert "    ⋯" in far.splitlines()


def log(*deltas: dict[str, object]) -> DeltaLog:
    made = []
    for number, delta in enumerate(deltas, 1):
        base = {
            "id": str(UUID(int=number)),
            "file_id": str(UUID(int=99)),
            "parent_delta_id": str(UUID(int=number - 1)),
            "created_at": (NOON + timedelta(minutes=number)).isoformat(),
            "resource_id": "a",
            "author": {"user_id": str(ANN), "name": "Ann"},
        }
        made.append({**base, **delta})
    cell = {"id": "a", "cell_type": "code", "source": "x", "metadata": {}, "outputs": []}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return DeltaLog.model_validate({"start": {"notebook": notebook}, "deltas": made})


def replace(source: str, **more: object) -> dict[str, object]:
    return {
        "delta_type": "cell_contents",
        "delta_action": "replace",
        "properties": {"source": source},
        **more,
    }


def test_edits_in_one_go_are_one_change() -> None:
    changes = read_log(log(replace("xy"), replace("xyz"), replace("xyz!")))
    assert [(c.what, c.before, c.after) for c in changes] == [("edited", "x", "xyz!")]
    assert changes[0].at == NOON + timedelta(minutes=3)


def test_edits_of_two_people_stay_apart() -> None:
    ben = {"author": {"user_id": str(BEN), "name": "Ben"}}
    changes = read_log(log(replace("xy"), replace("xyz", **ben), replace("xyz!")))
    assert [(c.author, c.before, c.after) for c in changes] == [
        ("Ann", "x", "xy"),
        ("Ben", "xy", "xyz"),
        ("Ann", "xyz", "xyz!"),
    ]


def test_what_was_taken_back_at_once_is_no_change() -> None:
    assert read_log(log(replace("xy"), replace("x"))) == []


def test_a_change_that_cannot_be_read_is_left_out() -> None:
    broken = {"delta_type": "poem", "delta_action": "write", "properties": {}}
    elsewhere = replace("y", resource_id="nobody")
    changes = read_log(log(broken, elsewhere, replace("xy")))
    assert [(c.before, c.after) for c in changes] == [("x", "xy")]


def test_people_and_invitations() -> None:
    people = [
        FilePerson(user_id=ANN, name="Ann\x1b[2J", role="owner", online=True, connections=2,
                   cell_id_selected="c"),
        FilePerson(user_id=BEN, name="Ben", role="viewer", last_seen=NOON - timedelta(days=3)),
    ]  # fmt: skip
    people.append(FilePerson(user_id=UUID(int=9), name="Cora", role="viewer"))
    page = {"online": True, "in_page": True, "connections": 1}
    people.append(FilePerson(user_id=UUID(int=8), name="Dan", role="owner", **page))
    assert people_table(people, BEN, lambda cell_id: "3 (c)", NOON).splitlines() == [
        "name       role    where",
        "Ann·[2J    owner   cell 3 (c) (in 2 places)",
        "Ben (you)  viewer  away, seen 3 days ago",
        "Cora       viewer  not here yet",
        "Dan        owner   here in JupyterLab",
    ]
    invite = Invite(
        id=UUID(int=5), role="viewer", name="Ann", created_at=NOON, expires_at=NOON,
        token="secret", url="secret",
    )  # fmt: skip
    assert "expired" in invite_table([invite], NOON)
    assert "secret" not in invite_table([invite], NOON) + repr(invite)
    assert until(NOON + timedelta(hours=2), NOON) == "in 2 hours"
    assert until(NOON + timedelta(minutes=90), NOON) == "in 90 min"
    assert ago(NOON - timedelta(minutes=1), NOON) == "1 min ago"


def test_variables() -> None:
    table = variable_table(
        [
            Variable(
                name="frame", type="DataFrame", shape=[3, 4], size_bytes=12_345, preview="a\nb"
            ),
            Variable(name="n", type="int", preview="x" * 100),
        ]
    )
    assert table.splitlines() == [
        "name   type       shape  size   value",
        "frame  DataFrame  3 × 4  12 kB  a b",
        f"n      int                      {'x' * 59}…",
    ]
    assert variable_table([]) == "the remote kernel has no variables yet"
