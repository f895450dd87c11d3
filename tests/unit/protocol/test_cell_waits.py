"""Waits for cells that run: from their place in the chain to their end, whatever lies between."""

from uuid import uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.errors import CellNotFound, ClientClosed, KernelDied
from rtu_magics.protocol import effects as fx

from .world import (
    FILE,
    OK,
    Shell,
    add,
    delete,
    event,
    execute,
    inconsistent,
    kernel,
    replace,
    state,
    states,
)


@pytest.fixture
def shell():
    return Shell().subscribe()


def run(shell, cell_id="a"):
    """Run a cell of ours until its delta is squashed; return what stands for the wait."""
    delta = execute(cell_id)
    shell.edit(delta, wait=True)
    shell.receive(event(shell.server.accept(delta)))
    return delta.id, cell_id


class TestArmed:
    def test_at_the_place_of_the_delta_with_the_cells_of_then(self, shell):
        delta = m.CellExecuteAll(file_id=FILE)
        shell.edit(delta, wait=True)
        before, here, after = (
            shell.server.accept(d) for d in (add("early", "0"), delta, add("late", "3"))
        )
        shell.receive(event(after), event(here), event(before))
        assert set(shell.replica.state.waits.cell_ids) == {"early", "a", "b"}
        assert delta.id in shell.results

    def test_not_before_it_is_squashed(self, shell):
        shell.edit(execute(), wait=True)
        assert len(shell.replica.state.waits) == 0

    def test_not_by_a_refusal(self, shell):
        pending = shell.edit(execute(), wait=True)
        shell.receive(
            m.PermissionDeniedResponse(
                transaction_id=pending.transaction_id, channel="system", data={"message": "no"}
            )
        )
        assert len(shell.replica.state.waits) == 0

    def test_an_edit_waits_for_no_cell(self, shell):
        delta = replace("x")
        shell.edit(delta, wait=True)
        shell.receive(event(shell.server.accept(delta)))
        assert len(shell.replica.state.waits) == 0


class TestItEnds:
    @pytest.mark.parametrize("name", [OK, "finished_with_error"])
    @pytest.mark.parametrize("partial", [False, True])
    def test_with_its_own_finish_and_the_cell_of_then(self, shell, name, partial):
        wait = run(shell)
        shell.receive(event(shell.server.accept(replace("edited"))))
        for step in ("queued", "executing", name):
            assert shell.ends == {}
            shell.receive(states(state("a", step, wait[0]), partial=partial))
        assert shell.ends[wait].source == "edited"

    def test_not_with_somebody_elses(self, shell):
        theirs = shell.server.accept(execute())
        shell.receive(event(theirs))
        wait = run(shell)
        shell.receive(states(state("a", OK, theirs.id)))
        assert shell.ends == {}
        shell.receive(states(state("a", OK, wait[0])))
        assert wait in shell.ends

    def test_each_of_two_runs_with_its_own(self, shell):
        first, second = run(shell), run(shell)
        shell.receive(states(state("a", OK, first[0]), partial=True))
        assert set(shell.ends) == {first}
        shell.receive(states(state("a", OK, second[0]), partial=True))
        assert set(shell.ends) == {first, second}

    def test_with_the_cell(self, shell):
        wait = run(shell)
        shell.receive(event(shell.server.accept(delete("a"))))
        assert isinstance(shell.ends[wait], CellNotFound)

    def test_with_the_client(self, shell):
        wait = run(shell)
        error = ClientClosed("closed")
        shell.run(shell.replica.close(error))
        assert shell.ends == {wait: error}
        assert fx.Idle(error) in shell.log

    def test_a_wait_that_is_given_up_is_dropped(self, shell):
        wait = run(shell)
        (token,) = shell.tokens
        shell.replica.state.waits.drop(token)
        shell.receive(states(state("a", OK, wait[0])))
        assert shell.ends == {}


class TestAcrossAnotherConnection:
    def test_it_ended_meanwhile(self, shell):
        wait = run(shell)
        shell.lose()
        shell.server.states = [state("a", OK, wait[0])]
        shell.subscribe()
        assert wait in shell.ends

    def test_it_runs_on(self, shell):
        wait = run(shell)
        shell.lose()
        shell.server.states = [state("a", "executing", wait[0])]
        shell.subscribe()
        assert shell.ends == {}
        shell.receive(states(state("a", OK, wait[0])))
        assert wait in shell.ends

    def test_its_cell_went_meanwhile(self, shell):
        wait = run(shell)
        shell.lose()
        shell.server.accept(delete("a"))
        shell.subscribe()
        assert isinstance(shell.ends[wait], CellNotFound)

    def test_it_was_accepted_and_ended_while_nobody_was_here(self, shell):
        delta = execute()
        shell.edit(delta, wait=True)
        shell.lose()
        shell.server.accept(delta)
        shell.server.states = [state("a", OK, delta.id)]
        shell.subscribe()
        assert delta.id in shell.results
        assert (delta.id, "a") in shell.ends


class TestAcrossARestore:
    def restore(self, shell, *cells):
        shell.receive(inconsistent())
        shell.server.restore(m.Notebook(cells=list(cells)))
        shell.reload()
        shell.receive(shell.server.answer(shell.subscription))

    def test_of_a_version_without_the_cell_it_ends(self, shell):
        wait = run(shell)
        self.restore(shell, m.CodeCell(id="z"))
        assert isinstance(shell.ends[wait], CellNotFound)

    def test_a_cell_that_runs_on_is_waited_for(self, shell):
        wait = run(shell)
        shell.server.states = [state("a", "executing", wait[0])]
        self.restore(shell, m.CodeCell(id="a", source="other"))
        assert shell.ends == {}
        shell.receive(states(state("a", OK, wait[0])))
        assert shell.ends[wait].source == "other"

    def test_a_cell_without_a_state_has_ended(self, shell):
        wait = run(shell)
        self.restore(shell, m.CodeCell(id="a", source="other"))
        assert wait in shell.ends

    def test_a_request_that_the_new_version_holds_is_armed_and_may_have_ended(self, shell):
        delta = execute()
        shell.edit(delta, wait=True)
        completed = shell.server.accept(delta)
        shell.receive(inconsistent())
        shell.server.save()
        shell.server.states = [state("a", OK, delta.id)]
        shell.reload()
        shell.receive(shell.server.answer(shell.subscription))
        shell.receive(event(completed))
        assert delta.id in shell.results
        assert (delta.id, "a") in shell.ends


class TestStates:
    def test_a_list_replaces_the_list(self, shell):
        shell.receive(states(state("a", "queued"), state("b", OK)), states(state("b", "queued")))
        assert shell.replica.state.cell_states == {"b": "queued"}

    def test_a_part_changes_its_cells_and_the_message_becomes_whole(self, shell):
        message = states(state("b", OK), partial=True)
        shell.receive(states(state("a", "queued"), state("b", "queued")), message)
        assert shell.replica.state.cell_states == {"a": "queued", "b": OK}
        assert [s.cell_id for s in message.data.cell_states] == ["a", "b"]
        assert [s.cell_id for s in message.data.changed] == ["b"]

    def test_a_part_forgets_cells_that_have_gone(self, shell):
        shell.receive(states(state("a", OK), state("b", OK)))
        shell.receive(event(shell.server.accept(delete("a"))))
        shell.receive(states(state("b", "queued"), partial=True))
        assert shell.replica.state.cell_states == {"b": "queued"}

    @pytest.mark.parametrize("name", ["starting", "busy", "culled"])
    def test_a_kernel_that_is_not_idle_ends_no_wait(self, shell, name):
        shell.receive(kernel(name))
        assert shell.replica.state.kernel_state == name
        assert not shell.of(fx.Idle)

    def test_an_idle_one_does(self, shell):
        shell.receive(kernel("idle"))
        assert shell.log[-1] == fx.Idle()

    def test_one_that_failed_ends_them_with_the_reason(self, shell):
        shell.receive(kernel("failed", "no memory"))
        error = shell.log[-1].error
        assert isinstance(error, KernelDied)
        assert "(no memory)" in str(error)

    def test_of_another_notebook_they_change_nothing(self, shell):
        wait = run(shell)
        message = states(state("a", OK, wait[0])).model_copy(
            update={"channel": f"kernels/notebook-kernel-{uuid4().hex[:20]}"}
        )
        shell.receive(message)
        assert shell.ends == {}
