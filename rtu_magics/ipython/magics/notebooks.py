"""Magics for the notebooks of a server: list, make, save, rename."""

from __future__ import annotations

from typing import Any

from .base import MagicsBase, argument, magics_class
from .declare import session_magic

__all__ = ["NotebookMagics"]


@magics_class
class NotebookMagics(MagicsBase):
    """The notebooks on the server of a session."""

    @session_magic()
    def rtu_ls(self, args: Any) -> None:
        """List the notebooks on the session's server.

        Examples::

            %rtu_ls
            %rtu_ls -s lesson
        """
        from ...session import sessions
        from ..text.notebook import notebook_table

        session = self.session(args)
        names = {s.file.id: s.name for s in sessions if s.server_url == session.server_url}
        files = session.notebooks()
        self.show(notebook_table(files, names))
        other = next((file for file in files if file.id not in names), None)
        if other is not None:
            self.say(f"to open one: %rtu_connect {session.target(other.path)}")

    @session_magic(
        argument(
            "path", metavar="PATH", help="its path below the server's directory, with slashes"
        ),
        argument("--open", action="store_true", help="connect to it at once"),
        quiet=True,
    )
    def rtu_new(self, args: Any) -> None:
        """Make an empty notebook on the session's server.

        Examples::

            %rtu_new lesson-2.ipynb
            %rtu_new week2/notes.ipynb --open
        """
        from ...session import connect

        session = self.session(args)
        target = session.target(session.new_notebook(args.path).path)
        if not args.open:
            self.say(f"created {args.path}; to open it: %rtu_connect {target}")
            return
        token = session.api.authorization_token if session.local_path is None else None
        opened = connect(target.strip('"'), token=token, say=self.say, trust=session.trust_outputs)
        self.say(f"created {args.path} and connected to it as {opened.name!r}")

    @session_magic(
        argument(
            "--name", metavar="N", help="keep it as a version of this name, for %%rtu_restore"
        ),
        quiet=True,
    )
    def rtu_save(self, args: Any) -> None:
        """Have the server write the notebook to its file now; it does so by itself, too.

        Examples::

            %rtu_save
            %rtu_save --name "before the exercise"
        """
        session = self.session(args)
        if args.name is None:
            self.say(f"saved {session.save()}")
            return
        version = session.save_version(args.name)
        self.say(f"saved {session.save()} as version {version.number} ({version.name})")

    @session_magic(
        argument("path", metavar="PATH", help="its new path below the server's directory"),
        quiet=True,
    )
    def rtu_rename(self, args: Any) -> None:
        """Give the notebook another name or folder; who has it open stays connected.

        Examples::

            %rtu_rename lesson-1.ipynb
            %rtu_rename week1/lesson.ipynb
        """
        session = self.session(args)
        old = session.path
        self.say(f"{old} is now {session.rename(args.path)}")
