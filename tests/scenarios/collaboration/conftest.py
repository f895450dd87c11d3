from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ...helpers.environments import python_of
from ...helpers.server import child_pids, free_port
from ..server.conftest import write_notebook  # noqa: F401  a fixture

COLLABORATION = ("jupyter_server_ydoc", "jupyter_server_fileid")


def environment(name: str, pins: list[str]) -> str:
    """Return an interpreter beside which some packages and ours are installed."""
    try:
        return python_of(name, [*pins, "-e", "."])
    except (OSError, subprocess.SubprocessError) as exc:
        why = f"no environment for {name} could be made: {exc}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


@dataclass
class Lab:
    """A Jupyter Server with live collaboration."""

    python: str
    root: Path
    url: str
    token: str
    process: subprocess.Popen[str]
    log: Path
    rtu: bool

    @property
    def api_url(self) -> str:
        return f"{self.url}rtu/api"

    @property
    def rtu_url(self) -> str:
        return f"ws{self.api_url.removeprefix('http')}/v1/rtu"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def stop(self) -> None:
        """End it as an administrator would, who is not patient."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:  # it waits for its documents
                self.kill()

    def kill(self) -> None:
        """End it without warning, with its kernels."""
        if self.process.poll() is not None:
            return
        children = child_pids(self.process.pid)
        self.process.kill()
        self.process.wait(10)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Page:
    """Somebody who has a notebook open in the page."""

    def __init__(self, lab: Lab, path: str, name: str = "ann") -> None:
        script = str(Path(__file__).parent / "page.py")
        self.process = subprocess.Popen(
            [lab.python, script, lab.url, lab.token, path, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "here"

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read())
        return json.loads(line)

    def ask(self, command: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self._answer()

    def leave(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.process.communicate("leave\n", timeout=20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def own_places(base: Path) -> tuple[Path, dict[str, str]]:
    """Make a directory for notebooks; Jupyter keeps its own files beside it."""
    names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR")
    environment = {name: str(base / name) for name in names}
    for name in names:
        (base / name).mkdir()
    root = base / "notebooks"
    root.mkdir()
    return root, environment


def begin_lab(
    root: Path,
    log: Path,
    *more: str,
    rtu: bool,
    python: str = "",
    extensions: tuple[str, ...] = COLLABORATION,
    variables: dict[str, str] | None = None,
    token: str = "",
    port: int = 0,
) -> Lab:
    """Start a Jupyter Server, and wait until it answers."""
    python = python or environment("collaboration", ["jupyter-collaboration==5.0.4"])
    token, port = token or secrets.token_hex(16), port or free_port()
    loaded = {**dict.fromkeys(extensions, True), "rtu_magics.server": rtu}
    arguments = [
        f"--ServerApp.root_dir={root}",
        f"--ServerApp.port={port}",
        "--ServerApp.open_browser=False",
        "--ServerApp.allow_root=True",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.jpserver_extensions={loaded!r}",
        "--YDocExtension.document_cleanup_delay=1",
        *more,
    ]
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [python, "-m", "jupyter_server", *arguments],
            stderr=stderr,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=log.parent,  # where it keeps documents
            env={**os.environ, **(variables or {})},
        )
    lab = Lab(python, root, f"http://127.0.0.1:{port}/", token, process, log, rtu)
    try:
        _wait_for(lab)
    except BaseException:
        lab.kill()
        raise
    return lab


def _wait_for(lab: Lab) -> None:
    end = time.monotonic() + 240  # both cores may be busy
    while True:
        try:
            request = urllib.request.Request(f"{lab.url}api/status", headers=lab.headers)
            with urllib.request.urlopen(request, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            assert lab.process.poll() is None, lab.log.read_text()
            assert time.monotonic() < end, lab.log.read_text()
            time.sleep(0.1)


@pytest.fixture(scope="session")
def live_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One with our extension, for the tests that each have notebooks of their own."""
    base = tmp_path_factory.mktemp("live")
    root, variables = own_places(base)
    lab = begin_lab(root, base / "lab.log", rtu=True, variables=variables)
    try:
        yield lab
    finally:
        lab.kill()  # with pages that are open it would take as long as one waits


@pytest.fixture
def write_live(live_lab: Lab, write_notebook: Callable[..., Path]) -> Callable[..., Path]:  # noqa: F811
    """Write a notebook of its own for `live_lab`; returns its path."""

    def write(*sources: str, **metadata: Any) -> Path:
        return write_notebook(live_lab.root / f"{secrets.token_hex(4)}.ipynb", *sources, **metadata)

    return write


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebooks' directory of servers that a test starts itself."""
    root, variables = own_places(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return root


@pytest.fixture
def start_lab(place: Path, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    labs: list[Lab] = []

    def start(*more: str, **options: Any) -> Lab:
        labs.append(begin_lab(place, tmp_path / f"lab-{len(labs)}.log", *more, **options))
        return labs[-1]

    try:
        yield start
    finally:
        for lab in labs:
            lab.kill()


@pytest.fixture
def open_page() -> Iterator[Callable[..., Page]]:
    pages: list[Page] = []

    def start(lab: Lab, path: str, name: str = "ann") -> Page:
        pages.append(Page(lab, path, name))
        return pages[-1]

    try:
        yield start
    finally:
        for page in pages:
            page.leave()


collect_ignore = ["page.py"]  # it runs elsewhere
if sys.platform == "win32":
    collect_ignore_glob = ["test_*"]
