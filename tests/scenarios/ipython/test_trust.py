"""Whose outputs may run scripts in one's own page."""

from __future__ import annotations

import pytest

from rtu_magics.session import sessions

from .shells import Shell

pytestmark = [pytest.mark.server]

NOTE = "its HTML is shown without scripts"


def link_for(lab: Shell, role: str) -> None:
    lab.ok(f"%rtu_share -s lab -q --role {role} --name Ann -o link")


def test_what_is_your_own_is_trusted_and_what_you_were_invited_to_is_not(lab: Shell) -> None:
    assert sessions.get("lab").trusts_outputs
    for role in ("viewer", "contributor", "owner"):
        link_for(lab, role)
        text = lab.ok("%rtu_connect {link} -s guest")
        assert text.count(NOTE) == 1
        assert not sessions.get("guest").trusts_outputs
        assert NOTE not in lab.ok("%rtu_connect {link} -s guest")  # told once
        lab.ok("%rtu_disconnect -s guest")


def test_both_can_be_said_otherwise(lab: Shell) -> None:
    link_for(lab, "viewer")
    assert NOTE not in lab.ok("%rtu_connect {link} -s guest --trust")
    assert sessions.get("guest").trusts_outputs
    lab.ok("%rtu_connect {link} -s guest --no-trust")
    assert not sessions.get("guest").trusts_outputs
    lab.ok("%rtu_config trust_outputs on")
    assert sessions.get("guest").trusts_outputs
    lab.ok("%rtu_config trust_outputs off")
    assert not any(session.trusts_outputs for session in sessions)
    lab.ok("%rtu_config trust_outputs auto")
    assert [sessions.get(name).trusts_outputs for name in ("lab", "guest")] == [True, False]
    assert "--trust and --no-trust" in lab.line("%rtu_connect {link} --trust --no-trust")
    assert "trust_outputs" in lab.line("%rtu_config trust_outputs maybe")


def test_a_server_s_own_token_makes_its_owner(lab: Shell) -> None:
    session = sessions.get("lab")
    url = f"{session.server_url}/tree/{session.path}?token={session.api.authorization_token}"
    text = lab.ok(f"%rtu_connect {url} -s mine")
    assert NOTE not in text
    assert sessions.get("mine").trusts_outputs
    assert not sessions.get("mine").local_path


@pytest.mark.kernel
def test_a_kept_result_is_shown_by_the_same_rule(lab: Shell) -> None:
    lab.ok(
        "%%rtu_exec -q -s lab\nfrom IPython.display import HTML, display\n"
        "display(HTML('<b>b</b><script>x()</script>'))"
    )
    lab.ok("%rtu_exec -s lab -1 -o r")
    mine = lab.ip.user_ns["r"]
    assert "<script>" in mine._repr_mimebundle_()["text/html"]
    link_for(lab, "executor")
    lab.ok("%rtu_connect {link} -s guest")
    lab.ok("%rtu_exec -s guest -1 -o r")
    theirs = lab.ip.user_ns["r"]
    assert theirs._repr_mimebundle_()["text/html"] == "<b>b</b>"
    assert "<script>" in theirs.data["text/html"]  # as it came, for programs
