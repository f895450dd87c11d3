"""What users find on a session and on a run: their names are a promise."""

from __future__ import annotations

import inspect

import pytest

from rtu_magics.session import Execution, Session

VERBS = """
    add aside ask_file_state ask_invites ask_versions attach call cell cells change_invite
    check_server clear close collection_of delete edit ensure_kernel fetch get history invites
    kernel_change kernel_interrupt kernel_names kernel_restart kernel_start kernel_status
    kernel_stop label move moved_to new_notebook notebooks outputs positions push
    refuse_own_kernel rename request resolve resolve_all restore revoke revoke_all run runnable
    runs save save_version select set_type share source_of start start_scratch status
    take_notices target undo variables version versions who
"""

ATTRIBUTES = """
    api cell_states client connection culled_words edited_by file file_state file_trouble hub
    kernel_alive kernel_culled kernel_ready kernel_session known_cells known_invites known_kernels
    known_versions last_touched lease local_path name open opened_at own_kernel path people
    refused role root say seen server_ended server_url tell trust_outputs trusts_outputs
"""

OF_A_RUN = """
    answer close done errors failed interrupt next on_late on_withdrawn question
    raise_for_failure state states targets user_id wait
"""


def public(cls: type) -> list[str]:
    return [name for name in dir(cls) if not name.startswith("_")]


def test_of_a_session() -> None:
    found = {name: inspect.getattr_static(Session, name) for name in public(Session)}
    verbs = {name for name, what in found.items() if inspect.isfunction(what)}
    assert verbs == set(VERBS.split())
    assert found.keys() - verbs == set(ATTRIBUTES.split())


def test_of_a_run() -> None:
    assert set(public(Execution)) == set(OF_A_RUN.split())


@pytest.mark.parametrize("cls", [Session, Execution])
def test_each_is_explained(cls: type) -> None:
    silent = [n for n in public(cls) if not inspect.getdoc(inspect.getattr_static(cls, n))]
    assert silent == []
