"""Why cells ended, as each place tells it that lists runs and cells."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from rtu_magics.models import CellState, EndReason, Run
from rtu_magics.session.execution.end_words import end_word, run_word
from tests.scenarios.ipython.kernels import Kernel

OK, FAILED = "finished_with_no_error", "finished_with_error"
SLOW = "import time\nfor _ in range(600): time.sleep(0.1)"


def state(name: str = FAILED, cell_id: str = "a", digest: str | None = "00", **more) -> CellState:
    return CellState(cell_id=cell_id, state=name, source_digest=digest, **more)


REASONS = [value for name, value in vars(EndReason).items() if name.isupper()]


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_words_of_its_own(reason: str) -> None:
    others = {end_word(state(reason=one)) for one in REASONS if one != reason}
    assert end_word(state(reason=reason)) not in others
    assert end_word(state(reason=reason, digest=None)).startswith("not run: ")


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([state("queued")], "queued"),
        ([state(OK), state("executing", "b")], "running"),
        ([state("executing", waiting_for_input=True)], "waits for input"),
        ([state(OK)], "ok"),
        ([state(reason="expected_error"), state(OK, "b")], "ok"),
        ([state()], "failed"),
        ([state(reason="of a newer server")], "failed"),
        ([state(OK, reason="interrupted"), state(cell_id="b", digest=None, reason="interrupted")],
         "not run: interrupted"),
        ([state(reason="error"), state(cell_id="b", digest=None, reason="earlier_failed")],
         "failed"),
        ([state(digest=None, reason="deleted"), state(cell_id="b", reason="kernel_gone")],
         "failed: kernel gone"),
    ],
)  # fmt: skip
def test_runs(states: list[CellState], word: str) -> None:
    ended = all(one.state in (OK, FAILED) for one in states)
    failed = any(one.failed for one in states)
    name = (FAILED if failed else OK) if ended else "executing"
    if [one.state for one in states] == ["queued"]:
        name = "queued"
    run = Run(execution_id=uuid4(), cell_ids=["a"], state=name, cell_states=states)
    assert run_word(run) == word


@pytest.mark.kernel
@pytest.mark.server
@pytest.mark.timeout(300)
def test_what_is_told_of_runs_that_did_not_end_well(kernel: Kernel) -> None:
    kernel.ok("%load_ext rtu_magics")
    kernel.ok("%rtu_connect ends.ipynb --new")
    kernel.ok("%%rtu_exec --bg -o bad\n1 / 0")
    assert "raised ZeroDivisionError: division by zero" in kernel.run("%rtu_wait bad").error_line
    kernel.ok(f"%%rtu_exec --bg -o long\n{SLOW}")
    kernel.ok("import time\nwhile long.state != 'running': time.sleep(0.05)\ntime.sleep(0.5)")
    kernel.ok("%%rtu_exec --bg -o behind\n1")
    kernel.ok("%rtu_kernel interrupt")
    line = kernel.run("%rtu_wait long").error_line
    assert line.endswith("was interrupted (raised KeyboardInterrupt)"), line
    line = kernel.run("%rtu_wait behind").error_line
    assert "did not run to its end: not run: " in line
    kernel.ok(f"%%rtu_exec --bg -o lost\n{SLOW}\n")
    kernel.ok("while lost.state != 'running': time.sleep(0.05)")
    kernel.ok("%%rtu_exec --bg -o gone\n2")
    kernel.ok("%%rtu_exec --bg -o later\n3")
    kernel.ok("%rtu_delete 5")
    assert kernel.run("%rtu_wait gone").error_line.endswith(": the cell was deleted")
    kernel.ok("%rtu_kernel restart")
    line = kernel.run("%rtu_wait lost").error_line
    assert "the kernel was restarted; its variables are gone" in line
    kernel.ok("%%rtu_exec --bg -o asks\ninput()")
    assert "asked for input" in kernel.run("%rtu_wait asks").error_line
    words = {
        "bad": "failed",
        "long": "interrupted",
        "behind": "not run: interrupted",
        "lost": "failed: kernel restarted",
        "gone": "not run: cell deleted",
        "later": "not run: kernel restarted",
        "asks": "failed: asked for input",
    }
    runs = kernel.ok("%rtu_runs").text
    for name, word in words.items():
        assert re.search(rf"^{name} .*  {word}  +you ", runs, re.M), (name, runs)
    cells = kernel.ok("%rtu_cells").text
    for number, name in enumerate(("bad", "long", "behind", "lost", "later", "asks"), 1):
        assert re.search(rf"^{number} .*code  {words[name]} ", cells, re.M), (name, cells)
    history = re.sub(r"\x1b\[\d*m", "", kernel.ok("%rtu_history --runs").text)
    for line in (
        r"ran cell 1 \(\w+\) \(failed\)",
        r"ran cell 2 \(\w+\) \(interrupted\)",
        r"asked to run cell 3 \(\w+\) \(not run: interrupted\)",
        r"asked to run cell \w+ \(not run: cell deleted\)",
        r"asked to run cell 5 \(\w+\) \(not run: kernel restarted\)",
    ):
        assert re.search(line, history), (line, history)
    status = kernel.ok("print(next(iter(__import__('rtu_magics').session.sessions)).status())").text
    assert "not_run=[" in status
    for name in words:
        shown = kernel.ok(f"print(repr({name}.result))").text
        assert "failed with " in shown, (name, shown)
    told = kernel.ok("print(repr(later.result), repr(long.result))").text
    assert "KernelDied: cell 5" in told
    assert "KeyboardInterrupt" in told
