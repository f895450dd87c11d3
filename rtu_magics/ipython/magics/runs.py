"""Magics for runs that go on: list, wait, look at them again, clear what they left."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..show.interrupt import interrupted
from .base import (
    MagicsBase,
    argument,
    guarded,
    line_magic,
    magic_arguments,
    magics_class,
    quiet_argument,
    session_argument,
)

if TYPE_CHECKING:
    from ...models import Run
    from ...session import Session
    from ..show.background import BackgroundRun
    from ..show.result import RunResult

__all__ = ["RunsMagics", "check_name", "check_timeout", "cleared_line"]

_LEAST = 4  # characters of a run's id
_SHOWN = 20  # runs


def check_timeout(seconds: float | None) -> None:
    """Refuse a timeout that is no time to wait."""
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError("--timeout takes a number of seconds above 0; leave it out to wait on")


@magics_class
class RunsMagics(MagicsBase):
    """Runs that go on in the background, or that somebody else looks at."""

    @magic_arguments()
    @session_argument
    @line_magic
    @guarded
    def rtu_runs(self, line: str) -> None:
        """List what runs and what ran lately, whoever started it, the newest first.

        Examples::

            %rtu_runs
        """
        from ...session.execution.end_words import run_word
        from ..show.background import background_runs
        from ..text.notebook import table

        args = self.parse(self.rtu_runs, line)
        session = self.session(args)
        runs = session.runs()
        if not runs:
            self.say("nothing has run here yet; %rtu_exec runs cells")
            return
        rows = []
        for run in runs[:_SHOWN]:
            local = background_runs.by_execution(run.execution_id)
            rows.append(
                [
                    local.name if local is not None else "",
                    run.execution_id.hex[:8],
                    _cells(session, run),
                    run_word(run),
                    _who(session, run),
                    _when(run),
                ]
            )
        self.show(table(["name", "run", "cells", "state", "by", "started"], rows))
        if len(runs) > _SHOWN:
            self.say(f"and {len(runs) - _SHOWN} earlier ones")

    @magic_arguments()
    @argument("names", nargs="*", metavar="RUN", help="the runs; all that go on by default")
    @argument("--timeout", metavar="S", type=float, help="wait no longer than this many seconds")
    @quiet_argument
    @line_magic
    @guarded
    def rtu_wait(self, line: str) -> None:
        """Wait for runs in the background. A failed one raises its error here.

        Ctrl-C stops waiting and leaves them running.

        Examples::

            %rtu_wait
            %rtu_wait run1 --timeout 60
        """
        from ...errors import RunTimeout
        from ..show.background import background_runs

        args = self.parse(self.rtu_wait, line)
        check_timeout(args.timeout)
        waiting = [_named(name) for name in args.names] or [
            run for run in background_runs if not run.done
        ]
        if not waiting:
            self.say("no run goes on in the background")
            return
        until = None if args.timeout is None else time.monotonic() + args.timeout
        try:
            for run in waiting:
                left = None if until is None else max(0.0, until - time.monotonic())
                if not run.wait(left):
                    raise RunTimeout(
                        f"{run.name} still runs after {args.timeout:g} s; %rtu_wait {run.name} "
                        "waits on, %rtu_kernel interrupt stops it"
                    )
                self.say(run.headline if run.result.error is None else f"{run.name} failed")
        except KeyboardInterrupt:
            still = ", ".join(run.name for run in waiting if not run.done)
            raise interrupted(
                f"stopped waiting; {still or 'all of it'} runs on, %rtu_kernel interrupt stops it"
            ) from None
        for run in waiting:
            if run.result.error is not None:
                raise run.result.error

    @magic_arguments()
    @argument("name", metavar="RUN", help="the run")
    @line_magic
    @guarded
    def rtu_result(self, line: str) -> RunResult:
        """Return what a run in the background has given so far.

        The object has .text, .data (the bundle of the last thing displayed), .outputs and .error.

        Examples::

            %rtu_result run1
            r = %rtu_result run1
        """
        args = self.parse(self.rtu_result, line)
        run = _named(args.name)
        if not run.done:
            self.say(f"{run.name} still runs; this is what it has given so far")
        return run.result

    @magic_arguments()
    @argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a name, the beginning of a run's id (%%rtu_runs), or a cell; "
        "by default what runs now, or else ran last",
    )
    @argument("--bg", action="store_true", help="return at once, the outputs go on below this cell")
    @argument("-o", "--output", metavar="NAME", help="keep the outputs in this variable instead")
    @session_argument
    @quiet_argument
    @line_magic
    @guarded
    def rtu_attach(self, line: str) -> None:
        """Look at a run again: its outputs from the first on, and what still comes.

        It may have been started by a kernel that has gone, or by somebody else. What the run asks
        is asked here from now on. Ctrl-C interrupts a run of your own, and of anybody else's only
        stops looking.

        Examples::

            %rtu_attach
            %rtu_attach 3
            %rtu_attach 5f3c --bg
        """
        from ...errors import RTUError
        from ...session.execution.end_words import run_word
        from ..show.background import BackgroundRun, background_runs
        from ..show.foreground import How, follow_here
        from ..show.result import RunResult

        args = self.parse(self.rtu_attach, line)
        check_name(args.output)
        session = self.session(args)
        run = _find(session, args.run)
        if args.bg:
            name = background_runs.name_for(args.output)
            execution = session.attach(run.execution_id)
            started = BackgroundRun(name, session, execution, self.shell, owns_cell=False)
            background_runs.add(started)
            if args.output:
                self.shell.push({args.output: started})
            return
        execution = session.attach(run.execution_id)
        self.say(f"{_cells(session, run)}: {run_word(run)}, started {_when(run)}")
        result = RunResult(session.fetch, lambda: session.trusts_outputs) if args.output else None
        how = How(
            self.tell,
            collect=result.take if result is not None else None,
            grace=self.settings.grace_period,
            payload=False,  # that was for the one who ran it, at that time
            interrupts=execution.user_id in (None, session.client.user_id),
        )
        try:
            follow_here(self.shell, session, execution, how)
        except RTUError as exc:
            if result is not None:
                result.error = exc
            raise
        finally:
            if result is not None:
                self.shell.push({args.output: result})

    @magic_arguments()
    @argument("cells", nargs="*", metavar="CELL", help="the cells; all by default")
    @session_argument
    @quiet_argument
    @line_magic
    @guarded
    def rtu_clear(self, line: str) -> None:
        """Clear the outputs of remote cells, for everybody.

        Examples::

            %rtu_clear
            %rtu_clear 3 -1
        """
        args = self.parse(self.rtu_clear, line)
        session = self.session(args)
        self.say(cleared_line(session.clear(*args.cells)))


def cleared_line(cell_ids: list[str]) -> str:
    """Say how many cells lost their outputs."""
    count = len(cell_ids)
    if not count:
        return "there were no outputs to clear"
    return f"cleared the outputs of {count} cell{'' if count == 1 else 's'}"


def check_name(name: str | None) -> None:
    """Refuse what cannot be the name of a variable."""
    if name is not None and not name.isidentifier():
        raise UsageError(f"-o takes the name of a variable, and {name!r} is none")


def _named(name: str) -> BackgroundRun:
    from ...errors import RTUError
    from ..show.background import background_runs

    found = background_runs.get(name)
    if found is None:
        known = ", ".join(run.name for run in background_runs) or "none so far"
        raise RTUError(
            f"no run of this kernel is called {name!r} ({known}); %rtu_runs lists all, "
            "%rtu_attach shows those of others"
        )
    return found


def _find(session: Session, ref: str | None) -> Run:
    """Return the run that a name, an id or a cell means."""
    from ...errors import CellNotFound, RTUError
    from ..show.background import background_runs

    runs = session.runs()
    if not runs:
        raise RTUError("nothing has run here yet; %rtu_exec runs cells")
    if ref is None:
        active = [run for run in runs if run.state in ("executing", "queued")]
        return next((run for run in active if run.state == "executing"), (active or runs)[0])
    local = background_runs.get(ref)
    if local is not None:
        found = [run for run in runs if run.execution_id == local.execution.id]
    else:
        plain = ref.replace("-", "").lower()
        ids = [r for r in runs if r.execution_id.hex.startswith(plain)]
        found = ids if len(plain) >= _LEAST else []
    if len(found) > 1:
        raise RTUError(f"several runs begin with {ref!r}; type more of the id")
    if found:
        return found[0]
    try:
        cell_id = session.resolve(ref)
    except CellNotFound:
        raise RTUError(
            f"{ref!r} is no run and no cell; %rtu_runs and %rtu_cells list them"
        ) from None
    of_cell = [run for run in runs if cell_id in run.cell_ids]
    if not of_cell:
        raise RTUError(
            f"cell {session.label(cell_id)} has not run lately; %rtu_runs lists what has"
        )
    return of_cell[0]


def _cells(session: Session, run: Run) -> str:
    if run.scratch:
        return "scratch code"
    labels = [session.label(cell_id) for cell_id in run.cell_ids]
    return f"cell {labels[0]}" if len(labels) == 1 else f"{len(labels)} cells"


def _who(session: Session, run: Run) -> str:
    if run.user_id is None or run.user_id == session.client.user_id:
        return "you" if run.user_id is not None else ""
    person: Any = session.people.get(run.user_id)
    return (person.name if person is not None else None) or run.user_id.hex[:8]


def _when(run: Run) -> str:
    begun = run.started_at or run.created_at
    if begun is None:
        return ""
    text = begun.astimezone().strftime("%H:%M:%S")
    if run.ended_at is not None:
        return f"{text}, {(run.ended_at - begun).total_seconds():.1f} s"
    return text
