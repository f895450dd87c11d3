"""The magic that people use all day: run remote cells."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from .base import (
    MagicsBase,
    argument,
    body,
    guarded,
    line_cell_magic,
    magic_arguments,
    magics_class,
    quiet_argument,
    session_argument,
)
from .runs import check_name, check_timeout

if TYPE_CHECKING:
    from ...session import Session
    from ..show.background import BackgroundRun
    from ..show.foreground import How
    from ..show.result import RunResult

__all__ = ["RunMagics"]

_ASSIGNED = re.compile(r"=[ \t]*%rtu_exec\b(.*)")


@magics_class
class RunMagics(MagicsBase):
    """Running remote cells from here."""

    @magic_arguments()
    @argument(
        "cells",
        nargs="*",
        metavar="CELL",
        help="cells to run, one after the other: ids, positions, ranges such as 2-4, or .",
    )
    @argument("--all", action="store_true", help="run every cell")
    @argument("--before", metavar="CELL", help="run every cell up to and with this one")
    @argument("--after", metavar="CELL", help="run this cell and every one after it")
    @argument("--cell", metavar="CELL", help="%%%%rtu_exec: replace this cell by the body")
    @argument("-o", "--output", metavar="NAME", help="keep the outputs in this variable instead")
    @argument("--timeout", metavar="S", type=float, help="stop the run after this many seconds")
    @argument("--keep-going", action="store_true", help="run the other cells although one failed")
    @argument("--bg", action="store_true", help="return at once, the outputs go on below this cell")
    @argument("--scratch", action="store_true", help="%%%%rtu_exec: run the body without a cell")
    @session_argument
    @quiet_argument
    @line_cell_magic
    @guarded
    def rtu_exec(self, line: str, cell: str | None = None) -> RunResult | BackgroundRun | None:
        """Run cells on the remote kernel; their outputs stream into this cell.

        As a cell magic it adds the body as a new cell (or replaces --cell by it) and runs that.
        A remote cell that fails raises RemoteCellError here, so Run All stops. Ctrl-C interrupts
        the remote cell; a second Ctrl-C stops waiting and leaves it running.

        With -o NAME, or assigned, nothing but tracebacks is shown, and the outputs are kept: an
        object with .text, .data (the bundle of the last thing displayed), .outputs and .error.
        -o gives it for a failed run, too.

        With --bg it returns at once and the run goes on, with its outputs below this cell, although
        this kernel is restarted or has gone; see %rtu_runs, %rtu_wait, %rtu_result and %rtu_attach.
        Then -o NAME, or the assignment, gives the run itself. Its cells cannot ask for input.

        With --scratch the body runs in the remote kernel but becomes no cell, and only you see its
        outputs.

        Examples::

            %rtu_exec 3
            %rtu_exec 1 2 -1
            %rtu_exec --all --keep-going
            %rtu_exec --after 4 --timeout 60
            result = %rtu_exec 3

            %%rtu_exec -o result
            df.describe()

            %%rtu_exec --cell 3
            print("instead of what was there")

            %%rtu_exec --scratch --bg
            train(epochs=100)
        """
        from ...errors import RTUError
        from ..show.foreground import How
        from ..show.progress import ProgressLine
        from ..show.result import RunResult

        args = self.parse(self.rtu_exec, line)
        _check_what(args, cell)
        session = self.session(args)
        assigned = cell is None and self._is_assigned(line)
        owns_cell = cell is not None or self._is_whole_cell(line)
        if args.bg:
            run = self._start(session, args, cell, owns_cell=owns_cell)
            return run if assigned else None
        result = (
            RunResult(session.fetch, lambda: session.trusts_outputs)
            if args.output or assigned
            else None
        )
        how = How(
            self.tell,
            owns_cell=owns_cell,
            collect=result.take if result is not None else None,
            grace=self.settings.grace_period,
            header=f"%%rtu_exec {line}".strip() if cell is not None else None,
            progress=None if args.quiet else ProgressLine(self.shell, self.settings.progress_delay),
        )
        try:
            self._exec(session, args, cell, how)
        except RTUError as exc:
            if result is not None:
                result.error = exc
            raise
        finally:
            if how.progress is not None:
                how.progress.close()
            if result is not None and args.output:
                self.shell.push({args.output: result})
        return result if assigned else None

    def _exec(self, session: Session, args: Any, cell: str | None, how: How) -> None:
        from ...protocol import positions_of
        from ..show.foreground import run_cells, run_here, run_scratch_here

        if args.scratch:
            how.deadline = _deadline(session, args)
            run_scratch_here(self.shell, session, body(cell or ""), how)
            return
        if cell is not None:
            refs = [self._put(session, args, body(cell))]
        elif len(args.cells) == 1 and positions_of(args.cells[0]) is None:
            refs = args.cells
        elif args.cells:  # what is wrong with any of them comes before the first one runs
            refs = session.resolve_all(args.cells)
        else:
            what = _what(args)
            if args.keep_going:
                refs = session.select(**what)
            else:
                how.deadline = _deadline(session, args)
                how.owns_cell = False  # one cell's clear_output is not to clear the others'
                run_here(self.shell, session, None, how, **what)
                return
        how.deadline = _deadline(session, args)
        how.owns_cell = how.owns_cell and len(refs) == 1
        if how.progress is not None:
            how.progress.total = len(refs)
        run_cells(self.shell, session, refs, how, keep_going=args.keep_going)

    def _start(
        self, session: Session, args: Any, cell: str | None, *, owns_cell: bool
    ) -> BackgroundRun:
        """Start a run in the background."""
        from ..show.background import BackgroundRun, background_runs

        name = background_runs.name_for(args.output)
        if args.scratch:
            execution = session.start_scratch(body(cell or ""), background=True)
        elif cell is not None:
            execution = session.start(self._put(session, args, body(cell)), background=True)
        elif args.cells:
            execution = session.start(args.cells[0], background=True)
        else:
            owns_cell = False
            execution = session.start(**_what(args), background=True)
        run = BackgroundRun(name, session, execution, self.shell, owns_cell=owns_cell)
        background_runs.add(run)
        if args.output:
            self.shell.push({args.output: run})
        return run

    def _put(self, session: Session, args: Any, source: str) -> str:
        """Put the body of a cell magic where it runs; returns the cell's id."""
        from ..local_cells import put_cell

        if args.cell is None:
            return put_cell(self.shell, session, source, self.say)
        cell_id = session.resolve(args.cell)
        session.edit(cell_id, source)
        return cell_id

    def _raw_cell(self) -> str:
        """Return the calling cell as it was typed, empty where that is not known."""
        history = getattr(getattr(self.shell, "history_manager", None), "input_hist_raw", None)
        return str(history[-1]).strip() if history else ""

    def _is_whole_cell(self, line: str) -> bool:
        """Whether the calling cell is this magic and nothing else."""
        return self._raw_cell() == f"%rtu_exec {line}".strip()

    def _is_assigned(self, line: str) -> bool:
        """Whether the call is ``x = %rtu_exec …``.

        Only then is a value returned: IPython would show it once more at the end of the cell.
        """
        for found in _ASSIGNED.finditer(self._raw_cell()):
            typed = found[1].strip()
            if line.strip() in (typed, str(self.shell.var_expand(typed)).strip()):
                return True
        return False


def _deadline(session: Session, args: Any) -> float | None:
    if args.timeout is None:
        return None
    session.ensure_kernel()  # starting it is not the run's fault
    return time.monotonic() + float(args.timeout)


def _what(args: Any) -> dict[str, Any]:
    return {"run_all": args.all, "before": args.before, "after": args.after}


def _check_what(args: Any, cell: str | None) -> None:
    check_timeout(args.timeout)
    check_name(args.output)
    if args.bg:
        _check_background(args)
    if args.scratch and (cell is None or args.cell is not None):
        raise UsageError("--scratch belongs to %%rtu_exec with a body, which then becomes no cell")
    if cell is not None:
        if args.cells or args.all or args.before or args.after:
            raise UsageError("%%rtu_exec runs its body; --cell CELL puts it in place of a cell")
        if not cell.strip():
            raise UsageError("the body of %%rtu_exec is empty; write the code below the magic")
        return
    if args.cell is not None:
        raise UsageError("--cell belongs to %%rtu_exec with a body; write %rtu_exec CELL")
    given = [bool(args.cells), args.all, args.before is not None, args.after is not None]
    if not any(given):
        raise UsageError("say what to run: %rtu_exec CELL, --all, --before CELL or --after CELL")
    if sum(given) > 1:
        raise UsageError("give only one of CELL, --all, --before and --after")


def _check_background(args: Any) -> None:
    if args.timeout is not None:
        raise UsageError("--bg waits for nothing; %rtu_wait NAME --timeout S waits for a while")
    if args.keep_going or len(args.cells) > 1:
        raise UsageError(
            "--bg takes one run: a CELL, --all, --before CELL or --after CELL, and no --keep-going"
        )
