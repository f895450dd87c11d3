"""What became of the notebook: its changes, its versions, its kernel's variables."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from ...errors import AmbiguousCell, CellNotFound, RTUError
from ...models import OTHER_PROGRAM, OTHER_PROGRAM_ID
from ..changes import Change, read_log
from ..execution.end_words import run_word
from .undo import UndoVerbs

if TYPE_CHECKING:
    from ...models import FileVersion, Variable

__all__ = ["HistoryVerbs"]

_PAGE = 500  # deltas that are asked for at once
_RELOAD_TIMEOUT = 20.0  # seconds until this copy has to be the restored one


class HistoryVerbs(UndoVerbs):
    """The part of a `Session` that looks back."""

    def history(
        self, ref: str | int | None = None, *, limit: int = 20, runs: bool = False
    ) -> list[Change]:
        """Return who changed what and when, the latest last.

        Several edits of one cell by one person in one go count as one.

        Parameters
        ----------
        ref
            Only what concerns this cell; one that was deleted goes by its id.
        limit
            How many changes at most.
        runs
            Whether to tell who ran what, too.

        Notes
        -----
        It goes back as far as the server keeps its log; `versions` goes back further.

        Raises
        ------
        CellNotFound
            There is no such cell, and there was none as far back as the log goes.
        """
        if limit < 1:
            raise RTUError(f"{limit} changes are none; ask for at least 1")
        return self.call(self._history(ref, limit, runs))

    async def _history(self, ref: str | int | None, limit: int, runs: bool) -> list[Change]:
        missing: CellNotFound | None = None
        prefix: str | None = None
        if ref is not None:
            try:
                prefix = await self._resolve(ref)
            except AmbiguousCell:
                raise
            except CellNotFound as exc:
                missing, prefix = exc, str(ref)
        found: list[Change] = []
        before: UUID | None = None
        while True:
            log = await self.api.get_log(self.file.id, _PAGE, before)
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
            found = _with_versions(found, await self.ask_versions(), await self._names())
        found = found[-limit:]
        return await self._with_ends(found) if runs else found

    async def _with_ends(self, changes: list[Change]) -> list[Change]:
        """Say of what somebody ran how it ended, where the server still knows."""
        ends = {run.execution_id: run_word(run) for run in await self.api.list_runs(self.file.id)}
        return [
            replace(change, end=ends[change.execution_id])
            if change.execution_id is not None and ends.get(change.execution_id, "ok") != "ok"
            else change
            for change in changes
        ]

    async def _names(self) -> dict[UUID, str]:
        people = {p.user_id: p.name for p in await self.api.list_people(self.file.id)}
        return {**people, OTHER_PROGRAM_ID: OTHER_PROGRAM}

    # versions

    def versions(self) -> list[FileVersion]:
        """Return the saved versions, the latest first."""
        return self.call(self.ask_versions())

    async def ask_versions(self) -> list[FileVersion]:
        """Return the versions, as `versions` does, from within the loop."""
        found = await self.api.get_file_versions(self.file.id)
        self.known_versions = [str(v.number) for v in found] + [v.name for v in found if v.name]
        return found

    def save_version(self, name: str | None = None) -> FileVersion:
        """Save the notebook as it is now as a version, with a name if you like."""
        if name is not None and not name.strip():
            raise RTUError("a version's name cannot be empty; leave it out for none")

        async def save() -> FileVersion:
            return await self.api.create_version(self.file.id, name)

        return self.call(save())

    def version(self, ref: str | int) -> FileVersion:
        """Return a version by its number, its name, or the beginning of its id.

        Raises
        ------
        RTUError
            None is called so, or several are.
        """
        wanted = str(ref).strip()
        versions = self.versions()
        number = wanted.removeprefix("v")
        tests = (
            lambda v: number.isdecimal() and v.number == int(number),
            lambda v: v.name == wanted,
            lambda v: len(wanted) >= 4 and str(v.id).startswith(wanted.lower()),
        )
        for test in tests:
            found = [version for version in versions if test(version)]
            if len(found) == 1:
                return found[0]
            if found:
                numbers = ", ".join(str(version.number) for version in found)
                raise RTUError(f"several versions are called {wanted!r}; give a number: {numbers}")
        raise RTUError(f"there is no version {wanted!r}; %rtu_versions lists them")

    def restore(self, ref: str | int) -> tuple[FileVersion, FileVersion]:
        """Make the notebook what it was in a version, for everybody who has it open.

        What it was until now is kept as a version, too: nothing is lost.

        Parameters
        ----------
        ref
            As in `version`.

        Returns
        -------
        tuple
            The version that was restored, and the one that the notebook now is.
        """
        version = self.version(ref)

        made = self.call(self._restore(version), aloud=False)
        self._steps.clear()  # what they would take back is gone
        return version, made

    async def _restore(self, version: FileVersion) -> FileVersion:
        changed = asyncio.Event()
        was = self.client.file_version_id
        stop = self.client.register_connection_callback(lambda state, detail: changed.set())
        try:
            made = await self.api.restore_version(self.file.id, version.id)
            # Everybody is told to load the notebook anew, this copy as well.
            while self.client.file_version_id == was or not self.client.is_live:
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

    # the kernel's variables

    def variables(self) -> list[Variable]:
        """Return the variables of the remote kernel, by name."""

        async def listed() -> list[Variable]:
            found = await self.api.get_variables(self.file.id)
            return sorted(found.variables, key=lambda variable: variable.name.lower())

        return self.call(listed())


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
