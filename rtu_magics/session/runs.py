"""Starting runs of remote cells."""

from __future__ import annotations

from .. import models as m
from ..errors import RTUError
from .execution import Execution
from .kernel import KernelVerbs

__all__ = ["RunVerbs"]


class RunVerbs(KernelVerbs):
    """The part of a `Session` that runs cells."""

    def start(
        self,
        ref: str | int | None = None,
        *,
        run_all: bool = False,
        before: str | int | None = None,
        after: str | int | None = None,
    ) -> Execution:
        """Start a run and return it as soon as the server has accepted it.

        The remote kernel is started first if there is none, which is said.

        Parameters
        ----------
        ref
            The cell to run.
        run_all
            Run every cell.
        before, after
            Run every cell up to and with, or from and with this one.

        Raises
        ------
        RTUError
            There is nothing to run, or the run would wait for itself.
        """
        delta = self.call(self._execute_delta(ref, run_all, before, after))
        self.ensure_kernel()
        execution = Execution(self, delta)  # subscribed before it is submitted
        try:
            self.call(self.client.new_delta_request(delta))
        except BaseException:
            execution.close()
            raise
        return execution

    async def _execute_delta(
        self,
        ref: str | int | None,
        run_all: bool,
        before: str | int | None,
        after: str | int | None,
    ) -> m.FileDeltaBase:
        given = [ref is not None, run_all, before is not None, after is not None]
        if sum(given) != 1:
            raise RTUError("say what to run: one cell, all, all up to one, or all from one")
        classes = (m.CellExecute, m.CellExecuteBefore, m.CellExecuteAfter)
        for found, cls in zip((ref, before, after), classes, strict=True):
            if found is not None:
                cell_id = await self._resolve(found)
                delta: m.FileDeltaBase = cls(file_id=self.client.file_id, resource_id=cell_id)
                break
        else:
            delta = m.CellExecuteAll(file_id=self.client.file_id)
        if not self.runnable(delta):
            raise RTUError(self._nothing_to_run(delta))
        return delta

    def select(
        self,
        *,
        run_all: bool = False,
        before: str | int | None = None,
        after: str | int | None = None,
    ) -> list[str]:
        """Return the ids of the cells that `start` would run for the same arguments, in order."""

        async def select() -> list[str]:
            return self.runnable(await self._execute_delta(None, run_all, before, after))

        return self.call(select())

    def run(
        self,
        ref: str | int | None = None,
        *,
        run_all: bool = False,
        before: str | int | None = None,
        after: str | int | None = None,
    ) -> None:
        """Run cells and wait until they are done; arguments as in `start`.

        Raises
        ------
        RemoteCellError
            A cell raised.
        KernelDied
            The kernel died.
        """
        execution = self.start(ref, run_all=run_all, before=before, after=after)
        try:
            for _ in execution:
                pass
        finally:
            execution.close()
        execution.raise_for_failure()

    def runnable(self, delta: m.FileDeltaBase) -> list[str]:
        """Return the ids of the cells that an execute delta runs, in order."""
        ids = self.client.cell_ids
        if isinstance(delta, m.CellExecute):
            ids = [delta.resource_id]
        elif isinstance(delta, m.CellExecuteBefore):
            ids = ids[: ids.index(delta.resource_id) + 1]
        elif isinstance(delta, m.CellExecuteAfter):
            ids = ids[ids.index(delta.resource_id) :]
        cells = [self._get(cell_id) for cell_id in ids]
        return [c.id for c in cells if isinstance(c, m.CodeCell) and c.source.strip()]

    def _nothing_to_run(self, delta: m.FileDeltaBase) -> str:
        if not isinstance(delta, m.CellExecute):
            return "there is no code cell to run; %%rtu_add adds one"
        cell = self._get(delta.resource_id)
        if isinstance(cell, m.CodeCell):
            return f"cell {self.label(cell.id)} is empty; %%rtu_edit gives it a text"
        return (
            f"cell {self.label(cell.id)} is a {cell.cell_type} cell and nothing to run; "
            f"%rtu_type {cell.id} code makes it code"
        )
