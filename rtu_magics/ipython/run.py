"""The magic that people use all day: run remote cells."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError

from .base import (
    RtuMagics,
    argument,
    body,
    guarded,
    line_cell_magic,
    magic_arguments,
    magics_class,
    session_argument,
)

__all__ = ["RunMagics"]


@magics_class
class RunMagics(RtuMagics):
    """Running remote cells from here."""

    @magic_arguments()
    @argument(
        "cells",
        nargs="*",
        metavar="CELL",
        help="cells to run, one after the other: ids, positions, or .",
    )
    @argument("--all", action="store_true", help="run every cell")
    @argument("--before", metavar="CELL", help="run every cell up to and with this one")
    @argument("--after", metavar="CELL", help="run this cell and every one after it")
    @argument("--cell", metavar="CELL", help="%%%%rtu_exec: replace this cell by the body")
    @argument("-o", "--output", metavar="NAME", help="put the outputs into this variable instead")
    @session_argument
    @line_cell_magic
    @guarded
    def rtu_exec(self, line: str, cell: str | None = None) -> None:
        """Run cells on the remote kernel; their outputs stream into this cell.

        As a cell magic it adds the body as a new cell (or replaces --cell by it) and runs that.
        A remote cell that fails raises RemoteCellError here, so Run All stops. Ctrl-C interrupts
        the remote cell; a second Ctrl-C stops waiting and leaves it running.

        Examples::

            %rtu_exec 3
            %rtu_exec 1 2 -1
            %rtu_exec --all
            %rtu_exec --after 4

            %%rtu_exec
            df.describe()

            %%rtu_exec --cell 3
            print("instead of what was there")
        """
        from .running import run_here

        args = self.parse(self.rtu_exec, line)
        collected = _Collected() if args.output else None
        how: dict[str, Any] = {
            "say": self.say,
            "owns_cell": cell is not None or self._is_whole_cell(line),
            "collect": collected.take if collected is not None else None,
        }
        try:
            if cell is not None:
                self._exec_body(args, body(cell), how)
                return
            _check_what(args)
            session = self.session(args)
            if args.cells:
                for cell_id in [session.resolve(ref) for ref in args.cells]:
                    run_here(self.shell, session, cell_id, **how)
            else:
                run_here(
                    self.shell,
                    session,
                    run_all=args.all,
                    before=args.before,
                    after=args.after,
                    **how,
                )
        finally:
            if collected is not None:
                self.shell.push({args.output: collected.outputs})

    def _exec_body(self, args: Any, source: str, how: dict[str, Any]) -> None:
        from .running import run_here

        if args.cells or args.all or args.before or args.after:
            raise UsageError("%%rtu_exec runs its body; --cell CELL puts it in place of a cell")
        if not source.strip():
            raise UsageError("the body of %%rtu_exec is empty; write the code below the magic")
        session = self.session(args)
        if args.cell is None:
            new = session.add(source)
            cell_id = new.id
        else:
            cell_id = session.resolve(args.cell)
            session.edit(cell_id, source)
        run_here(self.shell, session, cell_id, **how)

    def _is_whole_cell(self, line: str) -> bool:
        """Whether the calling cell is this magic and nothing else."""
        history = getattr(getattr(self.shell, "history_manager", None), "input_hist_raw", None)
        raw = history[-1].strip() if history else ""
        return raw == f"%rtu_exec {line}".strip()


class _Collected:
    """The outputs of a run, instead of showing them."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []

    def take(self, event: Any) -> None:
        """Note an output event."""
        from ..session.events import OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated

        if isinstance(event, OutputAppended):
            self.outputs.append(event.output)
        elif isinstance(event, OutputContinued):
            self._continue(event.output)
        elif isinstance(event, OutputsCleared):
            self.outputs[:] = event.outputs
        elif isinstance(event, OutputsUpdated):
            for index, output in enumerate(self.outputs):
                if output.id in event.output_ids:
                    new = {"data": event.data, "metadata": event.metadata}
                    self.outputs[index] = output.model_copy(update=new)

    def _continue(self, piece: Any) -> None:
        for index in range(len(self.outputs) - 1, -1, -1):
            found = self.outputs[index]
            if found.id == piece.id and found.content is not None and piece.content is not None:
                text = (found.content.raw or "") + (piece.content.raw or "")
                content = found.content.model_copy(update={"raw": text})
                self.outputs[index] = found.model_copy(update={"content": content})
                return


def _check_what(args: Any) -> None:
    if args.cell is not None:
        raise UsageError("--cell belongs to %%rtu_exec with a body; write %rtu_exec CELL")
    given = [bool(args.cells), args.all, args.before is not None, args.after is not None]
    if not any(given):
        raise UsageError("say what to run: %rtu_exec CELL, --all, --before CELL or --after CELL")
    if sum(given) > 1:
        raise UsageError("give only one of CELL, --all, --before and --after")
