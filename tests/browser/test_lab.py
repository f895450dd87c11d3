"""The widgets in real front ends: JupyterLab 4 and Notebook 7, in a real browser."""

from __future__ import annotations

import json
import statistics
import time

import pytest

from rtu_magics.session.events import CellStatesChanged, DeltaApplied

from ..widgets.mirror_page import AXE
from .lab import write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LESSON = (
    {"cell_type": "markdown", "source": "# Squares\n\nA *small* lesson, with $x^2$."},
    "import time\nfor i in range(3):\n    print(i, i * i, flush=True)\n    time.sleep(0.2)",
    "total = sum(n * n for n in range(10))\ntotal",
    "1 / 0",
)
CONNECT = "%load_ext rtu_magics\n%rtu_connect {path}"


def open_mirror(page, lab, name, *cells, app="lab/tree", status=True):
    """A notebook of the reader's with a mirror of another; returns when it is live."""
    write_notebook(lab.root / f"{name}.ipynb", *cells)
    connect = CONNECT.format(path=f"{name}.ipynb") + ("" if status else " --no-widget")
    write_notebook(lab.root / f"{name}-mine.ipynb", connect, "%rtu_mirror")
    page.open(f"{name}-mine.ipynb", app=app)
    page.run_all()
    page.page.wait_for_selector('.rtu-mirror[data-connection="live"] .rtu-cell', timeout=60_000)


def visible_text(page) -> str:
    return page.page.locator(".jp-Notebook").inner_text()


def observe(page, cell_id: str) -> None:
    """Note when which text and state of a mirrored cell was in the DOM."""
    page.page.evaluate(
        """(id) => {
          window.seen = [];
          const find = () => document.querySelector(`.rtu-cell[data-cell-id="${id}"]`);
          const note = () => {
            const cell = find();
            if (cell) seen.push([Date.now(), cell.dataset.state, cell.textContent]);
          };
          const root = document.querySelector(".rtu-mirror");
          new MutationObserver(note).observe(
            root, {subtree: true, childList: true, characterData: true, attributes: true});
          note();
        }""",
        cell_id,
    )


def test_a_second_client_edits_and_runs(page, lab, join):
    open_mirror(page, lab, "lesson", *LESSON)
    session = join("lesson.ipynb")
    shown = page.page
    shown.wait_for_selector(".rtu-mark[data-mark=idle]")

    observe(page, "cell-2")
    states: list[tuple[float, str]] = []

    def note(event):
        if isinstance(event, CellStatesChanged) and "cell-2" in event.states:
            states.append((time.time(), event.states["cell-2"].state))

    session.hub.subscribe(note)
    session.run("cell-2")
    shown.wait_for_selector('.rtu-cell[data-cell-id="cell-2"][data-state="done"]')
    shown.wait_for_selector('.rtu-mark[data-cell-id="cell-2"][data-mark="done"]')
    seen = [state for _, state, _ in shown.evaluate("seen")]
    assert [s for s in ("running", "done") if s in seen] == ["running", "done"]
    assert "2 4" in shown.locator('.rtu-cell[data-cell-id="cell-2"]').inner_text()

    session.edit("cell-3", "total = sum(range(7))\ntotal")
    shown.wait_for_function(
        """() => document.querySelector('.rtu-cell[data-cell-id="cell-3"]')
                   ?.textContent.includes("range(7)")"""
    )
    with pytest.raises(Exception, match="ZeroDivisionError"):
        session.run("cell-4")
    shown.wait_for_selector('.rtu-cell[data-cell-id="cell-4"][data-state="failed"]')
    added = session.add("print('new')")
    shown.wait_for_selector(f'.rtu-cell[data-cell-id="{added.id}"]')
    session.delete(added.id)
    shown.wait_for_selector(f'.rtu-cell[data-cell-id="{added.id}"]', state="detached")
    page.shot("lab-light")
    page.command("apputils:change-theme", '{"theme": "JupyterLab Dark"}')
    shown.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    shown.wait_for_timeout(1000)  # for the picture: colours fade over
    page.shot("lab-dark")


def test_clicks_in_the_mirror(page, lab, join):
    open_mirror(page, lab, "clicks", *LESSON)
    session = join("clicks.ipynb")
    shown = page.page
    shown.get_by_label("Run cell 3", exact=True).click()
    shown.wait_for_selector('.rtu-cell[data-cell-id="cell-3"][data-state="done"]', timeout=60_000)
    assert [o.content.raw for o in session.outputs("cell-3")] == ["285"]

    shown.get_by_label("Edit cell 3", exact=True).click()
    editor = shown.locator(".rtu-editor")
    editor.fill("total = 42\ntotal")
    session.edit("cell-2", "print('somebody else, meanwhile')")
    shown.get_by_role("button", name="Save and run").click()
    shown.wait_for_function(
        """() => document.querySelector('.rtu-cell[data-cell-id="cell-3"]')
                   ?.textContent.includes("total = 42")"""
    )
    deadline = time.monotonic() + 20
    while session.cell("cell-3").source != "total = 42\ntotal":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert session.cell("cell-2").source == "print('somebody else, meanwhile')"

    shown.locator('button[title="Run all"]').click()
    shown.wait_for_selector('.rtu-cell[data-cell-id="cell-4"][data-state="failed"]')
    shown.wait_for_selector('.rtu-mark[data-cell-id="cell-4"][data-mark="failed"]')
    shown.locator('.rtu-status-box button[title="Save"]').click()
    shown.get_by_text("saved clicks.ipynb").wait_for()


def test_reload_and_restart(page, lab, join):
    open_mirror(page, lab, "again", *LESSON)
    session = join("again.ipynb")
    shown = page.page
    page.command("docmanager:save")
    shown.wait_for_timeout(1000)  # saving says nothing when it is done
    shown.reload()
    page.wait_for_notebook()
    shown.wait_for_selector('.rtu-mirror[data-connection="live"] .rtu-cell')
    session.edit("cell-3", "after_reload = 1")
    shown.wait_for_function(
        """() => document.querySelector('.rtu-cell[data-cell-id="cell-3"]')
                   ?.textContent.includes("after_reload")"""
    )
    assert "odel not found" not in visible_text(page)

    page.command("notebook:restart-kernel")
    shown.locator(".jp-Dialog button.jp-mod-accept").click()
    shown.get_by_text("the kernel of this notebook has ended").wait_for()
    page.wait_for_notebook()
    page.shot("lab-after-restart")
    assert not shown.locator('.rtu-status-box button[title="Run all"]').is_visible()
    assert "odel not found" not in visible_text(page)
    page.run_all()
    shown.wait_for_selector('.rtu-mirror[data-connection="live"] .rtu-cell')


def test_a_saved_notebook_opened_later(page, lab, join):
    open_mirror(page, lab, "later", *LESSON)
    shown = page.page
    page.command("docmanager:save")
    shown.wait_for_timeout(1000)
    page.command("notebook:shutdown-kernel")
    shown.wait_for_timeout(1000)
    shown.reload()
    shown.wait_for_selector(".rtu-static", timeout=30_000)
    assert "Squares" in shown.locator(".rtu-static").last.inner_text()
    shown.wait_for_timeout(1000)
    page.shot("lab-saved")
    assert "odel not found" not in visible_text(page)
    assert "Loading widget" not in visible_text(page)


def test_how_long_a_change_takes(page, lab, join, capsys):
    open_mirror(page, lab, "pace", *LESSON, status=False)
    session = join("pace.ipynb")
    observe(page, "cell-3")
    applied: dict[str, float] = {}

    def note(event):
        if isinstance(event, DeltaApplied):
            text = session.client.builder.cell("cell-3").source
            applied[text.rpartition(" ")[2]] = time.time()

    session.hub.subscribe(note)
    text = "x = 0"
    for number in range(60):
        text += f" mark{number:03d}"
        session.edit("cell-3", text)
        time.sleep(0.1)
    page.page.wait_for_function("() => seen.at(-1)?.[2].includes('mark059')")
    seen = page.page.evaluate("seen")
    delays = []
    for number in range(60):
        mark = f"mark{number:03d}"
        shown_at = next(when for when, _, content in seen if mark in content) / 1000
        delays.append((shown_at - applied[mark]) * 1000)
    p95 = statistics.quantiles(delays, n=20)[-1]
    with capsys.disabled():
        print(f"\nevent → DOM at 10/s: p50 {statistics.median(delays):.0f} ms, p95 {p95:.0f} ms")
    assert p95 < 5_000  # that it keeps up; the figure is for people


@pytest.mark.parametrize("count", [10, 1000])
def test_the_cost_of_a_letter(page, lab, join, capsys, count):
    name = f"cost{count}"
    open_mirror(page, lab, name, *(f"value_{i} = {i}" for i in range(count)), status=False)
    session = join(f"{name}.ipynb")
    shown = page.page
    shown.wait_for_timeout(1500)  # the whole of a long notebook comes in parts
    assert shown.locator(".rtu-cell").count() < 200
    costs = []
    for letter in "abcde":
        since = time.time()
        session.edit("cell-3", session.cell("cell-3").source + letter)
        shown.wait_for_function(
            """(text) => document.querySelector('.rtu-cell[data-cell-id="cell-3"]')
                       ?.textContent.includes(text)""",
            arg=session.cell("cell-3").source,
        )
        costs.append([(whole, len(content)) for whole, content in page.comm_contents(since)])
    with capsys.disabled():
        print(f"\n{count} cells, a letter: (frame, content) bytes {costs}")
    for messages in costs:
        assert 1 <= len(messages) <= 2
        assert sum(content for _, content in messages) < 1000


def test_axe_finds_nothing_serious(page, lab):
    if not AXE.exists():
        pytest.fail(f"npm ci in {AXE.parents[2]} brings axe-core")
    open_mirror(page, lab, "axe", *LESSON)
    page.page.wait_for_selector(".rtu-mark")
    page.page.add_script_tag(path=str(AXE))
    found = page.page.evaluate(
        "async () => (await axe.run({include: [['.rtu-mirror'], ['.rtu-status-box']]})).violations"
    )
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(
        [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in serious], indent=1
    )


def test_notebook_7(page, lab, join):
    open_mirror(page, lab, "seven", *LESSON, app="notebooks")
    session = join("seven.ipynb")
    shown = page.page
    session.run("cell-2")
    shown.wait_for_selector('.rtu-cell[data-cell-id="cell-2"][data-state="done"]')
    shown.wait_for_selector('.rtu-mark[data-cell-id="cell-2"][data-mark="done"]')
    shown.get_by_label("Run cell 3", exact=True).click()
    shown.wait_for_selector('.rtu-cell[data-cell-id="cell-3"][data-state="done"]')
    page.shot("notebook-7")
