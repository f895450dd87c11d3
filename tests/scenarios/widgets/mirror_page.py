"""A plain page with a mirror in it, in a real browser: no kernel, only the renderer."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rtu_magics.widgets

from ...helpers.needs import missing, needed

STATIC = Path(rtu_magics.widgets.__file__).parent / "static"
AXE = STATIC.parent / "frontend" / "node_modules" / "axe-core" / "axe.min.js"

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="mirror.css">
<style>body {{ margin: 12px; background: {background}; color: {foreground} }}</style></head>
<body><main><h1>A page</h1><div id="host"></div></main>
<script>
  window.ran = [];
  for (const name of ["alert", "confirm", "prompt"]) {{
    window[name] = (x) => ran.push(`${{name}} ${{x}}`);
  }}
</script>
<script type="module">
  import {{ MirrorStore, mount }} from "./mirror.js";
  window.store = new MirrorStore();
  window.actions = [];
  window.view = mount(document.getElementById("host"), store, {{ act: (a) => actions.push(a) }});
  window.ready = true;
</script></body></html>"""
_THEMES = {"light": ("#ffffff", "#222222"), "dark": ("#111111", "#dddddd")}

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--expose-gc",
    "--enable-precise-memory-info",
]

Cell = dict[str, Any]


def cell(index: int, source: str, *, kind: str = "code", outputs: Any = (), **more: Any) -> Cell:
    """A cell as the kernel side describes it."""
    outs = None if outputs is None else list(outputs)
    return {"id": f"cell-{index:06d}", "type": kind, "src": source, "outs": outs, **more}


def snapshot(cells: list[Cell], **more: Any) -> dict[str, Any]:
    """A whole snapshot in one part."""
    return {
        "t": "snapshot",
        "seq": 0,
        "part": 0,
        "parts": 1,
        "info": {"path": "lesson.ipynb", "file": "f", "language": "python", "me": "me"},
        "role": "owner",
        "conn": ["live", ""],
        "kernel": {"name": "python3", "state": "idle"},
        "people": [
            {"id": "ada", "name": "Ada", "role": "contributor", "cell": "cell-000001"},
            {"id": "bob", "name": "Bob", "role": "viewer", "cell": None},
        ],
        "cells": cells,
        **more,
    }


@contextmanager
def browser() -> Iterator[Any]:
    """A browser, or a skipped test where there is none; in CI that is a failure."""
    path = needed("chromium", "google-chrome", "chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright", "pip install playwright")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


def check_accessible(page: Any, *where: str) -> None:
    """Check with axe-core that nothing serious is wrong; skipped where it is not installed."""
    if not AXE.exists():
        missing("axe-core", "npm ci in rtu_magics/widgets/frontend, with Node.js")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate(
        "(include) => axe.run({include}, {resultTypes: ['violations']})",
        [[one] for one in where or ("#host",)],
    )
    told = [
        {
            "rule": v["id"],
            "nodes": [[n["html"][:150], n["failureSummary"][:300]] for n in v["nodes"]],
        }
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert told == [], json.dumps(told, indent=1)


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        theme = _THEMES.get(self.path.strip("/"))
        if theme is None:
            super().do_GET()
            return
        body = _PAGE.format(background=theme[0], foreground=theme[1]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    """The address of the pages ``/light`` and ``/dark``."""
    handler = functools.partial(_Handler, directory=str(STATIC))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class MirrorPage:
    """One page, what it says on the console, and what it asks the network for."""

    def __init__(self, browser: Any, address: str, theme: str = "light", height: int = 900) -> None:
        self.address = address
        self.page = browser.new_page(viewport={"width": 1000, "height": height})
        self.errors: list[str] = []
        self.requests: list[str] = []  # those that really went out
        self.blocked: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfinished", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", self._failed)
        self.page.goto(f"{address}/{theme}")
        self.page.wait_for_function("window.ready")

    def _failed(self, request: Any) -> None:
        (self.blocked if request.failure == "csp" else self.requests).append(request.url)

    def foreign(self) -> list[str]:
        """What was asked of anybody else, before it was known whether there is such a host."""
        own = (self.address, "data:", "about:")
        return [url for url in self.requests if not url.startswith(own)]

    def receive(self, *messages: dict[str, Any]) -> bool:
        fits = True
        for message in messages:
            fits = self.page.evaluate("(m) => store.receive(m)", message)
        return fits

    def patch(self, seq: int, *ops: list[Any]) -> bool:
        return self.receive({"t": "patch", "seq": seq, "ops": list(ops)})

    def settle(self) -> None:
        """Wait until what was received is drawn."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def actions(self, kind: str) -> list[dict[str, Any]]:
        return [a for a in self.page.evaluate("actions") if a["a"] == kind]

    def close(self) -> None:
        self.page.close()
