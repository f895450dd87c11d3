"""The magics that copy data between this kernel and the remote one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import MagicsBase, argument, magics_class
from .declare import session_magic

if TYPE_CHECKING:
    from ...session.transfer.verbs import Copied

__all__ = ["TransferMagics"]


@magics_class
class TransferMagics(MagicsBase):
    """Copying data."""

    @session_magic(
        argument("names", nargs="+", metavar="VARIABLE", help="variables of this kernel"),
        quiet=True,
    )
    def rtu_push(self, args: Any) -> None:
        """Copy variables of this kernel into the remote kernel, under the same names.

        Plain values (numbers, text, bytes, and lists, tuples, sets and dicts of them), NumPy
        arrays, and pandas and Arrow tables come out as they went in; nothing is ever pickled, and
        anything else is refused. The libraries may have different versions on the two sides.

        Examples::

            %rtu_push limits
            %rtu_push frame weights
        """
        from ...errors import RTUError

        session = self.session(args)
        for name in args.names:
            if name not in self.shell.user_ns:
                raise RTUError(
                    f"there is no variable {name} here; nothing was sent under this name"
                )
            copied = session.push(name, self.shell.user_ns[name], limit=self._limit)
            self.say(_line("sent", copied))

    @session_magic(
        argument("names", nargs="+", metavar="NAME", help="variables of the remote kernel"),
        quiet=True,
    )
    def rtu_get(self, args: Any) -> None:
        """Copy variables of the remote kernel into this kernel, under the same names.

        What can be copied: see %rtu_push?

        Examples::

            %rtu_get result
            %rtu_get frame weights -s lesson
        """
        session = self.session(args)
        for name in args.names:
            copied = session.get(name, limit=self._limit)
            before = self.shell.user_ns
            replaced = type(before[name]).__name__ if name in before else None
            self.shell.push({name: copied.value})
            self.say(_line("fetched", copied, replaced))

    @property
    def _limit(self) -> int:
        return int(self.settings.transfer_limit * 1_000_000)


def _line(done: str, copied: Copied, replaced: str | None = None) -> str:
    from ...session.transfer.verbs import size_text

    replaced = replaced or copied.replaced
    kind = {"plain": "", "numpy": " as .npy", "numpy.scalar": " as .npy"}.get(
        copied.kind,
        " as Arrow",
    )
    over = f"; it took the place of a variable of type {replaced}" if replaced else ""
    return f"{done} {copied.name}: {size_text(copied.size)}{kind}{over}"
