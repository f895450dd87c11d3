"""The settings, and what each may be; `magics.config` shows and changes them."""

from __future__ import annotations

import sys
from typing import Any

from traitlets import Bool, Enum, Float, HasTraits, TraitError, Unicode, observe, validate

from ..errors import RTUError

__all__ = ["NAMES", "Settings"]

NAMES = (
    "default_session",
    "grace_period",
    "nested_asyncio",
    "progress_delay",
    "status_widget",
    "transfer_limit",
    "trust_outputs",
)
_TRUST = {"on": True, "off": False, "auto": None}


class Settings(HasTraits):
    """The settings of all our magics."""

    default_session = Unicode(
        "", help="the session that magics without -s use; empty for the newest"
    ).tag(config=True)
    grace_period = Float(
        5.0, help="seconds that an interrupted remote cell gets to end before we stop waiting"
    ).tag(config=True)
    nested_asyncio = Bool(
        False,
        help="lets cells call asyncio.run(…), by nest_asyncio; on until the kernel restarts",
    ).tag(config=True)

    progress_delay = Float(
        3.0, help="seconds after which a run of several cells begins to say how far it is"
    ).tag(config=True)

    status_widget = Bool(True, help="%rtu_connect shows the live status, in a notebook").tag(
        config=True
    )

    transfer_limit = Float(
        100.0, help="the most that %rtu_push and %rtu_get copy of one variable, in MB"
    ).tag(config=True)

    trust_outputs = Enum(
        tuple(_TRUST),
        default_value="auto",
        help="whether HTML in outputs may run scripts in your page: on, off, or auto, which is on "
        "for servers of your own and off where you were invited",
    ).tag(config=True)

    @property
    def trusts(self) -> bool | None:
        """Whether new sessions trust outputs; None leaves it to each of them."""
        return _TRUST[self.trust_outputs]

    @observe("trust_outputs")
    def _tell_sessions(self, _: Any) -> None:
        module = sys.modules.get("rtu_magics.session")
        for session in module.sessions if module is not None else ():
            session.trust_outputs = self.trusts

    @validate("transfer_limit")
    def _check_size(self, proposal: Any) -> float:
        if not 0 < proposal["value"] <= 10_000:
            raise TraitError("transfer_limit is a number of MB above 0 and up to 10000")
        return float(proposal["value"])

    @validate("grace_period", "progress_delay")
    def _check_seconds(self, proposal: Any) -> float:
        if not 0 <= proposal["value"] <= 3600:
            raise TraitError(f"{proposal['trait'].name} is a number of seconds from 0 to 3600")
        return float(proposal["value"])

    @validate("nested_asyncio")
    def _check_nested_asyncio(self, proposal: Any) -> bool:
        wanted = bool(proposal["value"])
        if wanted and not self.nested_asyncio:
            from .nested_asyncio import allow_nesting  # and with it nest_asyncio: only for who asks

            try:
                allow_nesting()
            except RTUError as exc:
                raise TraitError(str(exc)) from None
        elif self.nested_asyncio and not wanted:
            raise TraitError("asyncio stays patched until the kernel restarts; restart it to undo")
        return wanted
