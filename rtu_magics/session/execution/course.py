"""The course of one execution: what each event means for whoever waits for it. Pure.

Events in, effects out; a `Follower` hands in what happens and does what comes of it. While
everything arrives, live events are passed on as they are. After a gap in the connection, or of an
execution that had begun already, outputs are taken from snapshots of its collections until it is
over or nothing changes any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ... import models as m
from ...errors import RTUError
from ..events import (
    CellStatesChanged,
    ConnectionChanged,
    Event,
    InputRequested,
    KernelChanged,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PayloadReceived,
    ScratchStateChanged,
)
from .effects import AskBack, Effect, End, Look, Pass, PassLate, Withdraw
from .events import CellFinished, CellStarted, Reconnected, Reconnecting, ended_unseen
from .run_outputs import OutputEvent, RunOutputs, Taken

__all__ = ["Course"]

_KERNEL_GONE = frozenset({"failed", "shutdown", "culled"})
_CLOSED = "the session was closed while the cell ran; it runs on remotely"


class Course:
    """What is known of one execution.

    Parameters
    ----------
    execution_id
        Which.

    Attributes
    ----------
    targets, states, question, user_id
        See `Execution`.
    accepted
        Whether the server has taken it, so that its cells are known.
    errors
        The error among each cell's outputs.
    over
        Whether it is over.
    failure
        What ended the following of it.
    kernel_gone
        Whether the kernel ended meanwhile.
    outputs
        Which of its outputs were passed on.
    """

    def __init__(self, execution_id: UUID) -> None:
        self.id = execution_id
        self.accepted = False
        self.targets: tuple[str, ...] = ()
        self.states: dict[str, m.CellState] = {}
        self.errors: dict[str, m.Output] = {}
        self.question: InputRequested | None = None
        self.user_id: UUID | None = None
        self.over = False
        self.failure: RTUError | None = None
        self.kernel_gone = False
        self.outputs = RunOutputs(execution_id)
        self._lost = False  # the connection was lost since the last full word of the server
        self._gapped = False
        self._changed = False  # since the snapshots that are being taken were begun
        self._payloads: set[str] = set()
        self._told: set[str] = set()  # cells whose end was passed on
        self._effects: list[Effect] = []

    # ------------------------------------------------------------------ what is handed in

    def accept(self, cell_ids: tuple[str, ...]) -> list[Effect]:
        """Take the server's word that it runs these cells."""
        if not self.over:
            self.accepted, self.targets = True, cell_ids
            self._check_over()
        return self._taken()

    def catch_up(self, run: m.Run) -> list[Effect]:
        """Follow what has begun already, from its first output on."""
        self._gapped = True
        self._take(run)
        self._look()
        return self._taken()

    def returned(self, run: m.Run | None, states: Mapping[str, m.CellState]) -> list[Effect]:
        """Take what the server says after `effects.AskBack`.

        Parameters
        ----------
        run
            What it knows of the execution; None if nothing.
        states
            Of all cells when the connection came back.
        """
        if self.over:
            return []
        if run is not None:
            self._take(run)
        elif not self._lost:
            for cell_id in self.targets:
                now = states.get(cell_id)
                if not self._has_finished(cell_id) and (now is None or now.execution_id != self.id):
                    # It ended unseen, and something else happened to the cell since.
                    self._on_state(cell_id, ended_unseen(cell_id, self.id))
        self._check_over()
        return self._taken()

    def answered(self, request_id: UUID) -> None:
        """Note that a question is answered; one that has come since is not."""
        if self.question is not None and self.question.request_id == request_id:
            self.question = None

    def look_begins(self) -> bool:
        """Note that snapshots are taken from now on; returns whether they will be complete."""
        self._changed = False
        return self.all_finished()

    def missed(self, event: Event) -> list[Effect]:
        """Take what a snapshot holds that was not passed on."""
        self._pass_on(event)
        return self._taken()

    def look_ended(self, *, complete: bool, changed: bool) -> list[Effect]:
        """Note that the snapshots were taken.

        Parameters
        ----------
        complete
            What `look_begins` returned.
        changed
            Whether they held anything that was not passed on.
        """
        if self.over:
            return []
        if complete:
            for cell_id in self.targets:
                self._finish_cell(self.states[cell_id])
            self._end()
        elif changed or self._changed or self.all_finished():
            self._look()
        return self._taken()

    def handle(self, event: Event) -> list[Effect]:
        """Take what happened to the notebook."""
        if self.over:
            return []
        if isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            if event.execution_id == self.id:
                self._on_output(event)
        elif isinstance(event, OutputsUpdated):
            # Another run may update what this one displayed, so the ids count too.
            known = self.outputs.update(event)
            if event.execution_id == self.id or known:
                self._effects.append(Pass(event))
        elif isinstance(event, CellStatesChanged):
            self._on_states(event)
        elif isinstance(event, ScratchStateChanged):
            if event.state.execution_id == self.id:
                self._on_state(event.state.cell_id, event.state)
                self._check_over()
        elif isinstance(event, (InputRequested, PayloadReceived)):
            if event.execution_id == self.id:
                self._on_own(event)
        elif isinstance(event, KernelChanged):
            if event.status.kernel.execution_state in _KERNEL_GONE:
                self.kernel_gone = True
        elif isinstance(event, ConnectionChanged):
            self._on_connection(event)
        return self._taken()

    def all_finished(self) -> bool:
        """Whether every cell has ended."""
        return self.accepted and all(self._has_finished(cell_id) for cell_id in self.targets)

    # ------------------------------------------------------------------ what it means

    def _taken(self) -> list[Effect]:
        if not self._effects:
            return []
        effects, self._effects = self._effects, []
        return effects

    def _take(self, run: m.Run) -> None:
        """Take what the server knows of the execution."""
        self.accepted, self.targets = True, tuple(run.cell_ids)
        self.user_id = run.user_id
        self.outputs.collections.update(run.collections)
        for cell_id, payload in run.payloads.items():
            self._on_own(PayloadReceived(self.id, cell_id, tuple(payload)))
        for state in run.cell_states:
            self._on_state(state.cell_id, state)

    def _on_output(self, event: OutputEvent) -> None:
        taken = self.outputs.take(event, gapped=self._gapped)
        if taken is Taken.NEW:
            self._pass_on(event)
        elif taken is Taken.UNSURE:
            self._look()

    def _pass_on(self, event: Event) -> None:
        if self.over:
            self._effects.append(PassLate(event))
            return
        if isinstance(event, OutputAppended) and event.output.type == "error":
            self.errors[event.output.cell_id or m.SCRATCH_CELL] = event.output
        self._effects.append(Pass(event))

    def _on_own(self, event: InputRequested | PayloadReceived) -> None:
        if isinstance(event, InputRequested):
            asked, self.question = self.question, event
            if asked is not None and asked.request_id != event.request_id:
                # Its code went on without an answer: to an interrupt, say.
                self._effects.append(Withdraw())
        elif event.cell_id in self._payloads:
            return  # it comes twice after a gap
        else:
            self._payloads.add(event.cell_id)
        self._effects.append(Pass(event))

    def _on_states(self, event: CellStatesChanged) -> None:
        for cell_id, state in event.changed.items():
            if state.execution_id == self.id:
                self._on_state(cell_id, state)
        if self._lost and self.accepted:
            self._lost = False
            self._effects.append(AskBack(event.changed))
        self._check_over()

    def _on_state(self, cell_id: str, state: m.CellState) -> None:
        before = self.states.get(cell_id)
        if before is not None and before.state.startswith("finished"):
            return
        self.states[cell_id] = state
        question = self.question
        # That of a later cell may have come before the word on this one, after a gap for one.
        if question is not None and question.cell_id == cell_id and self._has_finished(cell_id):
            self.question = None
            self._effects.append(Withdraw())
        if before is not None and before.state == state.state:
            return
        if state.state == "executing":
            self._effects.append(Pass(CellStarted(cell_id)))
        elif state.state.startswith("finished") and not self._gapped:
            self._finish_cell(state)

    def _finish_cell(self, state: m.CellState) -> None:
        if state.cell_id in self._told:  # before the gap
            return
        self._told.add(state.cell_id)
        ok = state.state == "finished_with_no_error"
        count, cause, reason = state.execution_count, state.cause, state.reason
        self._effects.append(Pass(CellFinished(state.cell_id, ok, count, cause, reason)))

    def _on_connection(self, event: ConnectionChanged) -> None:
        if event.state == "reconnecting":
            if not self._lost:
                self._effects.append(Pass(Reconnecting(event.detail)))
            self._lost = self._gapped = True
            self.outputs.note_gap()
        elif event.state == "live" and self._gapped:
            self._effects.append(Pass(Reconnected()))
            self._look()
        elif event.state == "closed":
            self.failure = RTUError(event.detail or _CLOSED)
            self._end()

    def _has_finished(self, cell_id: str) -> bool:
        state = self.states.get(cell_id)
        return state is not None and state.state.startswith("finished")

    def _check_over(self) -> None:
        if self.over or not self.all_finished():
            return
        if self._gapped:
            self._look()  # the last snapshot ends it
        else:
            self._end()

    def _look(self) -> None:
        self._changed = True
        self._effects.append(Look())

    def _end(self) -> None:
        self.over = True
        self._effects.append(End())
