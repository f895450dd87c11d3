"""The renderer in a real browser: long notebooks, the reader's place, keyboard, contrast."""

from __future__ import annotations

from typing import Any

import pytest

from .mirror_page import MirrorPage, cell, check_accessible, snapshot

pytestmark = pytest.mark.browser

TEXT = "import math\n\nfor i in range(10):\n    print(i, math.sqrt(i))"


def long_notebook(count: int = 1000) -> dict[str, Any]:
    cells = []
    for index in range(count):
        if index % 5 == 0:
            cells.append(
                cell(index, f"## Part {index}\n\nSome *words* and $x^{index}$.", kind="markdown")
            )
        else:
            text = {
                "id": "s",
                "k": "stream",
                "name": "stdout",
                "text": f"line {index}\n" * (index % 7),
            }
            cells.append(
                cell(index, f"# {index}\n{TEXT}", n=index, outputs=[text] if index % 7 else [])
            )
    return snapshot(cells)


def in_view(mirror: MirrorPage) -> tuple[str, float]:
    """The first cell in view and how far its top is from the view's."""
    found = mirror.page.evaluate(
        """() => {
          const scroller = document.querySelector('.rtu-scroll');
          const top = scroller.getBoundingClientRect().top;
          for (const cell of document.querySelectorAll('.rtu-cell')) {
            const box = cell.getBoundingClientRect();
            if (box.bottom > top + 1) return [cell.dataset.cellId, box.top - top];
          }
        }"""
    )
    return found[0], found[1]


def test_only_what_is_in_sight_is_in_the_page(mirror: MirrorPage) -> None:
    mirror.receive(long_notebook())
    mirror.settle()
    assert mirror.page.locator(".rtu-cell").count() < 40
    first = mirror.page.locator(".rtu-cell").first
    assert first.get_attribute("aria-setsize") == "1000"
    mirror.page.evaluate("document.querySelector('.rtu-scroll').scrollTop = 1e9")
    mirror.settle()
    mirror.settle()
    assert mirror.page.locator("[data-cell-id=cell-000999]").count() == 1
    assert mirror.page.locator(".rtu-cell").count() < 40


def test_the_readers_place_is_kept(mirror: MirrorPage) -> None:
    mirror.receive(long_notebook())
    mirror.page.evaluate("document.querySelector('.rtu-scroll').scrollTop = 30000")
    mirror.settle()
    mirror.settle()
    before, offset = in_view(mirror)
    more = {"id": "n", "k": "stream", "name": "stdout", "text": "new\n" * 30}
    index = int(before.split("-")[1])
    mirror.patch(
        1,
        ["add", None, cell(5000, TEXT)],
        ["out+", "cell-000001", more],
        ["out+", f"cell-{index - 1:06d}", more],
        ["del", "cell-000004"],
        ["src", f"cell-{index - 2:06d}", [[0, 0, "a\nb\nc\n"]]],
        ["mv", "cell-000010", None],
    )
    for _ in range(4):
        mirror.settle()
    after, offset_after = in_view(mirror)
    assert after == before
    assert abs(offset_after - offset) <= 1.5


def test_letters_arrive_one_by_one_also_beyond_the_basic_plane(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(0, "x = '🐍'  # 蛇"), cell(1, "y")]))
    for seq, op in enumerate([[8, 0, "!"], [5, 1, "🦎"], [7, 1, ""]], start=1):
        assert mirror.patch(seq, ["src", "cell-000000", [op], "ada"])
    mirror.settle()
    shown = mirror.page.locator("[data-cell-id=cell-000000] code").inner_text()
    assert shown == mirror.page.evaluate("store.cells.get('cell-000000').src")
    assert "🦎" in shown
    assert "rtu-flash" in mirror.page.locator("[data-cell-id=cell-000000]").get_attribute("class")


def test_a_gap_is_noticed(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(0, "x")]))
    assert mirror.patch(1, ["src", "cell-000000", [[0, 0, "a"]]])
    assert mirror.patch(1, ["src", "cell-000000", [[0, 0, "a"]]]), "an old one changes nothing"
    assert not mirror.patch(3, ["src", "cell-000000", [[0, 0, "b"]]])
    assert mirror.patch(4, ["src", "cell-000000", [[0, 0, "c"]]]), "no second request"
    assert mirror.page.evaluate("store.cells.get('cell-000000').src") == "ax"


def test_keyboard_alone_walks_edits_and_runs(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(i, f"x = {i}") for i in range(30)]))
    keys = mirror.page.keyboard
    mirror.page.locator(".rtu-scroll").focus()
    for key in ("ArrowDown", "j", "j", "k"):
        keys.press(key)
    assert mirror.page.evaluate("document.activeElement.dataset.cellId") == "cell-000001"
    keys.press("Control+Enter")
    assert mirror.actions("run") == [{"a": "run", "cell": "cell-000001"}]
    keys.press("Enter")
    keys.type("  # mine")
    keys.press("Control+s")
    [edit] = mirror.actions("edit")
    assert (edit["base"], edit["text"]) == ("x = 1", "x = 1  # mine")
    mirror.receive(
        {"t": "reply", "key": edit["key"], "ok": False, "error": "changed", "theirs": "x = 7"}
    )
    assert mirror.page.locator(".rtu-theirs").inner_text() == "x = 7"
    assert mirror.page.locator(".rtu-editor").input_value() == "x = 1  # mine"
    keys.press("Control+s")
    second = mirror.actions("edit")[1]
    assert second["base"] == "x = 7", "what was shown is what the next attempt is based on"
    mirror.receive({"t": "reply", "key": second["key"], "ok": True})
    assert mirror.page.locator(".rtu-editor").count() == 0
    assert mirror.page.evaluate("document.activeElement.dataset.cellId") == "cell-000001"
    keys.press("Enter")
    keys.type("draft")
    keys.press("Escape")
    keys.press("End")
    assert mirror.page.evaluate("document.activeElement.dataset.cellId") == "cell-000029"
    keys.press("Home")
    keys.press("ArrowDown")
    keys.press("Enter")
    assert "draft" in mirror.page.locator(".rtu-editor").input_value(), "a draft outlives scrolling"


def test_others_edits_do_not_touch_the_edit_box(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(0, "one\ntwo"), cell(1, "")]))
    mirror.page.get_by_label("Edit cell 1").click()
    mirror.page.keyboard.type("!")
    mirror.patch(1, ["src", "cell-000000", [[0, 3, "eins"]], "ada"])
    mirror.settle()
    box = mirror.page.locator(".rtu-editor")
    assert box.input_value() == "one\ntwo!"
    assert "merges both" in mirror.page.locator(".rtu-edit-note").inner_text()
    mirror.patch(2, ["del", "cell-000000"])
    mirror.settle()
    banner = mirror.page.locator(".rtu-banner")
    assert "was deleted" in banner.inner_text()
    assert banner.get_by_text("Copy your text").count() == 1


def test_roles_are_obeyed(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(0, "x")], role="viewer"))
    assert mirror.page.get_by_label("Run cell 1").count() == 0
    assert mirror.page.get_by_label("Edit cell 1").count() == 0
    assert mirror.page.get_by_label("Pull cell 1").count() == 1
    mirror.patch(1, ["role", "executor"])
    assert mirror.page.get_by_label("Run cell 1").count() == 1
    assert mirror.page.get_by_label("Edit cell 1").count() == 0
    mirror.patch(2, ["role", "contributor"])
    assert mirror.page.get_by_label("Edit cell 1").count() == 1


def test_following_scrolls_until_the_reader_does(mirror: MirrorPage) -> None:
    mirror.receive(long_notebook())
    mirror.page.get_by_title("Follow Bob").click()
    mirror.patch(1, ["who", {"id": "bob", "name": "Bob", "role": "viewer", "cell": "cell-000800"}])
    mirror.settle()
    assert mirror.page.locator("[data-cell-id=cell-000800]").is_visible()
    mirror.patch(2, ["src", "cell-000300", [[0, 0, "z"]], "bob"])
    mirror.settle()
    assert mirror.page.locator("[data-cell-id=cell-000300]").is_visible()
    mirror.page.locator(".rtu-scroll").hover()
    mirror.page.mouse.wheel(0, 50)
    mirror.page.wait_for_function("document.querySelector('.rtu-mirror').dataset.following === ''")
    mirror.patch(3, ["who", {"id": "bob", "name": "Bob", "role": "viewer", "cell": "cell-000001"}])
    mirror.settle()
    assert mirror.page.locator("[data-cell-id=cell-000001]").count() == 0


def test_any_script_of_the_page_may_ask_it_to_jump(mirror: MirrorPage) -> None:
    mirror.receive(long_notebook())
    jump = """(file) => {
      const detail = { file_id: file, cell_id: 'cell-000700' };
      dispatchEvent(new CustomEvent('rtu-magics:jump', { detail }));
    }"""
    mirror.page.evaluate(jump, "other")
    mirror.settle()
    assert mirror.page.locator("[data-cell-id=cell-000700]").count() == 0
    mirror.page.evaluate(jump, "f")
    mirror.settle()
    assert mirror.page.locator("[data-cell-id=cell-000700]").is_visible()


def test_outputs_are_asked_for_when_their_cells_come_into_sight(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(i, TEXT, outputs=None, n=1) for i in range(200)]))
    mirror.page.wait_for_function("actions.some((a) => a.a === 'need')")
    [need] = mirror.actions("need")
    assert 3 < len(need["cells"]) < 40
    text = {"id": "s", "k": "stream", "name": "stdout", "text": "hello\n"}
    mirror.patch(1, ["outs", "cell-000000", [text]])
    mirror.settle()
    assert "hello" in mirror.page.locator("[data-cell-id=cell-000000]").inner_text()
    picture = {"id": "p", "k": "data", "data": {}, "omit": {"image/png": 90_000}}
    mirror.patch(2, ["outs", "cell-000001", [picture]])
    mirror.settle()
    wanted = {"a": "fetch", "cell": "cell-000001", "out": "p", "mime": "image/png"}
    assert mirror.actions("fetch") == [wanted]
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    mirror.receive(
        {"t": "entry", "cell": "cell-000001", "out": "p", "mime": "image/png", "value": png}
    )
    mirror.page.wait_for_function("document.querySelector('.rtu-image')?.naturalWidth === 1")


def test_two_views_of_one_store_and_a_view_that_is_taken_away(mirror: MirrorPage) -> None:
    mirror.receive(long_notebook(50))
    listeners = "store._listeners.size"
    assert mirror.page.evaluate(listeners) == 1
    mirror.page.evaluate(
        """async () => {
          const { mount } = await import('./mirror.js');
          const host = document.body.appendChild(document.createElement('div'));
          window.second = mount(host, store, {});
        }"""
    )
    mirror.patch(1, ["src", "cell-000001", [[0, 0, "BOTH"]]])
    mirror.settle()
    assert mirror.page.locator("code:has-text('BOTH')").count() == 2
    mirror.page.evaluate("second.destroy()")
    assert mirror.page.evaluate(listeners) == 1
    assert mirror.page.locator(".rtu-mirror").count() == 1


def test_a_mirror_that_comes_to_its_place_late_is_as_dark_as_that(chromium: Any) -> None:
    mirror = MirrorPage(*chromium, "dark")
    mirror.receive(snapshot([cell(0, "x = 1")]))
    mirror.page.evaluate(
        """async () => {
          view.destroy();
          const { mount } = await import('./mirror.js');
          const host = document.createElement('div');
          window.view = mount(host, store, {});
          document.getElementById('host').append(host);
        }"""
    )
    mirror.page.wait_for_selector(".rtu-mirror.rtu-dark")
    mirror.page.wait_for_selector(".rtu-cell")
    mirror.page.evaluate("document.body.style.background = '#fff'")
    mirror.page.wait_for_selector(".rtu-mirror:not(.rtu-dark)")
    mirror.close()


HEAP = """async (count) => {
  const ids = [...store.cells.keys()];
  const pause = () => new Promise((done) => setTimeout(done, 0));
  for (let i = 0; i < count; i++) {
    const id = ids[i % 40 ? (i * 7) % 30 : (i * 7919) % ids.length];
    const op = i % 2 ? ['src', id, [[0, 1, '']], 'ada'] : ['src', id, [[0, 0, 'y']], 'ada'];
    store.receive({ t: 'patch', seq: store.seq + 1, ops: [op] });
    if (i % 100 === 0) await pause();
  }
  for (let i = 0; i < 3; i++) { await new Promise((d) => setTimeout(d, 600)); gc(); }
  return performance.memory.usedJSHeapSize;
}"""


def test_memory_does_not_grow_with_the_number_of_edits(mirror: MirrorPage) -> None:
    mirror.receive(long_notebook())
    mirror.settle()
    few = mirror.page.evaluate(HEAP, 1_000)
    many = mirror.page.evaluate(HEAP, 9_000)
    assert many < few * 1.05, f"{few / 1e6:.2f} MB, then {many / 1e6:.2f} MB"


def everything() -> dict[str, Any]:
    html = "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    traceback = (
        "\x1b[31mZeroDivisionError\x1b[39m \x1b[32;43m1\x1b[39;49m\x1b[43m/\x1b[39;49m "
        "\x1b[38;5;226mx\x1b[0m \x1b[34mb\x1b[0m \x1b[90mgrey\x1b[0m"
    )
    outputs = [
        {"id": "1", "k": "stream", "name": "stdout", "text": "\x1b[36mcyan\x1b[0m text\n" * 90},
        {"id": "2", "k": "stream", "name": "stderr", "text": "warning\n"},
        {"id": "3", "k": "result", "data": {"text/html": html}},
        {"id": "4", "k": "error", "ename": "E", "evalue": "e", "tb": traceback},
        {"id": "5", "k": "data", "data": {"image/svg+xml": "<svg width='9' height='9'/>"}},
        {"id": "6", "k": "data", "data": {"application/json": {"a": [1, None, "x"]}}},
        {"id": "7", "k": "data", "data": {"text/latex": "$x^2$"}},
        {"id": "8", "k": "data", "data": {}, "omit": {"text/html": 5_000_000}},
    ]
    source = (
        '# c\nimport os\n@d\nclass A(B):\n    """doc"""\n    x: int = 1 + len("s")\n    y = None'
    )
    states = ["queued", "executing", "finished_with_no_error", "finished_with_error"]
    markdown = (
        "# T\n\n[link](https://x.y) `c`\n\n> q\n\n```python\nx = 'y'\n```\n\n|a|\n|-|\n|1|\n\n$x$"
    )
    return snapshot(
        [
            cell(0, markdown, kind="markdown"),
            *(
                cell(i + 1, source, st=s, ms=900, n=1, outputs=outputs if i == 2 else [])
                for i, s in enumerate(states)
            ),
            cell(9, "x = '\u202e'"),
            cell(10, "raw", kind="raw"),
            cell(11, "x"),
        ]
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Any, theme: str) -> None:
    mirror = MirrorPage(*chromium, theme, height=2400)
    mirror.page.evaluate("document.querySelector('.rtu-scroll').style.maxHeight = '2200px'")
    mirror.receive(everything())
    mirror.page.get_by_label("Edit cell 8").click()
    mirror.patch(1, ["src", "cell-000011", [[0, 0, "y"]], "ada"], ["conn", "reconnecting", "x"])
    mirror.receive({"t": "say", "text": "something bad", "bad": True})
    mirror.settle()
    check_accessible(mirror.page)
    mirror.close()
