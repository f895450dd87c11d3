"""Starting runs of remote cells, attaching to them, clearing what they left."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from ... import models as m
from ...document import targets_of
from ...errors import PermissionDenied, RTUError
from ..execution.execution import Execution
from .kernel import KernelVerbs

__all__ = ["RunVerbs"]

_REPLY_TIMEOUT = 20.0  # seconds, after which a lost request is sent once more
_TRIES = 3


class RunVerbs(KernelVerbs):
    """The part of a `Session` that runs cells."""

    def start(
        self,
        ref: str | int | None = None,
        *,
        run_all: bool = False,
        before: str | int | None = None,
        after: str | int | None = None,
        asks: bool = False,
        background: bool = False,
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
        asks
            Whether the caller answers what the cells ask (`InputRequested`, `Execution.answer`);
            otherwise ``input()`` fails there at once.
        background
            Whether a server that was started for this kernel stays for the run although the kernel
            has gone.

        Raises
        ------
        RTUError
            There is nothing to run, or the run would wait for itself.
        """
        if not self.kernel_ready:  # what is wrong with the request comes before a kernel starts
            self.call(self._execute_delta(ref, run_all, before, after))
        self.ensure_kernel()

        async def begin() -> Execution:  # in one go, for every change of threads takes its time
            delta = await self._execute_delta(ref, run_all, before, after)
            # Subscribed before it is submitted.
            execution = Execution(self, delta.id, delta=delta, keep=background)
            try:
                attach: m.Attach = "keep" if background else "ask" if asks else "look"
                await self.client.new_delta_request(delta, attach=attach)
            except BaseException:
                execution.close()
                raise
            return execution

        return self.call(begin())

    def start_scratch(
        self,
        source: str,
        *,
        asks: bool = False,
        background: bool = False,
        forget: bool = False,
        expression: bool = False,
    ) -> Execution:
        """Run code in the notebook's kernel without a cell; only this session sees its outputs.

        Parameters
        ----------
        source
            The code.
        asks, background
            As in `start`.
        forget
            Whether the server keeps neither the run nor its outputs once it has ended.
        expression
            Whether it is one expression, see `models.ScratchRequestData`; its value is not shown.

        Raises
        ------
        RTUError
            There is nothing to run, or the server refuses.
        """
        if not source.strip():
            raise RTUError("there is no code to run")
        self.ensure_kernel()
        execution = Execution(self, uuid4(), keep=background)
        data = m.ScratchRequestData(
            execution_id=execution.id,
            source=source,
            asks=asks,
            keep=background,
            forget=forget,
            expression=expression,
        )
        message = m.ScratchRequest(channel=self.client.file_channel, data=data)

        async def submit() -> None:
            await execution.accepted((m.SCRATCH_CELL,))
            reply = await self.request(message)
            if not isinstance(reply, m.ScratchReply):
                raise RTUError("this server cannot run code without a cell; leave --scratch out")
            if not reply.data.success:
                raise RTUError(f"the code was not run: {reply.data.message}")

        try:
            self.call(submit())
        except BaseException:
            execution.close()
            raise
        return execution

    def attach(self, execution_id: UUID) -> Execution:
        """Follow a run that has begun, whoever started it, with its outputs from the first on.

        From then on this session is asked what the run asks, unless its starter is there.

        Raises
        ------
        RTUError
            The server knows no such run.
        """
        self.refuse_own_kernel()
        execution = Execution(self, execution_id)

        async def attach() -> None:
            message = execution.attach_request(look=True)
            reply = await self.request(message)
            run = reply.data.run if isinstance(reply, m.AttachReply) else None
            if run is None:
                raise RTUError("there is no such run; %rtu_runs lists those that are known")
            await execution.catch_up(run)

        try:
            self.call(attach())
        except BaseException:
            execution.close()
            raise
        return execution

    def runs(self) -> list[m.Run]:
        """Return what runs and what ran lately in this notebook, the newest first."""
        return self.call(self.api.list_runs(self.file.id))

    def clear(self, *refs: str | int) -> list[str]:
        """Clear the outputs of some cells for everybody, of all without an argument.

        Returns
        -------
        list of str
            The ids of the cells that had outputs.
        """
        cell_ids = self.resolve_all(refs) if refs else None

        async def clear() -> list[str]:
            return await self.api.clear_outputs(self.file.id, cell_ids)

        return self.call(clear())

    async def request(self, message: m.BaseRTURequest) -> m.BaseRTUResponse:
        """Send a request that may be sent twice, and return the first answer.

        Raises
        ------
        PermissionDenied
            The server does not allow it.
        RTUError
            There is no answer.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[m.BaseRTUResponse] = loop.create_future()

        def take(reply: m.BaseRTUResponse) -> None:
            if not answer.done():
                answer.set_result(reply)

        stop = self.client.register_transaction_id_callback(message.transaction_id, take)
        try:
            for _ in range(_TRIES):
                self.client.send(message)
                done, _pending = await asyncio.wait([answer], timeout=_REPLY_TIMEOUT)
                if done:
                    break
            else:
                raise RTUError("the server does not answer; try again")
        finally:
            stop()
        reply = answer.result()
        if isinstance(reply, m.PermissionDeniedResponse):
            raise PermissionDenied(reply.data.message)
        return reply

    async def _execute_delta(
        self,
        ref: str | int | None,
        run_all: bool,
        before: str | int | None,
        after: str | int | None,
    ) -> m.CellExecuteDelta:
        given = [ref is not None, run_all, before is not None, after is not None]
        if sum(given) != 1:
            raise RTUError("say what to run: one cell, all, all up to one, or all from one")
        classes: tuple[type[m.CellExecuteDelta], ...]
        classes = (m.CellExecute, m.CellExecuteBefore, m.CellExecuteAfter)
        for found, cls in zip((ref, before, after), classes, strict=True):
            if found is not None:
                cell_id = await self._resolve(found)
                delta: m.CellExecuteDelta = cls(file_id=self.client.file_id, resource_id=cell_id)
                break
        else:
            delta = m.CellExecuteAll(file_id=self.client.file_id)
        if not self.runnable(delta):
            await self._catch_up()
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

    def runnable(self, delta: m.CellExecuteDelta) -> list[str]:
        """Return the ids of the cells that an execute delta runs, in order."""
        return [cell.id for cell in targets_of(delta, self.client.builder)]

    def _nothing_to_run(self, delta: m.CellExecuteDelta) -> str:
        if not isinstance(delta, m.CellExecute):
            return "there is no code cell to run; %%rtu_add adds one"
        cell = self._get(delta.resource_id)
        if isinstance(cell, m.CodeCell):
            return f"cell {self.label(cell.id)} is empty; %%rtu_edit gives it a text"
        return (
            f"cell {self.label(cell.id)} is a {cell.cell_type} cell and nothing to run; "
            f"%rtu_type {cell.id} code makes it code"
        )
