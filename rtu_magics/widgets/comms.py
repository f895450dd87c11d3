"""On which thread a widget hears of the page: on the one that the page has chosen."""

from __future__ import annotations

from typing import Any

import ipywidgets

__all__ = ["hear_at_once"]


def hear_at_once(*widgets: ipywidgets.Widget) -> None:
    """Let the page's messages to these widgets go to the subshell that the page names.

    From 7.4 on, ipykernel sends them where the widget was last written to instead. Ours are written
    to by a thread that belongs to no subshell, so they would wait until the running cell is over.
    It is enough that the handlers run on any thread, as those of `Mirror` and its like do.

    Parameters
    ----------
    widgets
        The widgets, open. A widget without a front end stays as it is.
    """
    for widget in widgets:
        if widget.comm is not None:
            widget.comm._reply_subshell_for = _as_the_page_says


def _as_the_page_says(data: Any, default: str | None) -> str | None:
    return default
