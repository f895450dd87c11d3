"""A page of JupyterLab without live collaboration, as its requests show it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import httpx

from ...helpers.server import RunningServer


class FileChanged(AssertionError):
    """The page asks its user which side counts."""


class Page:
    """Loads a notebook once, and saves all of it as ``docregistry/src/context.ts`` does.

    Parameters
    ----------
    server, path
        The notebook.
    browser
        What the pages of one browser have in common; see `browser_of`.
    """

    def __init__(self, browser: httpx.Client, path: str) -> None:
        self.http = browser
        self.path = path
        self.content: Any = None
        self.hash: str | None = None

    def load(self) -> Page:
        found = self._get(type="notebook", content=1, hash=1)
        self.content, self.hash = found["content"], found["hash"]
        return self

    def save(self, *, overwrite: bool = False) -> Any:
        """Save; `overwrite` is what the user says to the question."""
        on_disk = self._get(content=0, hash=1)
        if on_disk["hash"] != self.hash and not overwrite:
            raise FileChanged
        body = {"type": "notebook", "format": "json", "content": self.content}
        response = self.http.put(f"/api/contents/{self.path}", json=body)
        assert response.status_code in (200, 201), response.text
        self.hash = self._get(content=0, hash=1)["hash"]
        return response.json()

    def cell(self, cell_id: str) -> Any:
        return next(cell for cell in self.content["cells"] if cell["id"] == cell_id)

    def edit(self, cell_id: str, source: str) -> None:
        self.cell(cell_id)["source"] = source

    def add(self, cell_id: str, source: str, after: str) -> None:
        at = self.content["cells"].index(self.cell(after)) + 1
        new = copy.deepcopy(self.cell(after))
        self.content["cells"].insert(at, {**new, "id": cell_id, "source": source})

    def delete(self, cell_id: str) -> Any:
        gone = self.cell(cell_id)
        self.content["cells"].remove(gone)
        return gone

    def ran(self, cell_id: str, text: str, count: int) -> None:
        output = {"output_type": "stream", "name": "stdout", "text": text}
        self.cell(cell_id).update(outputs=[output], execution_count=count)

    def _get(self, **query: Any) -> Any:
        response = self.http.get(f"/api/contents/{self.path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()


@contextlib.contextmanager
def browser_of(server: RunningServer) -> Iterator[httpx.Client]:
    """Open a browser that has logged in."""
    base_url = server.url.rstrip("/")
    with httpx.Client(base_url=base_url, trust_env=False, verify=False, timeout=30) as http:
        http.headers["User-Agent"] = "Mozilla/5.0"
        assert http.get("/api/contents", params={"token": server.token}).status_code == 200
        # Where a page has no token of its own, Jupyter asks for the cookie's value in a header.
        http.headers["Authorization"] = f"token {server.token}"
        yield http
