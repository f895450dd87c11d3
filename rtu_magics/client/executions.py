"""Running cells, and waiting for a kernel: the verbs of `RTUClient` that concern runs.

Each takes the client as its first argument, and is a method there.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID, uuid4

from ..errors import KernelNotStarted
from ..models import (
    CellExecute,
    CellExecuteAfter,
    CellExecuteAll,
    CellExecuteBefore,
    CellExecuteDelta,
    CodeCell,
    KernelStateName,
)
from .deltas import DeltaClient, request_delta

__all__ = ["CellFuture", "queue_execution", "wait_for_kernel_idle"]

_NO_KERNEL = frozenset(
    {
        KernelStateName.NOT_STARTED,
        KernelStateName.SHUTTING_DOWN,
        KernelStateName.SHUTDOWN,
        KernelStateName.CULLED,
        KernelStateName.FAILED,
    }
)

CellFuture = asyncio.Future[CodeCell]


class RunningClient(DeltaClient, Protocol):
    """What running cells needs of the client."""

    @property
    def kernel_state(self) -> str: ...


async def wait_for_kernel_idle(client: RunningClient, timeout: float | None = None) -> None:
    """Return when the kernel is idle.

    Parameters
    ----------
    timeout
        Seconds to wait at most.

    Raises
    ------
    KernelDied
        The kernel failed instead.
    TimeoutError
        It took longer than `timeout`.
    """
    if client.kernel_state == KernelStateName.IDLE:
        return
    client.manager.step_aside()
    try:
        await client.follower.idle.wait(timeout)
    except asyncio.TimeoutError:
        raise TimeoutError(
            f"the kernel is {client.kernel_state!r}, not idle, after {timeout:g} s: wait longer, "
            "or interrupt it"
        ) from None


async def queue_execution(
    client: RunningClient,
    cell_id: str | None = None,
    before_id: str | None = None,
    after_id: str | None = None,
    run_all: bool = False,
    *,
    execution_id: UUID | None = None,
) -> dict[CellFuture, str]:
    """Queue cells for execution; return a future per cell that will run.

    Parameters
    ----------
    cell_id
        Run this cell.
    before_id
        Run every cell up to this one, and this one.
    after_id
        Run this cell and every one after it.
    run_all
        Run every cell.
    execution_id
        The id of the execute delta, under which outputs and states come; a new one by default.

    Returns
    -------
    Futures by which to wait, each with its cell's id. A future gives the cell as it is when its
    run has ended, with an error or without: `cell_states` tells. Only code cells that are not
    blank have one.

    Raises
    ------
    ValueError
        Nothing to run was named.
    KernelNotStarted
        The notebook has no kernel.
    CellNotFound
        The notebook has no such cell.
    DeltaRejected
        The server refused.

    Examples
    --------
    Wait for all of them::

        queued = await client.queue_execution(run_all=True)
        if queued:
            await asyncio.wait(queued, timeout=60)
    """
    wanted = cell_id or before_id or after_id
    if not wanted and not run_all:
        raise ValueError("name what to run: cell_id, before_id, after_id or run_all=True")
    if client.kernel_state in _NO_KERNEL:
        raise KernelNotStarted(
            f"the notebook's kernel is {client.kernel_state!r}: start one with "
            "APIClient.launch_kernel(file_id) and wait for it with wait_for_kernel_idle()"
        )
    if wanted:
        client.builder.cell(wanted)
    delta_class: type[CellExecuteDelta]
    if cell_id:
        delta_class = CellExecute
    elif before_id:
        delta_class = CellExecuteBefore
    elif after_id:
        delta_class = CellExecuteAfter
    else:
        delta_class, wanted = CellExecuteAll, None
    delta = delta_class(id=execution_id or uuid4(), file_id=client.file_id)
    if wanted:
        delta.resource_id = wanted
    loop = asyncio.get_running_loop()
    waits = client.follower.replica.state.waits
    futures: dict[CellFuture, str] = {}

    def forget_cancelled(future: CellFuture) -> None:
        if future.cancelled():
            waits.drop(future)

    def wait_for(target: str) -> CellFuture:
        future: CellFuture = loop.create_future()
        future.add_done_callback(forget_cancelled)
        futures[future] = target
        return future

    await request_delta(client, delta, wait_for=wait_for)
    return futures
