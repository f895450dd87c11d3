"""The settings: ``%rtu_config``, ``%config RtuMagics``, ``c.RtuMagics`` in ipython_config.py."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from traitlets import TraitError

from ..settings import NAMES, Settings
from .base import MagicsBase, argument, guarded, line_magic, magic_arguments, magics_class

__all__ = ["RtuMagics"]

_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


@magics_class
class RtuMagics(MagicsBase, Settings):
    """The settings of all our magics, and the magic that shows and changes them."""

    @magic_arguments()
    @argument("name", nargs="?", choices=NAMES, metavar="NAME", help="the setting")
    @argument("value", nargs="?", metavar="VALUE", help="its new value; on or off for switches")
    @line_magic
    @guarded
    def rtu_config(self, line: str) -> None:
        """Show the settings, or change one; %config RtuMagics.NAME = VALUE does the same.

        For every start, put c.RtuMagics.NAME = VALUE into ipython_config.py.

        Examples::

            %rtu_config
            %rtu_config grace_period 10
            %rtu_config default_session lesson
            %rtu_config nested_asyncio on
        """
        from ..text.notebook import table

        args = self.parse(self.rtu_config, line)
        if args.value is not None:
            try:
                setattr(self, args.name, self._parsed(args.name, args.value))
            except TraitError as exc:
                raise UsageError(" ".join(str(exc).split())) from None
        names = NAMES if args.name is None else (args.name,)
        traits = self.traits()
        self.show(
            table(
                ["setting", "value", "what it does"],
                [[name, _shown(getattr(self, name)), str(traits[name].help)] for name in names],
            )
        )

    def _parsed(self, name: str, text: str) -> Any:
        now = getattr(self, name)
        if isinstance(now, bool):
            if text.lower() not in _SWITCH:
                raise UsageError(f"{name} is on or off, not {text!r}")
            return _SWITCH[text.lower()]
        if isinstance(now, float):
            try:
                return float(text)
            except ValueError:
                raise UsageError(f"{name} is a number, not {text!r}") from None
        return text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'
