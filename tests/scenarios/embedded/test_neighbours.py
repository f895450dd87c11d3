"""Other Jupyter servers of this machine: joined, or told why not, before one is started."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtu_magics.cli.writers import writers
from rtu_magics.embedded import STATE_DIR, Offer, ask, open_server, serving, start
from rtu_magics.embedded import neighbours as module
from rtu_magics.embedded.neighbours import join_neighbour, neighbours_of
from rtu_magics.errors import EmbeddedServerError

from ...helpers.server import free_port, running_server

pytestmark = pytest.mark.server

INFO, ROOM = "/rtu/api/info", "/api/collaboration/session/x.ipynb"
ELSEWHERE = os.getppid()  # a process that lives and is not this one


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's registry, empty."""
    found = tmp_path / "runtime"
    found.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(found))
    monkeypatch.setattr(module, "_told", set())
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "a folder & ünïcode"
    (found / "sub folder").mkdir(parents=True)
    return found


Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer as some server does: a status by path, with a body or headers; 404 to all else."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(answers: dict[str, Any], *, prefix: str = "/") -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, headers = answers.get(self.path, (404, b"", {}))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}{prefix}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def register(runtime: Path, root: Path | str, url: str, pid: int = ELSEWHERE, **more: Any) -> None:
    info = {"pid": pid, "root_dir": str(root), "url": url, "token": "t", "password": False, **more}
    (runtime / f"jpserver-{pid}-{len(list(runtime.iterdir()))}.json").write_text(json.dumps(info))


def ours(pid: int = ELSEWHERE) -> dict[str, Any]:
    return {INFO: (200, json.dumps({"name": "rtu_magics", "pid": pid}).encode(), {})}


def hide_address(root: Path) -> None:
    """Take away by what a server of ours is found, once it is there."""
    address = root / STATE_DIR / "server.json"
    end = time.monotonic() + 60
    while not address.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    address.unlink()


def lines_of(root: Path) -> tuple[Any, list[str]]:
    said: list[str] = []
    return join_neighbour(root, said.append), said


def test_one_with_our_extension_is_joined(runtime: Path, root: Path, serve: Serve) -> None:
    url = serve(ours())
    link = root.parent / "link"
    link.symlink_to(root)
    register(runtime, link, url)
    for place in (root, root / "sub folder"):
        server, said = lines_of(place)
        assert (server.url, server.token, server.root_dir) == (url, "t", root)
        assert said == []
    assert lines_of(root.parent) == (None, [])
    hidden = root / ".hidden" / "x"
    assert lines_of(hidden) == (None, [])
    assert neighbours_of(root / "sub folder")[0].page(root / "sub folder") == (
        f"{url}lab/tree/sub%20folder/NAME.ipynb"
    )


def test_the_nearest_is_joined(runtime: Path, root: Path, serve: Serve) -> None:
    register(runtime, root, serve(ours()))
    near = serve(ours())
    register(runtime, root / "sub folder", near)
    server, _ = lines_of(root / "sub folder")
    assert server.url == near


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"pid": 2**22 + 1}, id="it has ended"),
        pytest.param({"pid": os.getpid()}, id="it is this process"),
        pytest.param({"pid": "x"}, id="a word for a number"),
        pytest.param({"pid": True}, id="a truth for a number"),
        pytest.param({"url": "http+unix://%2Ftmp%2Fx.sock"}, id="it listens on a socket file"),
        pytest.param({"url": None}, id="no address"),
        pytest.param({"root_dir": 3}, id="no directory"),
        pytest.param({"url": "http://127.0.0.1:1/"}, id="nothing is there"),
        pytest.param({"url": "http://[oops/"}, id="no address at all"),
    ],
)
def test_entries_that_stand_for_nothing(runtime: Path, root: Path, entry: dict[str, Any]) -> None:
    register(runtime, root, "http://127.0.0.1:1/")
    info = json.loads(next(runtime.iterdir()).read_text())
    next(runtime.iterdir()).write_text(json.dumps({**info, **entry}))
    (runtime / "jpserver-1.json").write_text('{"pid": ')
    (runtime / "jpserver-2.json").write_text("[]")
    (runtime / "jpserver-3.json").mkdir()
    assert lines_of(root) == (None, [])


def test_its_number_and_port_are_anothers_now(runtime: Path, root: Path, serve: Serve) -> None:
    register(runtime, root, serve(ours(pid=1)))
    assert lines_of(root) == (None, [])


def test_one_that_does_not_let_us_in(runtime: Path, root: Path, serve: Serve) -> None:
    url = serve({INFO: (401, b"", {"WWW-Authenticate": "Bearer"})})
    register(runtime, root, url, token="", password=True)
    with pytest.raises(EmbeddedServerError) as caught:
        lines_of(root / "sub folder")
    assert f"%rtu_connect {url}lab/tree/sub%20folder/NAME.ipynb" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_without_our_extension_is_told_of_once(runtime: Path, root: Path, serve: Serve) -> None:
    url = serve({}, prefix="/user/ann/")
    register(runtime, root, url.rstrip("/"))
    server, said = lines_of(root)
    assert server is None
    assert len(said) == 1
    assert f"JupyterLab at {url} serves this folder" in said[0]
    assert "install rtu_magics beside it" in said[0]
    assert lines_of(root) == (None, [])


def test_live_collaboration_is_told_of_by_the_notebook(
    runtime: Path, root: Path, serve: Serve
) -> None:
    register(runtime, root, serve({ROOM: (405, b"", {})}))
    assert [one.offer for one in neighbours_of(root)] == [Offer.LIVE]
    assert lines_of(root) == (None, [])


def test_one_that_does_not_answer(
    runtime: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(module, "_ANSWER_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        register(runtime, root, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        server, said = lines_of(root)
    assert server is None
    assert "does not answer" in said[0]


def test_who_writes_a_directory(runtime: Path, root: Path, serve: Serve) -> None:
    assert list(writers(root)) == [(f"no other server writes notebooks in {root}", "")]
    register(runtime, root.parent, serve({}))
    register(runtime, root / "sub folder", serve({ROOM: (405, b"", {})}))
    register(runtime, root, serve(ours()))
    register(runtime, root.parent / "unrelated", serve(ours()))
    found = list(writers(root))
    assert len(found) == 3
    assert all("\n" not in what and f"process {ELSEWHERE}" in what for what, _ in found)
    assert [bool(todo) for _, todo in found] == [True, True, False]


@pytest.fixture
def jupyter(runtime: Path, root: Path, tmp_path: Path) -> Iterator[Callable[[bool], str]]:
    """A real Jupyter Server of this directory, with our extension or without; returns its URL."""
    processes = []

    def run(rtu: bool) -> str:
        port = free_port()
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        command += [f"--port={port}", f"--ServerApp.root_dir={root}", "--IdentityProvider.token=t"]
        command += [f"--ServerApp.jpserver_extensions={ {'rtu_magics.server': rtu}!r}"]
        with (tmp_path / "log").open("wb") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        end = time.monotonic() + 120
        while not [one for one in serving() if ask(one) not in (None, Offer.SILENT)]:
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.1)
        return f"http://localhost:{port}/"

    yield run
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_a_real_one_without_our_extension(jupyter: Callable[[bool], str], root: Path) -> None:
    url = jupyter(False)
    assert [one.offer for one in neighbours_of(root)] == [Offer.PLAIN]
    said: list[str] = []
    server, lease = open_server(root / "sub folder", said.append, "test")
    lease.release()
    assert server.started
    assert [line for line in said if url in line]


def test_a_real_one_that_cannot_be_found_by_its_file(
    jupyter: Callable[[bool], str], root: Path
) -> None:
    url = jupyter(True)
    hide_address(root)
    server, lease = open_server(root / "sub folder", name="test")
    lease.release()
    assert (server.url, server.root_dir, server.started) == (url, root, False)


def test_a_server_above_that_cannot_be_reached(
    runtime: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "FREE_TIMEOUT", 0.0)
    with running_server(root):
        hide_address(root)
        with pytest.raises(EmbeddedServerError, match="served by a server of rtu_magics"):
            open_server(root / "sub folder", name="test")


def test_servers_of_ours_inside_each_other(root: Path, tmp_path: Path) -> None:
    below, link = root / "sub folder", root / "link"
    link.symlink_to(below)
    for folder in (root, below):
        (folder / "n.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4}')

    def opened(server: Any, path: str) -> str:
        request = urllib.request.Request(
            f"{server.api_url}/v1/files/open",
            data=json.dumps({"path": path}).encode(),
            headers={**server.headers, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20):
                return ""
        except urllib.error.HTTPError as exc:
            with exc:
                return str(json.load(exc)["message"])

    with running_server(root) as above:
        with running_server(below) as inside:
            assert opened(above, "n.ipynb") == ""
            for path in ("sub folder/n.ipynb", "link/n.ipynb"):
                why = opened(above, path)
                assert f"the server of rtu_magics for {below} ({inside.url})" in why
            assert "two servers cannot own one file" in opened(inside, "n.ipynb")
        assert opened(above, "sub folder/n.ipynb") == ""
