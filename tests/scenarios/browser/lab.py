"""A real JupyterLab, which is Notebook 7 too, and pages in it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from ...helpers.processes import running
from ...helpers.server import free_port

ARTEFACTS = Path(__file__).parent / "artefacts"
START_TIMEOUT = 60.0

_CONFIG = """
from jupyterlab.galata import configure_jupyter_server

configure_jupyter_server(c)
c.ServerApp.root_dir = {root!r}
c.ServerApp.port = {port}
c.ServerApp.port_retries = 0
c.ServerApp.allow_root = True
c.LabApp.news_url = None
c.ServerApp.jpserver_extensions = {{"rtu_magics.server": True, "notebook": True}}
c.JupyterNotebookApp.expose_app_in_browser = True
"""


def write_notebook(path: Path, *sources: str | dict[str, Any]) -> Path:
    """Write a notebook; a source is code, or the keys of a cell."""
    book = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
    )
    for index, source in enumerate(sources):
        given = source if isinstance(source, dict) else {"source": source}
        kind = given.get("cell_type", "code")
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        cell = make(source=given["source"])
        cell["id"] = f"cell-{index + 1}"
        book.cells.append(cell)
    nbformat.write(book, path)
    return path


@dataclass
class Lab:
    """A running JupyterLab."""

    url: str
    root: Path
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def running_lab(home: Path) -> Iterator[Lab]:
    """Start JupyterLab in a directory of its own; its kernels end with it."""
    root = home / "work"
    root.mkdir()
    port = free_port()
    config = home / "config.py"
    config.write_text(_CONFIG.format(root=str(root), port=port))
    settings = home / "jupyter" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "RTU_"))}
    env |= {
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "TMPDIR": str(home),
    }
    log = home / "lab.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", f"--config={config}", "--no-browser"],
            env=env,
            cwd=root,
            stdout=out,
            stderr=out,
        )
    lab = Lab(f"http://127.0.0.1:{port}/", root, process, log)
    with running(process):
        _wait_until_up(lab)
        yield lab


def _wait_until_up(lab: Lab) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{lab.url}api", timeout=5):
            return
        if lab.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"JupyterLab did not start:\n{lab.log.read_text()[-2000:]}")
        time.sleep(0.1)


@dataclass
class Page:
    """A notebook that is open in the browser."""

    page: Any
    lab: Lab
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    first_paint: float = 0.0  # seconds from running the mirror's cell to its first cell

    def open(self, path: str, *, app: str = "lab/tree") -> None:
        """Open a notebook and wait until its kernel can run something."""
        self.page.on("websocket", self._on_websocket)
        self.page.goto(f"{self.lab.url}{app}/{path}" + ("?reset" if app == "lab/tree" else ""))
        self.wait_for_notebook()

    def _on_websocket(self, websocket: Any) -> None:
        if "/channels" in websocket.url:
            websocket.on(
                "framereceived",
                lambda data: self.frames.append(
                    (time.time(), data if isinstance(data, bytes) else data.encode())
                ),
            )

    def open_mirror(
        self,
        name: str,
        *cells: str | dict[str, Any],
        app: str = "lab/tree",
        status: bool = True,
        more: Sequence[str] = (),
    ) -> None:
        """Open a notebook of the reader's with a mirror of another, and wait until it is live.

        Parameters
        ----------
        cells
            Those of the mirrored notebook.
        status
            Whether the status is shown, too.
        more
            Cells of the reader's below the mirror, which are not run.
        """
        write_notebook(self.lab.root / f"{name}.ipynb", *cells)
        connect = f"%load_ext rtu_magics\n%rtu_connect {name}.ipynb"
        mine = f"{name}-mine.ipynb"
        connect += "" if status else " --no-widget"
        write_notebook(self.lab.root / mine, connect, "%rtu_mirror", *more)
        self.open(mine, app=app)
        self.select(0)
        self.command("notebook:run-cell")
        self.wait_for_count(0)
        began = time.monotonic()
        self.select(1)
        self.command("notebook:run-cell")
        self.page.wait_for_selector('.rtu-mirror[data-connection="live"] .rtu-cell')
        self.first_paint = time.monotonic() - began

    def wait_for_notebook(self) -> None:
        """Wait for the notebook and its kernel."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        self.wait_for_kernel("idle")

    def wait_for_kernel(self, state: str) -> None:
        """Wait until the reader's kernel is connected and in a state."""
        self.page.wait_for_function(
            """(state) => {
              const panel = window.jupyterapp.shell.currentWidget;
              const kernel = panel?.sessionContext?.session?.kernel;
              return kernel?.connectionStatus === "connected" && kernel.status === state;
            }""",
            arg=state,
            timeout=60_000,
        )

    def wait_for_count(self, index: int) -> None:
        """Wait until a cell of the reader's has run."""
        self.page.wait_for_function(
            """(index) => {
              const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
              return cell.model.executionCount && cell.model.executionState !== "running";
            }""",
            arg=index,
            timeout=60_000,
        )

    def select(self, index: int) -> None:
        """Make a cell of the reader's the active one."""
        self.page.evaluate(
            """(index) => {
              const app = window.jupyterapp;
              const panel = [...app.shell.widgets("main")].find((one) => one.content?.widgets);
              app.shell.activateById(panel.id);
              panel.content.activeCellIndex = index;
            }""",
            index,
        )

    def save(self) -> None:
        """Save the reader's notebook, and wait until that is done."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def theme(self, name: str) -> None:
        """Change to the light or the dark theme."""
        words = json.dumps({"theme": f"JupyterLab {name.title()}"})
        self.command("apputils:change-theme", words)
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light",
            arg=str(name == "light").lower(),
        )
        self.page.wait_for_timeout(700)  # colours fade over

    def wait_for_state(self, cell_id: str, state: str) -> None:
        """Wait until both the mirror and the status show a cell in a state."""
        self.page.wait_for_selector(f'.rtu-cell[data-cell-id="{cell_id}"][data-state="{state}"]')
        self.page.wait_for_selector(f'.rtu-mark[data-cell-id="{cell_id}"][data-mark="{state}"]')

    def wait_for_text(self, cell_id: str, text: str) -> None:
        """Wait until the mirror shows some text in a cell."""
        self.page.wait_for_function(
            """([id, text]) => document.querySelector(`.rtu-cell[data-cell-id="${id}"]`)
                       ?.textContent.includes(text)""",
            arg=[cell_id, text],
        )

    def command(self, name: str, args: str = "{}") -> None:
        """Start one of the application's commands."""
        self.page.evaluate(f"() => {{ window.jupyterapp.commands.execute({name!r}, {args}); }}")

    def run_all(self) -> None:
        """Run the notebook's cells."""
        self.command("notebook:run-all-cells")

    def shot(self, name: str, selector: str | None = None) -> Path:
        """Take a picture of the page, or of one element."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        target = self.page if selector is None else self.page.locator(selector).first
        target.screenshot(path=str(path))
        return path

    def comm_contents(self, since: float) -> list[tuple[int, bytes]]:
        """Frames with a comm message since a time: the frame's length, and the content."""
        found = []
        for when, frame in self.frames:
            if when < since:
                continue
            parts = message_parts(frame)
            if len(parts) >= 5 and b'"comm_msg"' in parts[1]:
                found.append((len(frame), parts[4]))
        return found


def message_parts(frame: bytes) -> list[bytes]:
    """Return the parts of a kernel message (v1.kernel.websocket.jupyter.org): channel, header …"""
    count = int.from_bytes(frame[:8], "little")
    if not 2 <= count <= 64:
        return []
    offsets = [int.from_bytes(frame[8 * (i + 1) : 8 * (i + 2)], "little") for i in range(count)]
    return [frame[start:end] for start, end in itertools.pairwise(offsets)]


def visible_text(page: Page) -> str:
    """Return what can be read in the reader's notebook."""
    return str(page.page.locator(".jp-Notebook").first.inner_text())


def record(what: str, figures: dict[str, float]) -> None:
    """Keep figures beside the pictures. They are for people: machines differ, tests don't judge."""
    ARTEFACTS.mkdir(exist_ok=True)
    with (ARTEFACTS / "figures.txt").open("a") as file:
        words = ", ".join(f"{name} {value:.0f}" for name, value in figures.items())
        file.write(f"{what}: {words}\n")
