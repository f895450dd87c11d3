"""``rtu-magics demo``: the main job, played through the real magics in a real IPython."""

from __future__ import annotations

import importlib
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ..session import Session

__all__ = ["demo"]

NOTEBOOK = "demo.ipynb"


@dataclass(frozen=True)
class Step:
    """One cell of the demo.

    Attributes
    ----------
    says
        What the reader is told before it.
    cell
        What is typed.
    shows
        Texts that its output must hold, in this order.
    fails
        Name of the exception that it must end with, empty for none.
    """

    says: str
    cell: str
    shows: tuple[str, ...] = ()
    fails: str = ""


STEPS = (
    Step("", "%load_ext rtu_magics"),
    Step(
        "A server for this directory starts, and serves a new notebook.",
        "%rtu_connect {path} --new",
    ),
    Step(
        "Cells are added to the remote notebook, from here.",
        "%%rtu_add --type markdown\n# A remote notebook",
    ),
    Step("", "%%rtu_add\nnumbers = [3, 1, 2]\nprint(sorted(numbers))"),
    Step(
        "The last one runs on the remote kernel, which starts for it. Its output comes here.",
        "%rtu_exec -1",
        ("[1, 2, 3]",),
    ),
    Step(
        "Outputs stream while the remote cell runs.",
        "%%rtu_exec\n"
        "import time\n"
        "for step in range(1, 4):\n"
        "    print('step', step, flush=True)\n"
        "    time.sleep(0.5)\n"
        "step * 14",
        ("step 1", "step 2", "step 3", "42"),
    ),
    Step(
        "Somebody else joins the same notebook (here: a second session) and edits a cell.",
        "%rtu_connect {path} -s colleague",
    ),
    Step(
        "",
        "%%rtu_edit 2 -s colleague\n"
        "numbers = [3, 1, 2, 99]\n"
        "print(sorted(numbers), 'edited by a colleague')",
    ),
    Step(
        "The first session has the edit already, and runs the whole notebook.",
        "%rtu_exec --all -s {first}",
        ("[1, 2, 3, 99] edited by a colleague", "step 3", "42"),
    ),
    Step(
        "A remote error is shown as if it were local, and stops a Run All here.",
        "%%rtu_exec -s {first}\n1 / 0",
        ("ZeroDivisionError", "division by zero"),
        fails="RemoteCellError",
    ),
    Step(
        "All cells and their states.",
        "%rtu_cells -s {first}",
        ("A remote notebook", "numbers = ", "import time", "1 / 0"),
    ),
    Step("The file on disk holds what everybody saw.", "%rtu_save -s {first}"),
)


class _Screen:
    """Prints from both threads without mixing lines, dimming what the demo says of itself."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._colour = out.isatty()
        self._at_line_start = True

    def write(self, text: str) -> int:
        with self._lock:
            self._out.write(text)
            self._out.flush()
            if text:
                self._at_line_start = text.endswith("\n")
        return len(text)

    def note(self, text: str, style: str = "2") -> None:
        with self._lock:
            start = "" if self._at_line_start else "\n"
            line = f"\x1b[{style}m{text}\x1b[0m" if self._colour else text
            self._out.write(f"{start}{line}\n")
            self._out.flush()
            self._at_line_start = True


class _Tee(io.TextIOBase):
    """Passes text on to the screen and keeps it."""

    def __init__(self, screen: _Screen) -> None:
        self._screen = screen
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return self._screen.write(text)


@dataclass
class _Watcher:
    """Notes kernel and cell states on the screen as they change."""

    session: Session
    screen: _Screen
    seen: set[str] = field(default_factory=set)
    _states: dict[str, str] = field(default_factory=dict)
    _kernel: str = ""

    def __call__(self, event: Any) -> None:
        from ..session.events import CellStatesChanged, KernelChanged

        if isinstance(event, KernelChanged):
            kernel = event.status.kernel.execution_state
            if kernel != self._kernel:
                self._kernel = kernel
                self.seen.add(f"kernel {kernel}")
                self.screen.note(f"      · kernel: {kernel}")
        elif isinstance(event, CellStatesChanged):
            ids = self.session.client.cell_ids
            for cell_id, state in event.states.items():
                if self._states.get(cell_id) != state.state and cell_id in ids:
                    self._states[cell_id] = state.state
                    self.seen.add(f"cell {state.state}")
                    words = state.state.replace("_", " ")
                    self.screen.note(f"      · cell {ids.index(cell_id) + 1}: {words}")


@contextmanager
def _output_to(tee: _Tee) -> Iterator[None]:
    with redirect_stdout(tee), redirect_stderr(tee):
        yield


def _in_order(text: str, parts: tuple[str, ...]) -> str | None:
    """Return the first part that does not follow in `text`, or None."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return part
        at = found + len(part)
    return None


def demo(directory: str) -> int:
    """Run the demonstration and return 0 only if every output was right.

    Parameters
    ----------
    directory
        Where the notebook is left behind; made if it does not exist.

    Raises
    ------
    RTUError
        It cannot begin: the directory cannot be used.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from ..errors import TargetError

    folder = Path(directory).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise TargetError(
            f"cannot use {folder}: {exc.strerror}; name another place with --directory"
        ) from None
    path = _free_name(folder)
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell: Any = InteractiveShell.instance(config=config)
    screen = _Screen(sys.stdout)
    problems: list[str] = []
    begun = time.monotonic()
    try:
        seen = _play(shell, screen, path, problems.append)
        problems += _missing_states(seen)
    finally:
        shell.run_cell("%unload_ext rtu_magics", store_history=False, silent=True)
        InteractiveShell.clear_instance()
    problems += _check_file(path)
    screen.note("")
    for problem in problems:
        screen.note(f"demo: {problem}", "31")
    if problems:
        return 1
    screen.note(
        f"Every output was right, in {time.monotonic() - begun:.1f} s. "
        f"The notebook is {path}; open it with Jupyter, or %rtu_connect it.",
        "1",
    )
    return 0


def _free_name(folder: Path) -> Path:
    """Return a name that no earlier demo took: nothing of the reader's is overwritten."""
    path = folder / NOTEBOOK
    number = 2
    while path.exists():
        path = folder / NOTEBOOK.replace(".ipynb", f"_{number}.ipynb")
        number += 1
    return path


def _play(shell: Any, screen: _Screen, path: Path, problem: Callable[[str], object]) -> set[str]:
    """Type every step, check what it shows, and return the states that were seen."""
    from ..session import sessions

    names = {"path": json.dumps(str(path)), "first": ""}
    watcher: _Watcher | None = None
    for number, step in enumerate(STEPS, 1):
        cell = step.cell
        for name, value in names.items():
            cell = cell.replace(f"{{{name}}}", value)
        if step.says:
            screen.note(f"\n# {step.says}", "36")
        prompt = f"In [{number}]: "
        screen.note(prompt + cell.replace("\n", "\n" + " " * (len(prompt) - 5) + "...: "), "1")
        tee = _Tee(screen)
        with _output_to(tee):
            result = shell.run_cell(cell, store_history=False)
        missing = _in_order(tee.text, step.shows)
        if missing is not None:
            problem(f"In [{number}] did not show {missing!r}")
        error = result.error_before_exec or result.error_in_exec
        raised = type(error).__name__ if error is not None else ""
        if raised != step.fails:
            problem(f"In [{number}] ended with {raised or 'no error'}, not {step.fails or 'none'}")
            if raised and not step.fails:
                break
        if watcher is None and len(sessions):
            first = sessions.get(None)
            names["first"] = first.name
            watcher = _Watcher(first, screen)
            first.hub.subscribe(watcher)
    return watcher.seen if watcher is not None else set()


def _missing_states(seen: set[str]) -> list[str]:
    wanted = (
        "kernel idle",
        "kernel busy",
        "cell queued",
        "cell executing",
        "cell finished_with_no_error",
        "cell finished_with_error",
    )
    return [f"the state {state!r} was never shown" for state in wanted if state not in seen]


def _check_file(path: Path) -> list[str]:
    """Compare the notebook that was left behind with what the demo did."""
    nbformat: Any = importlib.import_module("nbformat")
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as exc:
        return [f"{path} is no valid notebook: {exc}"]
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    text = [
        "".join(
            output.get("text", "")
            or output.get("ename", "")
            or output.get("data", {}).get("text/plain", "")
            for output in found
        )
        for found in outputs
    ]
    wanted = ("", "[1, 2, 3, 99] edited by a colleague\n", "step 1\nstep 2\nstep 3\n42", "Zero")
    if len(text) != len(wanted):
        return [f"{path} holds {len(text)} cells, not {len(wanted)}"]
    return [
        f"cell {number} of {path} holds the output {have!r}, not {want!r}"
        for number, (have, want) in enumerate(zip(text, wanted, strict=True), 1)
        if not have.startswith(want)
    ]
