"""What became of the notebook: its changes, its versions, its kernel's variables."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from ...errors import AmbiguousCell, APIError, CellNotFound, KernelNotStarted, RTUError
from ...models import KERNEL_ALIVE_STATES, OTHER_PROGRAM, OTHER_PROGRAM_ID
from ..changes import Change, read_log
from ..context import Context
from ..execution.end_words import run_word

if TYPE_CHECKING:
    from ...models import FileVersion, Variable

__all__ = ["history", "restore", "save_version", "variables", "version", "versions"]

_PAGE = 500  # deltas that are asked for at once
_RELOAD_TIMEOUT = 20.0  # seconds until this copy has to be the restored one


async def history(
    context: Context, ref: str | int | None = None, *, limit: int = 20, runs: bool = False
) -> list[Change]:
    """Return who changed what and when, the latest last."""
    if limit < 1:
        raise RTUError(f"{limit} changes are none; ask for at least 1")
    missing: CellNotFound | None = None
    prefix: str | None = None
    if ref is not None:
        try:
            prefix = await context.refs.resolve(ref)
        except AmbiguousCell:
            raise
        except CellNotFound as exc:
            missing, prefix = exc, str(ref)
    found: list[Change] = []
    before: UUID | None = None
    while True:
        log = await context.api.get_log(context.file_id, _PAGE, before)
        page = await asyncio.to_thread(read_log, log)  # long texts take a while
        found = [c for c in page if _wanted(c, prefix, runs)] + found
        if len(found) >= limit or not log.more or not log.deltas:
            break
        before = UUID(str(log.deltas[0]["id"]))
    if missing is not None:
        ids = {c.cell_id for c in found}
        if len(ids) != 1 or len(prefix or "") < 4:
            raise missing
    if ref is None and found:
        found = _with_versions(found, await versions(context), await _names(context))
    found = found[-limit:]
    return await _with_ends(context, found) if runs else found


async def _with_ends(context: Context, changes: list[Change]) -> list[Change]:
    """Say of what somebody ran how it ended, where the server still knows."""
    runs = await context.api.list_runs(context.file_id)
    ends = {run.execution_id: run_word(run) for run in runs}
    return [
        replace(change, end=ends[change.execution_id])
        if change.execution_id is not None and ends.get(change.execution_id, "ok") != "ok"
        else change
        for change in changes
    ]


async def _names(context: Context) -> dict[UUID, str]:
    people = {p.user_id: p.name for p in await context.api.list_people(context.file_id)}
    return {**people, OTHER_PROGRAM_ID: OTHER_PROGRAM}


async def versions(context: Context) -> list[FileVersion]:
    """Return the saved versions, the latest first."""
    found = await context.api.get_file_versions(context.file_id)
    numbers, names = [str(v.number) for v in found], [v.name for v in found if v.name]
    context.known.versions = numbers + names
    return found


async def save_version(context: Context, name: str | None = None) -> FileVersion:
    """Save the notebook as it is now as a version."""
    if name is not None and not name.strip():
        raise RTUError("a version's name cannot be empty; leave it out for none")
    return await context.api.create_version(context.file_id, name)


async def version(context: Context, ref: str | int) -> FileVersion:
    """Return a version by its number, its name, or the beginning of its id."""
    wanted = str(ref).strip()
    every = await versions(context)
    number = wanted.removeprefix("v")
    tests = (
        lambda v: number.isdecimal() and v.number == int(number),
        lambda v: v.name == wanted,
        lambda v: len(wanted) >= 4 and str(v.id).startswith(wanted.lower()),
    )
    for test in tests:
        found = [version for version in every if test(version)]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(version.number) for version in found)
            raise RTUError(f"several versions are called {wanted!r}; give a number: {numbers}")
    raise RTUError(f"there is no version {wanted!r}; %rtu_versions lists them")


async def restore(context: Context, version: FileVersion) -> FileVersion:
    """Make the notebook what it was in a version; returns the one that it now is."""
    client = context.client
    changed = asyncio.Event()
    was = client.file_version_id
    stop = client.register_connection_callback(lambda state, detail: changed.set())
    try:
        made = await context.api.restore_version(context.file_id, version.id)
        # Everybody is told to load the notebook anew, this copy as well.
        while client.file_version_id == was or not client.is_live:
            await asyncio.wait_for(changed.wait(), _RELOAD_TIMEOUT)
            changed.clear()
        return made
    except (TimeoutError, asyncio.TimeoutError):
        raise RTUError(
            f"version {version.number} is restored, but this copy was not loaded anew within "
            f"{_RELOAD_TIMEOUT:.0f} s; %rtu_disconnect and connect again"
        ) from None
    finally:
        stop()


async def variables(context: Context) -> list[Variable]:
    """Return the variables of the remote kernel, by name.

    Raises
    ------
    KernelNotStarted
        No kernel runs.
    """
    try:
        found = await context.api.get_variables(context.file_id)
    except APIError:
        if context.client.kernel_state in KERNEL_ALIVE_STATES:
            raise
        raise KernelNotStarted("no remote kernel runs; %rtu_kernel start starts one") from None
    return sorted(found.variables, key=lambda variable: variable.name.lower())


def _with_versions(
    changes: list[Change], versions: list[FileVersion], names: dict[UUID, str]
) -> list[Change]:
    """Put what was saved under a name, and what was restored, among the changes since."""
    since = min((c.at for c in changes if c.at is not None), default=None)
    found = list(changes)
    for version in versions:
        verb = {"save": "saved", "restore": "restored"}.get(version.reason or "")
        if verb is None or version.name is None or since is None or version.created_at < since:
            continue
        author = version.created_by_id
        found.append(
            Change(
                what=f"{verb}: version {version.number} ({version.name})",
                at=version.created_at,
                author=names.get(author, "somebody") if author is not None else "the server",
                author_id=author,
            )
        )
    # Stable, so that changes of one moment keep the order of the chain.
    return sorted(found, key=lambda change: change.at or since or datetime.max)


def _wanted(change: Change, prefix: str | None, runs: bool) -> bool:
    if change.runs and not runs:
        return False
    return prefix is None or (change.cell_id or "").startswith(prefix)
