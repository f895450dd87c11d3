"""Magics that look back and take back: history, versions, restore, undo; and the variables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .base import MagicsBase, argument, magics_class
from .declare import session_magic

__all__ = ["HistoryMagics"]


@magics_class
class HistoryMagics(MagicsBase):
    """What became of the notebook."""

    @session_magic(
        argument("cell", nargs="?", metavar="CELL", help="only this cell; every one by default"),
        argument("-n", "--limit", type=int, default=20, metavar="N", help="how many (20)"),
        argument("--runs", action="store_true", help="show who ran what, too"),
    )
    def rtu_history(self, args: Any) -> None:
        """Show who changed what and when, with what was there before; the latest comes last.

        It goes back as far as the server keeps single changes; versions go back further.

        Examples::

            %rtu_history
            %rtu_history 3
            %rtu_history -n 100 --runs
        """
        from ..text.history import history_text
        from ..text.notebook import cell_labels

        session = self.session(args)
        changes = session.history(args.cell, limit=args.limit, runs=args.runs)
        label = cell_labels(session.cells())
        colour = str(self.shell.colors).lower() != "nocolor"
        today = datetime.now().astimezone().date()
        self.show(
            history_text(changes, label, session.client.user_id, today, colour=colour),
            colours=colour,
        )

    @session_magic()
    def rtu_versions(self, args: Any) -> None:
        """List the saved versions, the latest first.

        Examples::

            %rtu_versions
        """
        from ...models import OTHER_PROGRAM, OTHER_PROGRAM_ID
        from ..text.history import version_table

        session = self.session(args)
        versions = session.versions()
        names = {person.user_id: person.name for person in session.who()}
        names[OTHER_PROGRAM_ID] = OTHER_PROGRAM
        self.show(version_table(versions, names, datetime.now().astimezone().date()))

    @session_magic(
        argument("version", metavar="VERSION", help="its number or its name, see %%rtu_versions"),
        quiet=True,
    )
    def rtu_restore(self, args: Any) -> None:
        """Make the notebook what it was in a version, for everybody who has it open.

        What it was until now is kept as a version, too. Only an owner can do this.

        Examples::

            %rtu_restore 3
            %rtu_restore "before the exercise"
        """
        session = self.session(args)
        restored, made = session.restore(args.version)
        name = f" ({restored.name})" if restored.name else ""
        kept = made.number - 1
        self.say(
            f"{session.path} is what it was in version {restored.number}{name}; what it was until "
            f"now is version {kept}"
        )

    @session_magic(quiet=True)
    def rtu_undo(self, args: Any) -> None:
        """Take back the last edit that you made here, as a new change; again: the one before.

        Refused where others have changed the same since.

        Examples::

            %rtu_undo
        """
        self.say(self.session(args).undo())

    @session_magic()
    def rtu_vars(self, args: Any) -> None:
        """List the variables of the remote kernel: type, shape, size, and how they begin.

        Examples::

            %rtu_vars
        """
        from ..text.history import variable_table

        session = self.session(args)
        session.refuse_own_kernel("%whos shows them here")
        self.show(variable_table(session.variables()))
