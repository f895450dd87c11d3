"""Invitations, roles and undo: an owner and a guest, each with a session, in one shell."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.completer import provisionalcompleter

from rtu_magics import models as m
from rtu_magics.session import Session, sessions

from .shells import Shell

pytestmark = [pytest.mark.server]

JWT = r"[\w-]+\.[\w-]+\.[\w-]+"


def settled(*of: Session) -> None:
    """Wait until all copies are at the same point of the chain."""
    deadline = time.monotonic() + 60
    while len({s.client.builder.last_applied_delta_id for s in of}) > 1:
        assert time.monotonic() < deadline, "the copies do not converge"
        time.sleep(0.005)


def told(session: Session) -> None:
    """Wait until the server's word has reached a session."""
    deadline = time.monotonic() + 60
    while not session.context.known.noticed:
        assert time.monotonic() < deadline, "no word came"
        time.sleep(0.005)


@pytest.fixture
def owner(lab: Shell) -> Iterator[Session]:
    session = sessions.get("lab")
    session._undo.forget()
    yield session
    session.revoke_all()


def guest(lab: Shell, role: str, name: str = "Ann") -> Session:
    lab.ok(f"%rtu_share -s lab -q --role {role} --name {name} -o link")
    lab.ok(f"%rtu_connect {{link}} -s {name}")
    return sessions.get(name)


def test_a_link_is_made_used_changed_and_taken_back(lab: Shell, owner: Session) -> None:
    lab.ok("%%rtu_add\nx = 1")
    text = lab.ok("%rtu_share --name Ann --expires 2h")
    link = re.match(rf"(%rtu_connect \S+/rtu/f/{owner.file.id}\?invite={JWT})\n", text)
    assert link is not None, text
    assert "a viewer in lab.ipynb; it expires in 2 hours. To take it back: %rtu_revoke Ann" in text
    assert "rtu-magics serve . --host" in text

    ran = lab.ok(f"{link[1]} -s Ann")
    assert "as 'Ann': 1 cell" in ran
    assert "you are a viewer here: you can read" in ran
    assert not re.search(JWT, ran)
    ann = sessions.get("Ann")
    assert ann.role == "viewer"
    refused = (
        "PermissionDenied: you are a viewer here; to edit, ask an owner to make you a contributor"
    )
    assert lab.line("%%rtu_edit 1 -s Ann\nx = 2") == refused
    assert lab.line("%%rtu_add -s Ann\nx = 2") == refused
    assert lab.line("%rtu_delete 1 -s Ann") == refused
    assert "to run cells, ask an owner" in lab.line("%rtu_exec 1 -s Ann")
    assert lab.line("%rtu_share -s Ann").startswith("PermissionDenied: you are a viewer here; ")

    lab.ok("%rtu_show 1 -s Ann")
    deadline = time.monotonic() + 60
    while not re.search(r"^Ann +viewer +cell 1 \(", lab.ok("%rtu_who -s lab"), re.M):
        assert time.monotonic() < deadline, "nobody knows where she is"

    listed = lab.ok("%rtu_share --list -s lab")
    assert re.search(r"\w{8}  Ann   viewer  expires in 2 hours  just now", listed)
    assert not re.search(JWT, listed)
    who = lab.ok("%rtu_who -s lab")
    assert re.search(r"^\S+ \(you\) +owner +cell 1", who, re.M)

    assert lab.ok("%rtu_share --change Ann --role contributor -s lab") == (
        "Ann is a contributor now, also where they are connected\n"
    )
    told(ann)
    text = lab.ok("%%rtu_edit 1 -s Ann\nx = 2")
    assert text.startswith("note: you are a contributor here now")
    assert "edited cell 1" in text

    assert lab.ok("%rtu_revoke Ann -s lab") == "the invitation of Ann (contributor) is revoked\n"
    told(ann)
    ran = lab.run("%%rtu_edit 1 -s Ann\nx = 3")
    assert ran.out.startswith("note: ")
    assert ran.error is not None
    assert "ask an owner" in ran.line
    assert owner.cell("1").source == "x = 2"
    line = lab.line(f"{link[1]} -s again")
    assert line.startswith("AuthenticationFailed: ")
    assert "revoked" in line
    assert not re.search(JWT, line)
    assert "is revoked already; %rtu_share makes a new one" in lab.line("%rtu_revoke Ann -s lab")
    assert lab.ok("%rtu_revoke --all -s lab") == "no invitation is open\n"


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (
            "%rtu_share --role king",
            "UsageError: argument --role: invalid choice: 'king' (choose from",
        ),
        ("%rtu_share --expires soon", "RTUError: 'soon' is no duration; write a number and s, m,"),
        ("%rtu_share --expires 2000d", "RTUError: 2000d is out of range; a link lasts from 1s to"),
        ("%rtu_share --expires 0s", "RTUError: 0s is out of range"),
        ("%rtu_share --change Ann", "UsageError: say the new role: %rtu_share --change INVITE"),
        ("%rtu_share --change Max --role viewer", "RTUError: there is no invitation 'Max'"),
        ("%rtu_share -o 1x", "UsageError: -o takes the name of a variable, and '1x' is none"),
        (f"%rtu_share --name {'x' * 101}", "APIError: name: "),
        ("%rtu_revoke", "UsageError: say what to take back: %rtu_revoke INVITE, or --all"),
        ("%rtu_revoke Ann --all", "UsageError: say what to take back"),
        ("%rtu_revoke nobody", "RTUError: there is no invitation 'nobody'"),
        ("%rtu_rename x.txt", "TargetError: the name of a notebook ends in .ipynb, and 'x.txt'"),
        ("%rtu_restore 99", "RTUError: there is no version '99'; %rtu_versions lists them"),
        ("%rtu_save --name ''", "RTUError: a version's name cannot be empty"),
        ("%rtu_undo", "CannotUndo: there is nothing to undo: this session has changed nothing"),
        ("%rtu_history -n 0", "RTUError: 0 changes are none; ask for at least 1"),
    ],
)
def test_bad_input_is_one_line(lab: Shell, owner: Session, cell: str, line: str) -> None:
    assert line in lab.line(cell)


def test_two_of_one_name_are_told_apart(lab: Shell, owner: Session) -> None:
    first, second = owner.share(name="Ben"), owner.share(name="Ben")
    line = lab.line("%rtu_revoke Ben")
    assert line == (
        f"RTUError: 2 invitations are called 'Ben'; name one by its id: {str(first.id)[:8]}, "
        f"{str(second.id)[:8]}"
    )
    assert "is revoked" in lab.ok(f"%rtu_revoke {str(first.id)[:8]}")
    assert "is revoked" in lab.ok("%rtu_revoke Ben")


def test_undo_takes_back_one_by_one(lab: Shell, owner: Session) -> None:
    lab.ok("%%rtu_add\na = 1\nb = 2")
    lab.ok("%%rtu_add --type markdown\n# Text")
    lab.ok("%%rtu_edit 1\na = 10\nb = 2")
    lab.ok("%rtu_move 2 --first")
    lab.ok("%rtu_type 1 code")
    lab.ok("%rtu_delete 2")
    assert [v.type_name for v in owner.cells()] == ["code"]

    assert lab.ok("%rtu_undo").startswith("the deleted cell is back as cell 2 (")
    assert [v.cell.source for v in owner.cells()] == ["# Text", "a = 10\nb = 2"]
    assert "is a markdown cell again" in lab.ok("%rtu_undo")
    assert "is back in its place" in lab.ok("%rtu_undo")
    assert [v.type_name for v in owner.cells()] == ["code", "markdown"]
    assert re.fullmatch(
        r"your edit of cell 1 \(\w{8}\) is taken back\n", lab.ok("%rtu_undo")
    )  # of the cell that has come back under another id
    assert owner.cell(1).source == "a = 1\nb = 2"
    assert "which you had added, is deleted again" in lab.ok("%rtu_undo")
    assert "which you had added, is deleted again" in lab.ok("%rtu_undo")
    assert owner.cells() == []
    assert "you have taken it all back" in lab.line("%rtu_undo")


def test_undo_keeps_what_others_did(lab: Shell, owner: Session) -> None:
    ann = guest(lab, "contributor")
    lab.ok("%%rtu_add -s lab\nfirst = 1\nmiddle = 2\nlast = 3")
    lab.ok("%%rtu_edit 1 -s lab\nfirst = 100\nmiddle = 2\nlast = 3")
    settled(owner, ann)
    ann.edit(1, "first = 100\nmiddle = 2\nlast = 300")
    settled(owner, ann)
    assert "is taken back (what others changed since stays)" in lab.ok("%rtu_undo -s lab")
    assert owner.cell(1).source == "first = 1\nmiddle = 2\nlast = 300"

    # The cell that it was, with somebody else's change in it, is not deleted.
    line = lab.line("%rtu_undo -s lab")
    assert re.fullmatch(
        r"CannotUndo: cell 1 \(\w{8}\) was changed since by Ann; nothing was undone. The next "
        r"%rtu_undo takes back the edit before it",
        line,
    )
    assert "nothing to undo" in lab.line("%rtu_undo -s lab")

    lab.ok("%%rtu_edit 1 -s lab\nfirst = 1\nmiddle = 22\nlast = 300")
    settled(owner, ann)
    ann.cell(1)  # seen by her
    ann.edit(1, "first = 1\nmiddle = 23\nlast = 300")
    settled(owner, ann)
    assert "was changed in the same place since by Ann" in lab.line("%rtu_undo -s lab")
    assert owner.cell(1).source == "first = 1\nmiddle = 23\nlast = 300"

    for _ in range(2):
        lab.ok("%%rtu_add -s lab\nanother")
    lab.ok("%rtu_move 1 --after 3 -s lab")
    settled(owner, ann)
    ann.move(3, first=True)
    settled(owner, ann)
    assert "was moved since by Ann" in lab.line("%rtu_undo -s lab")
    lab.ok("%%rtu_edit 2 -s lab\nmine")
    settled(owner, ann)
    ann.delete(2)
    settled(owner, ann)
    assert "was deleted since by Ann" in lab.line("%rtu_undo -s lab")


def test_completion_knows_roles_invitations_and_versions(lab: Shell, owner: Session) -> None:
    def tab(text: str) -> list[str]:
        with provisionalcompleter():
            return [c.text for c in lab.ip.Completer.completions(text, len(text))]

    assert set(tab("%rtu_share --role ")) >= {"viewer", "executor", "contributor", "owner"}
    owner.share(name="Zoe Z")
    assert '"Zoe Z"' in tab("%rtu_revoke ")
    assert '"Zoe Z"' in tab("%rtu_share --change ")
    owner.save_version("halfway")
    owner.versions()
    found = tab("%rtu_restore ")
    assert "halfway" in found
    assert "0" in found


def test_owners_can_be_told_apart(lab: Shell, owner: Session) -> None:
    lab.ok("%rtu_connect lab.ipynb --as Ben -s ben")
    ben = sessions.get("ben")
    assert ben.role == "owner"
    assert ben.client.user_id != owner.client.user_id
    lab.ok("%%rtu_add -s ben\nby_ben = 1")
    settled(owner, ben)
    assert re.search(r"^Ben +owner +cell 1 \(\w{8}\)$", lab.ok("%rtu_who -s lab"), re.M)
    assert re.search(r"^Ben \(you\) +owner +cell 1 \(\w{8}\)$", lab.ok("%rtu_who -s ben"), re.M)
    assert re.search(r"  Ben  added cell 1 \(", lab.ok("%rtu_history -s lab -n 1"))
    assert re.search(r"  you  added cell 1 \(", lab.ok("%rtu_history -s ben -n 1"))
    assert "as version" in lab.ok("%rtu_save --name mine -s ben")
    assert re.search(r"  mine  +saved  .*  Ben$", lab.ok("%rtu_versions -s lab"), re.M)
    # Again, it is the same person; under no name, it is the session that is there.
    assert "already connected" in lab.ok("%rtu_connect lab.ipynb --as Ben")
    line = lab.line(f"%rtu_connect lab.ipynb -s long --as {'x' * 101}")
    assert "a name is 1 to 100 characters that can be printed" in line


def test_undo_of_a_deletion_brings_outputs_attachments_and_counts_back(
    lab: Shell, owner: Session
) -> None:
    lab.ok("%%rtu_exec\nprint('kept')\n6 * 7")
    picture = {"a.png": {"image/png": "iVBORw0KGgo="}}
    note = m.MarkdownCell(source="![](attachment:a.png)", attachments=picture)
    owner.call(owner.client.add_cell(cell=note))
    was = on_disk(owner)["cells"][0]
    assert len(was["outputs"]) == 2
    for _ in range(2):  # also of what came back itself
        lab.ok("%rtu_delete 1")
        assert len(on_disk(owner)["cells"]) == 1
        assert lab.ok("%rtu_undo").startswith("the deleted cell is back as cell 1 (")
        deadline = time.monotonic() + 20
        while on_disk(owner)["cells"][0]["outputs"] != was["outputs"]:
            assert time.monotonic() < deadline, on_disk(owner)
        assert on_disk(owner)["cells"][0]["execution_count"] == was["execution_count"]

    lab.ok("%rtu_delete 2")
    lab.ok("%rtu_undo")
    assert on_disk(owner)["cells"][1]["attachments"] == picture


def test_changing_the_type_and_back_loses_nothing(lab: Shell, owner: Session) -> None:
    lab.ok("%%rtu_exec\n6 * 7")
    picture = {"a.png": {"image/png": "iVBORw0KGgo="}}
    owner.call(owner.client.add_cell(cell=m.MarkdownCell(source="x", attachments=picture)))
    before = on_disk(owner)
    lab.ok("%rtu_type 1 markdown")
    lab.ok("%rtu_type 2 code")
    assert nbformat.validator.isvalid(on_disk(owner))
    lab.ok("%rtu_type 1 code")
    lab.ok("%rtu_type 2 markdown")
    assert without_types(on_disk(owner)) == without_types(before)
    lab.ok("%rtu_type 1 raw")
    lab.ok("%rtu_undo")
    assert without_types(on_disk(owner)) == without_types(before)


def without_types(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells without the metadata: a change of type notes the language there."""
    return [{**cell, "metadata": {}} for cell in notebook["cells"]]


def on_disk(session: Session) -> dict[str, Any]:
    """Save, and return what the file holds."""
    session.call(session.api.save_file(session.client.file_id))
    found: dict[str, Any] = json.loads(Path(session.path).read_text())
    return found
