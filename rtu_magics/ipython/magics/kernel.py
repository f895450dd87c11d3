"""The magic for the remote kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from .base import MagicsBase, argument, magics_class
from .declare import session_magic
from .runs import cleared_line

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["KernelMagics"]

ACTIONS = ("start", "restart", "interrupt", "stop", "status")


@magics_class
class KernelMagics(MagicsBase):
    """The remote kernel."""

    @session_magic(
        argument("action", nargs="?", choices=ACTIONS, default="status", help="what to do"),
        argument("--name", metavar="K", help="start, restart: the kernel to run, such as python3"),
        argument("--clear", action="store_true", help="restart: clear all outputs, too"),
        argument("--all", action="store_true", help="interrupt: end everybody's runs (owners)"),
        quiet=True,
    )
    def rtu_kernel(self, args: Any) -> None:
        """Start, restart, interrupt or stop the remote kernel, or show how it is.

        The kernel belongs to the notebook: everybody who is connected uses the same one.

        Examples::

            %rtu_kernel
            %rtu_kernel start --name python3
            %rtu_kernel restart
            %rtu_kernel restart --clear
            %rtu_kernel restart --name ir
            %rtu_kernel interrupt
            %rtu_kernel interrupt --all

        An interrupt ends all that you asked for, what waits for its turn included; --all ends
        everybody's, which is for owners. If you have nothing there, it interrupts the cell that
        runs; an executor leaves other people's cells alone.
        """
        if args.name is not None and args.action not in ("start", "restart"):
            raise UsageError("--name goes with start and restart")
        if args.clear and args.action != "restart":
            raise UsageError("--clear goes with restart; %rtu_clear clears outputs by itself")
        if args.all and args.action != "interrupt":
            raise UsageError("--all goes with interrupt")
        session = self.session(args)
        if args.action == "start":
            self._start(session, args.name)
        elif args.action == "restart":
            self._restart(session, args.name, clear=args.clear)
        elif args.action == "interrupt":
            self.say(session.kernel_interrupt("all" if args.all else "mine"))
        elif args.action == "stop":
            session.kernel_stop()
            self.say("kernel stopped")
        else:
            self.speak()
            self._status(session)

    def _start(self, session: Session, name: str | None) -> None:
        was_ready = session.client.kernel_state in ("idle", "busy")
        status = session.kernel_start(name)
        if was_ready:
            self.say(f"kernel {status.kernel.name} runs already, {status.kernel.execution_state}")

    def _restart(self, session: Session, name: str | None, *, clear: bool) -> None:
        if name is None:
            self.say("restarting the remote kernel …")
            session.kernel_restart()
            self.say("kernel restarted; its variables are gone")
        else:
            session.kernel_change(name)
            self.say(f"the notebook runs on {name} now; the variables of before are gone")
        if clear:
            self.say(cleared_line(session.clear()))

    def _status(self, session: Session) -> None:
        status = session.kernel_status()
        default, names = session.kernel_names()
        if status is None:
            if session.kernel_culled:
                self.say(session.culled_words)
            self.say(f"no kernel runs; the first execution starts one (default: {default})")
        else:
            why = f": {status.reason}" if status.reason else ""
            self.say(f"kernel {status.kernel.name} is {status.kernel.execution_state}{why}")
        listed = ", ".join(f"{name} ({title})" for name, title in sorted(names.items()))
        self.say(f"installed there: {listed}")
