"""A mirror with a whole class in it, in a real browser: what is seen, and what can be pressed."""

from __future__ import annotations

from typing import Any

import pytest

from .mirror_page import MirrorPage, cell, check_accessible, snapshot

pytestmark = pytest.mark.browser


def people(count: int) -> list[dict[str, Any]]:
    """A class with its teacher somewhere among them, and long names."""
    roles = ["viewer", "contributor", "executor"]
    found = [
        {
            "id": f"user-{n}",
            "name": f"{n:02d} Wolfeschlegelsteinhausenbergerdorff-Participant of Somewhere",
            "role": roles[n % 3],
            "cell": f"cell-{n % 4:06d}",
        }
        for n in range(count - 1)
    ]
    teacher = {"id": "teach", "name": "Ada", "role": "owner", "cell": "cell-000002"}
    return [*found[:17], teacher, *found[17:]]


LESSON = [
    cell(0, "# Lesson", kind="markdown"),
    cell(1, "1", n=1, st="finished_with_no_error", ms=1200),
    cell(2, "x = 2", n=2, st="finished_with_no_error", old=True),
    cell(3, "1/0", n=3, st="finished_with_error", why="ZeroDivisionError"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 400, 320])
def test_thirty_people_leave_room_for_the_notebook(chromium: Any, theme: str, width: int) -> None:
    mirror = MirrorPage(*chromium, theme)
    page = mirror.page
    page.set_viewport_size({"width": width, "height": 900})
    mirror.receive(snapshot(LESSON, people=people(30)))
    mirror.settle()
    head, title = page.locator(".rtu-head"), page.locator(".rtu-title")
    assert head.bounding_box()["height"] < 48, "one line"
    assert title.evaluate("e => e.scrollWidth <= e.clientWidth"), "the title is whole"
    button = page.locator(".rtu-person-count")
    assert button.inner_text().startswith("30 others")
    shown = page.locator(".rtu-people .rtu-person:visible")
    assert shown.count() == (3 if width == 1000 else 0)
    if shown.count():
        assert shown.first.inner_text() == "Ada", "owners come first"
    assert page.locator(".rtu-people-list").is_hidden()
    button.click()
    rows = page.locator(".rtu-people-list .rtu-person")
    assert rows.count() == 30
    assert rows.first.inner_text().split("\n") == ["Ada", "owner, cell 3"]
    colours = rows.evaluate_all("all => all.map(e => getComputedStyle(e, '::before').background)")
    assert len(set(colours)) == 30
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for box in page.locator(".rtu-state").all():
        assert box.bounding_box()["width"] >= 30, "a cell's state can be read beside the names"
    rows.nth(4).focus()
    mirror.patch(1, ["who", {**people(30)[0], "cell": "cell-000003"}])
    mirror.settle()
    assert page.evaluate("document.activeElement.dataset.user"), "the focus stays in the list"
    page.keyboard.press("Escape")
    assert page.locator(".rtu-people-list").is_hidden()
    assert page.evaluate("document.activeElement.className") == "rtu-person-count"
    check_accessible(page)
    assert mirror.errors == []
    mirror.close()


TARGETS = """(least) => [...document.querySelectorAll(
    'button, select, summary, textarea, input, [role=button], [role=slider]')]
  .filter((e) => e.checkVisibility())
  .map((e) => [e.getBoundingClientRect(), e.ariaLabel || e.textContent || e.className])
  .filter(([box]) => box.width < least || box.height < least)
  .map(([box, name]) => `${name}: ${box.width} x ${box.height}`)"""


@pytest.mark.parametrize(("touch", "least"), [(False, 24), (True, 44)])
def test_what_can_be_pressed_is_large_enough(chromium: Any, touch: bool, least: int) -> None:
    """WCAG 2.2, 2.5.8 (24 px), and for fingers 2.5.5 (44 px)."""
    running, address = chromium
    context = running.new_context(
        viewport={"width": 500, "height": 900}, has_touch=touch, is_mobile=touch
    )
    page = context.new_page()
    page.goto(f"{address}/light")
    page.wait_for_function("window.ready")
    assert page.evaluate("matchMedia('(pointer: coarse)').matches") is touch
    remote = cell(9, "![a](https://elsewhere.invalid/a.png)", kind="markdown")
    bomb = {"id": "p", "k": "data", "data": {"image/svg+xml": "<svg>" + "<g/>" * 30_000 + "</svg>"}}
    page.evaluate(
        "(m) => store.receive(m)",
        snapshot([*LESSON, remote, cell(10, "x", outputs=[bomb])], people=people(30)),
    )
    page.evaluate(
        """async () => {
          const link = document.createElement("link");
          link.rel = "stylesheet";
          link.href = "status.css";
          document.head.append(link);
          await new Promise((done) => { link.onload = done; });
          const { default: make } = await import("./status.js");
          const model = { get: () => "", on: (kind, fn) => { model[kind] = fn; }, send() {} };
          const el = document.createElement("div");
          el.className = "rtu-status-box";
          document.querySelector("main").append(el);
          const widget = make();
          widget.initialize({ model });
          widget.render({ el });
          const kinds = ["idle", "text", "queued", "running", "asking", "done", "changed", "failed",
                         "skipped", "constructor", "__proto__"];
          model["msg:custom"]({ t: "all", cells: kinds.map((kind) => [`id-${kind}`, kind]) });
          el.querySelector("summary").click();
        }"""
    )
    page.locator(".rtu-person-count").click()
    page.get_by_label("Edit cell 1", exact=True).click()
    assert page.locator(".rtu-strip button.rtu-mark").count() == 11
    legend = page.locator(".rtu-strip-legend li")
    assert "changed since it ran" in legend.all_inner_texts()
    assert page.evaluate(TARGETS, least) == []
    context.close()


def test_a_cell_that_was_changed_since_it_ran_says_so(mirror: MirrorPage) -> None:
    mirror.receive(snapshot(LESSON))
    mirror.settle()
    page = mirror.page
    changed = page.locator("[data-cell-id=cell-000002]")
    assert "changed since it ran" in changed.locator(".rtu-state").inner_text()
    assert "changed since it ran" in changed.get_attribute("aria-label")
    assert page.locator(".rtu-changed").count() == 1
    mirror.patch(1, ["old", "cell-000002", False], ["old", "cell-000001", True])
    mirror.settle()
    assert "changed" not in changed.locator(".rtu-state").inner_text()
    mirror.patch(2, ["st", "cell-000001", "executing", None, 0, None])
    mirror.settle()
    assert page.locator(".rtu-changed").count() == 0, "while it runs nothing old is shown as done"


def test_cells_have_the_numbers_that_the_magics_take(mirror: MirrorPage) -> None:
    mirror.receive(snapshot(LESSON))
    mirror.settle()
    numbers = mirror.page.locator(".rtu-position")
    assert numbers.all_inner_texts() == ["1", "2", "3", "4"]
    mirror.patch(1, ["mv", "cell-000003", None], ["del", "cell-000001"])
    mirror.settle()
    shown = mirror.page.evaluate(
        "[...document.querySelectorAll('.rtu-cell')].map((e) => [e.dataset.cellId, "
        "e.querySelector('.rtu-position').textContent, e.querySelector('button').ariaLabel])"
    )
    assert sorted((number, cell_id) for cell_id, number, _ in shown) == [
        ("1", "cell-000003"),
        ("2", "cell-000000"),
        ("3", "cell-000002"),
    ]
    assert all(f"cell {number}" in label for _, number, label in shown)
