"""The page behind the address of a notebook, for people who open it in a browser."""

from __future__ import annotations

import re
from html import escape

from .base import Handler, public

__all__ = ["NotebookPage"]

_INVITE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)

_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A live notebook</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto }}
  pre {{ background: #8881; padding: 1rem; overflow: auto }}
</style>
<h1>A live notebook</h1>
<p>Join it from a cell of Jupyter or IPython with <code>rtu_magics</code>:</p>
<pre>%load_ext rtu_magics
%rtu_connect {url}</pre>
"""


class NotebookPage(Handler):
    """Says how to connect; tells nothing about the notebook itself."""

    @public
    async def get(self, file_id: str) -> None:
        """Answer with the page."""
        url = f"{self.base}{self.request.path}"
        invite = self.query("invite")
        if _INVITE.fullmatch(invite):  # they came with it, so they may copy it from here
            url += f"?invite={invite}"
            self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.set_header("Referrer-Policy", "no-referrer")
        self.finish(_PAGE.format(url=escape(url)))
