"""What a saved notebook shows in place of a live view.

A live view and its stand-in are two outputs of one cell, because a front end that cannot show a
widget falls back to nothing better. This style lets only the one be seen that is of use: the view
while it lives; else the stand-in, without the message that a widget's model is missing or loading.
An untrusted notebook is shown without styles, and there a front end shows no widget either.
"""

from __future__ import annotations

__all__ = ["stand_in"]


def stand_in(live: str, static: str, body: str) -> str:
    """Return a stand-in's HTML.

    Parameters
    ----------
    live
        A class that only the live view has.
    static
        A class that only stand-ins of this kind have.
    body
        What it shows, as HTML.
    """
    child = ".jp-OutputArea-child"
    style = (
        f"{child}:has(.{live}) + {child}:has(.{static}) {{ display: none; }} "
        f"{child}:has(+ {child} .{static}) > .jp-OutputArea-output:not(:has(*)) "
        "{ display: none; }"
    )
    return f'<style>{style}</style><div class="rtu-static {static}">{body}</div>'
