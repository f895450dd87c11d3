"""Starting runs of remote cells, attaching to them, clearing what they left; see `Session`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from ... import models as m
from ...document import targets_of
from ...errors import DeltaRejected, RTUError
from ...protocol import is_position
from ..context import Context, Say
from ..execution.execution import Execution
from ..execution.follower import Follower
from ..execution.late import LateRuns
from ..names import check_text
from .kernel import Kernel

__all__ = ["Executions"]

Ref = str | int


class Executions:
    """The runs of one notebook.

    Parameters
    ----------
    context
        The notebook.
    kernel
        Its kernel.
    """

    def __init__(self, context: Context, kernel: Kernel) -> None:
        self._context = context
        self._client = context.client
        self._kernel = kernel
        self._late = LateRuns(context.hub)

    def _follow(
        self, execution_id: UUID, *, delta: m.CellExecuteDelta | None = None, keep: bool = False
    ) -> Follower:
        return Follower(self._context, self._late, execution_id, delta=delta, keep=keep)

    def _execution(self, follower: Follower) -> Execution:
        return Execution(self._context, follower, lambda: self._kernel.interrupt(None))

    # ------------------------------------------------------------------ beginning

    async def start(
        self,
        ref: Ref | None,
        say: Say,
        *,
        run_all: bool = False,
        before: Ref | None = None,
        after: Ref | None = None,
        asks: bool = False,
        background: bool = False,
        waiting: Sequence[str] = (),
    ) -> Execution:
        """Start a run; returns it as soon as the server has accepted it.

        ``waiting`` are the kernels that wait for it.
        """
        if not self._kernel.ready:  # what is wrong with the request comes before a kernel starts
            await self._delta(ref, run_all, before, after)
        await self._kernel.ensure(say)
        attach: m.Attach = "keep" if background else "ask" if asks else "look"
        how: dict[str, Any] = {"attach": attach, "waiting": waiting}
        if not self._client.checks_positions or self._seen()[0] in {None, m.NIL_UUID}:
            return await self._submit(await self._delta(ref, run_all, before, after), **how)
        delta = await self._delta(ref, run_all, before, after, checked=True)
        head, order = self._seen()
        named = next((one for one in (ref, before, after) if one is not None), "")
        counted = is_position(str(named))
        try:
            return await self._submit(delta, positions_at=head if counted else None, **how)
        except DeltaRejected:
            await self._context.refs.catch_up()
            if not counted or self._seen()[1] == order:
                raise
        return await self._submit(await self._delta(ref, run_all, before, after), **how)

    def _seen(self) -> tuple[UUID | None, tuple[object, int]]:
        """Return the last delta that is known here, and what changes with the cells' order."""
        builder = self._client.builder
        return builder.last_applied_delta_id, (builder, builder.order_number)

    async def _submit(
        self, delta: m.CellExecuteDelta, *, attach: m.Attach, **how: Any
    ) -> Execution:
        # Subscribed before it is submitted.
        follower = self._follow(delta.id, delta=delta, keep=attach == "keep")
        try:
            await self._client.new_delta_request(delta, attach=attach, **how)
        except BaseException:
            follower.let_go()
            raise
        return self._execution(follower)

    async def start_scratch(
        self,
        source: str,
        say: Say,
        *,
        asks: bool = False,
        background: bool = False,
        forget: bool = False,
        expression: bool = False,
        waiting: Sequence[str] = (),
    ) -> Execution:
        """Run code in the notebook's kernel without a cell; ``waiting`` as in `start`."""
        check_text(source, "the code to run")
        if not source.strip():
            raise RTUError("there is no code to run")
        await self._kernel.ensure(say)
        follower = self._follow(uuid4(), keep=background)
        data = m.ScratchRequestData(
            execution_id=follower.id,
            source=source,
            asks=asks,
            keep=background,
            forget=forget,
            expression=expression,
            waiting=list(waiting),
        )
        try:
            follower.accepted((m.SCRATCH_CELL,))
            message = m.ScratchRequest(channel=self._client.file_channel, data=data)
            reply = await self._context.request(message)
            if not isinstance(reply, m.ScratchReply):
                raise RTUError("this server cannot run code without a cell; leave --scratch out")
            if not reply.data.success:
                raise RTUError(f"the code was not run: {reply.data.message}")
        except BaseException:
            follower.let_go()
            raise
        return self._execution(follower)

    async def attach(self, execution_id: UUID) -> Execution:
        """Follow a run that has begun, with its outputs from the first on."""
        await self._kernel.refuse_own()
        follower = self._follow(execution_id)
        try:
            reply = await self._context.request(follower.attach_request(look=True))
            run = reply.data.run if isinstance(reply, m.AttachReply) else None
            if run is None:
                raise RTUError("there is no such run; %rtu_runs lists those that are known")
            follower.catch_up(run)
        except BaseException:
            follower.let_go()
            raise
        return self._execution(follower)

    # ------------------------------------------------------------------ which cells

    async def select(
        self, *, run_all: bool = False, before: Ref | None = None, after: Ref | None = None
    ) -> list[str]:
        """Return the ids of the cells that `start` would run."""
        return self.targets(await self._delta(None, run_all, before, after))

    def targets(self, delta: m.CellExecuteDelta) -> list[str]:
        """Return the ids of the cells that an execute delta runs."""
        return [cell.id for cell in targets_of(delta, self._client.builder)]

    async def _delta(
        self,
        ref: Ref | None,
        run_all: bool,
        before: Ref | None,
        after: Ref | None,
        *,
        checked: bool = False,
    ) -> m.CellExecuteDelta:
        given = [ref is not None, run_all, before is not None, after is not None]
        if sum(given) != 1:
            raise RTUError("say what to run: one cell, all, all up to one, or all from one")
        classes: tuple[type[m.CellExecuteDelta], ...]
        classes = (m.CellExecute, m.CellExecuteBefore, m.CellExecuteAfter)
        for found, cls in zip((ref, before, after), classes, strict=True):
            if found is not None:
                cell_id = await self._context.refs.resolve(found, checked=checked)
                delta: m.CellExecuteDelta = cls(file_id=self._client.file_id, resource_id=cell_id)
                break
        else:
            delta = m.CellExecuteAll(file_id=self._client.file_id)
        if not self.targets(delta):
            if checked:  # counted in a copy that may be behind
                return await self._delta(ref, run_all, before, after)
            await self._context.refs.catch_up()
        if not self.targets(delta):
            raise RTUError(self._nothing_to_run(delta))
        return delta

    def _nothing_to_run(self, delta: m.CellExecuteDelta) -> str:
        if not isinstance(delta, m.CellExecute):
            return "there is no code cell to run; %%rtu_add adds one"
        cell = self._context.live_cell(delta.resource_id)
        label = self._context.label(cell.id)
        if isinstance(cell, m.CodeCell):
            return f"cell {label} is empty; %%rtu_edit gives it a text"
        return (
            f"cell {label} is a {cell.cell_type} cell and nothing to run; "
            f"%rtu_type {cell.id} code makes it code"
        )

    # ------------------------------------------------------------------ what they left

    async def runs(self) -> list[m.Run]:
        """Return what runs and what ran lately, the newest first."""
        return await self._context.api.list_runs(self._context.file_id)

    async def clear(self, *refs: Ref) -> list[str]:
        """Clear the outputs of some cells for everybody, of all without an argument."""
        cell_ids = await self._context.refs.resolve_all(refs) if refs else None
        return await self._context.api.clear_outputs(self._context.file_id, cell_ids)
