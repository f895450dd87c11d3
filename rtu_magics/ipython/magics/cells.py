"""Magics for cells: list, show, pull, add, edit, delete, move, change type."""

from __future__ import annotations

import re
from typing import Any

from IPython.core.error import UsageError

from .base import (
    MagicsBase,
    argument,
    body,
    cell_magic,
    guarded,
    line_magic,
    magic_arguments,
    magics_class,
    quiet_argument,
    session_argument,
)

__all__ = ["CellMagics"]

CELL_HELP = "a cell: its id or the beginning of it, a position (3, -1 for the last), or ."
_NAME = re.compile(r"[\w-]+")
TYPES = ("code", "markdown", "raw", "sql")


@magics_class
class CellMagics(MagicsBase):
    """Reading and changing the cells of the remote notebook."""

    @magic_arguments()
    @session_argument
    @line_magic
    @guarded
    def rtu_cells(self, line: str) -> None:
        """List the cells of the remote notebook with their ids and states.

        Examples::

            %rtu_cells
            %rtu_cells -s lesson
        """
        from ..text.notebook import cell_table

        args = self.parse(self.rtu_cells, line)
        self.show(cell_table(self.session(args).cells()))

    @magic_arguments()
    @argument("cell", metavar="CELL", help=CELL_HELP)
    @session_argument
    @line_magic
    @guarded
    def rtu_show(self, line: str) -> None:
        """Show the source and the outputs of one cell.

        Examples::

            %rtu_show 3
            %rtu_show -1
            %rtu_show .
        """
        from ..text.notebook import cell_text

        args = self.parse(self.rtu_show, line)
        print(cell_text(self.session(args), args.cell))

    @magic_arguments()
    @argument("--after", metavar="CELL", help="put it after this cell")
    @argument("--before", metavar="CELL", help="put it before this cell")
    @argument("--first", action="store_true", help="put it at the top")
    @argument("--type", choices=TYPES, default="code", help="the cell's type (default: code)")
    @argument("--run", action="store_true", help="run it at once")
    @session_argument
    @quiet_argument
    @cell_magic
    @guarded
    def rtu_add(self, line: str, cell: str) -> None:
        """Add the body as a new cell to the remote notebook, at the end by default.

        Examples::

            %%rtu_add
            x = 6 * 7

            %%rtu_add --first --type markdown
            # Lesson one

            %%rtu_add --after 3 --run
            print(x)
        """
        args = self.parse(self.rtu_add, line)
        source = _filled(body(cell), "rtu_add")
        if args.run and args.type in ("markdown", "raw"):
            raise UsageError(f"a {args.type} cell cannot run; leave --run out")
        session = self.session(args)
        new = session.add(
            source, after=args.after, before=args.before, first=args.first, cell_type=args.type
        )
        self.say(f"added cell {session.label(new.id)}")
        if args.run:
            self._run(session, new.id, cell_magic=True)

    @magic_arguments()
    @argument("cell", metavar="CELL", help=CELL_HELP)
    @argument("--run", action="store_true", help="run it at once")
    @session_argument
    @quiet_argument
    @cell_magic
    @guarded
    def rtu_edit(self, line: str, cell: str) -> None:
        """Make the body the source of a remote cell.

        What others changed elsewhere in the cell since you last saw it (%rtu_show, %rtu_pull, or
        your own last edit) stays. If they changed the same place, nothing is sent and both texts
        are shown; running the edit again then replaces theirs.

        Examples::

            %%rtu_edit 3
            x = 6 * 9

            %%rtu_edit -1 --run
            print(x)
        """
        args = self.parse(self.rtu_edit, line)
        source = _filled(body(cell), "rtu_edit")
        session = self.session(args)
        cell_id = session.resolve(args.cell)
        self._edit(session, cell_id, source)
        if args.run:
            self._run(session, cell_id, cell_magic=True)

    def _edit(self, session: Any, cell_id: str, source: str) -> None:
        from ...session import EditConflict
        from ..text.notebook import conflict

        before = session.source_of(cell_id)
        try:
            edited = session.edit(cell_id, source)
        except EditConflict as exc:
            print(conflict(session.label(cell_id), exc.mine, exc.theirs))
            raise
        label = session.label(cell_id)
        if edited.source == before:
            self.say(f"cell {label} is unchanged")
        elif edited.source == source:
            self.say(f"edited cell {label}")
        else:
            self.say(f"edited cell {label}, merged with what others changed; %rtu_show . shows it")

    @magic_arguments()
    @argument("cell", metavar="CELL", help=CELL_HELP)
    @session_argument
    @quiet_argument
    @line_magic
    @guarded
    def rtu_pull(self, line: str) -> None:
        """Put %%rtu_edit with a remote cell's text into the next cell, to be changed and run.

        Examples::

            %rtu_pull 3
            %rtu_pull .
        """
        args = self.parse(self.rtu_pull, line)
        session = self.session(args)
        cell = session.cell(args.cell)  # from here on it counts as seen
        label = session.label(cell.id)
        # By its id: the position may be another one when the edit is run.
        name = label.rpartition("(")[2].rstrip(")")
        if _NAME.fullmatch(name) is None:  # it would be read as more than a name
            name = label.partition(" ")[0]
        where = f" -s {_quoted(session.name)}" if args.session else ""
        self.shell.set_next_input(f"%%rtu_edit {name}{where}\n{cell.source}", replace=False)
        self.say(f"cell {label} is in the next cell; change it there and run it")

    @magic_arguments()
    @argument("cell", metavar="CELL", help=CELL_HELP)
    @session_argument
    @quiet_argument
    @line_magic
    @guarded
    def rtu_delete(self, line: str) -> None:
        """Delete a cell of the remote notebook.

        Examples::

            %rtu_delete 3
            %rtu_delete -1
        """
        args = self.parse(self.rtu_delete, line)
        session = self.session(args)
        label = session.label(session.resolve(args.cell))
        session.delete(args.cell)
        self.say(f"deleted cell {label}")

    @magic_arguments()
    @argument("cell", metavar="CELL", help=CELL_HELP)
    @argument("--after", metavar="CELL", help="put it after this cell")
    @argument("--before", metavar="CELL", help="put it before this cell")
    @argument("--first", action="store_true", help="put it at the top")
    @session_argument
    @quiet_argument
    @line_magic
    @guarded
    def rtu_move(self, line: str) -> None:
        """Move a cell of the remote notebook.

        Examples::

            %rtu_move 3 --after 1
            %rtu_move -1 --first
        """
        args = self.parse(self.rtu_move, line)
        if not (args.after or args.before or args.first):
            raise UsageError("say where to: --after CELL, --before CELL or --first")
        session = self.session(args)
        moved = session.move(args.cell, after=args.after, before=args.before, first=args.first)
        self.say(f"moved cell, it is now {session.label(moved)}")

    @magic_arguments()
    @argument("cell", metavar="CELL", help=CELL_HELP)
    @argument("type", choices=TYPES, help="the new type")
    @session_argument
    @quiet_argument
    @line_magic
    @guarded
    def rtu_type(self, line: str) -> None:
        """Change a cell's type.

        Examples::

            %rtu_type 3 markdown
        """
        args = self.parse(self.rtu_type, line)
        session = self.session(args)
        cell = session.set_type(args.cell, args.type)
        self.say(f"cell {session.label(cell.id)} is now {args.type}")

    def _run(self, session: Any, cell_id: str, *, cell_magic: bool) -> None:
        from ..show.foreground import How, run_here

        how = How(self.tell, owns_cell=cell_magic, grace=self.settings.grace_period)
        run_here(self.shell, session, cell_id, how)


def _filled(source: str, magic: str) -> str:
    if not source.strip():
        raise UsageError(f"the body of %%{magic} is empty; write the cell's text below the magic")
    return source


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
