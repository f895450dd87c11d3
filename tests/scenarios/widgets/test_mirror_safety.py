"""What others write into a notebook is shown, and never obeyed. In a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .mirror_page import MirrorPage, browser, cell, served, snapshot

pytestmark = pytest.mark.browser

ATTACKS = [
    "<script>parent.ran.push('script'); top.ran.push('script')</script>",
    "<img src=x onerror=\"parent.ran.push('img'); ran.push('img')\">",
    "<svg onload=\"parent.ran.push('svg')\"><script>parent.ran.push('svg script')</script></svg>",
    "<a href=\"javascript:parent.ran.push('link')\" id=evil>press me</a>",
    "<iframe srcdoc=\"<script>parent.parent.ran.push('frame')</script>\"></iframe>",
    "<iframe src=\"javascript:parent.ran.push('frame src')\"></iframe>",
    "<form action=\"javascript:parent.ran.push('form')\"><input type=submit autofocus></form>",
    "<details open ontoggle=\"parent.ran.push('toggle')\"><summary>x</summary></details>",
    "<body onload=\"parent.ran.push('body')\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:parent.ran.push('meta')\">",
    "<object data=\"javascript:parent.ran.push('object')\"></object>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 '
    "onerror=parent.ran.push('mxss')&gt;\">",
    "<noscript><p title=\"</noscript><img src=x onerror=parent.ran.push('noscript')>\">",
    "<input onfocus=parent.ran.push('focus') autofocus>",
    "<video><source onerror=parent.ran.push('video')></video>",
    '<base href="https://evil.invalid/"><link rel=stylesheet href=//evil.invalid/x.css>',
    "<img src=https://evil.invalid/pixel.png>",
    "<style>@import url(https://evil.invalid/a.css); p { background: url(//evil.invalid/b) }"
    "</style>",
    "<template><script>parent.ran.push('template')</script></template>",
]
ESCAPING_STYLE = (
    "<style>* { position: fixed !important; inset: 0 !important; z-index: 2147483647 !important; "
    "background: red !important } .rtu-mirror { display: none !important }</style>"
    '<div id="cover" class="jp-Dialog" style="position:fixed;inset:0;z-index:99999">covered</div>'
)
MARKDOWN = [
    "[press](javascript:ran.push('md'))",
    "[press](JaVaScRiPt&colon;ran.push('md2'))",
    "[press](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[press](vbscript:ran.push(1))",
    "![x](x\" onerror=\"ran.push('md img'))",
    "<https://ok.example> <javascript:ran.push('auto')>",
    "$\\href{javascript:ran.push('tex')}{x}$ $\\url{javascript:ran.push('tex2')}$",
    "$\\htmlData{x=<img src=1 onerror=ran.push('tex3')>}{y}$",
    "```html\n<script>ran.push('fence')</script>\n```",
    "``` \"><script>ran.push('info')</script>\nx\n```",
    '<span class="rtu-math">\\includegraphics{https://evil.invalid/x.png}</span>',
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running, served() as address:
        yield running, address


@pytest.fixture(scope="module")
def one_page(chromium: Any) -> Iterator[MirrorPage]:
    """A page that all attacks share: it would know of any that got through."""
    page = MirrorPage(*chromium)
    yield page
    assert page.errors == []
    page.close()


@pytest.fixture
def mirror(chromium: Any) -> Iterator[MirrorPage]:
    page = MirrorPage(*chromium)
    yield page
    assert page.errors == []
    page.close()


def data(index: int, **bundle: Any) -> dict[str, Any]:
    names = {"html": "text/html", "svg": "image/svg+xml", "md": "text/markdown"}
    names |= {"latex": "text/latex", "png": "image/png", "text": "text/plain"}
    return {"id": f"o{index}", "k": "data", "data": {names[k]: v for k, v in bundle.items()}}


def everywhere(text: str) -> list[dict[str, Any]]:
    """A text wherever the other side can put one."""
    return [
        cell(0, text, kind="markdown"),
        cell(1, text),
        cell(2, text, kind="raw"),
        cell(
            3,
            "x",
            st="finished_with_error",
            why=text,
            outputs=[
                data(0, html=text),
                data(1, svg=text),
                data(2, md=text),
                data(3, latex=text),
                data(4, text=text),
                data(5, png=text),
                {"id": "s", "k": "stream", "name": "stdout", "text": text},
                {"id": "e", "k": "error", "ename": text, "evalue": text, "tb": text},
                {"id": "j", "k": "data", "data": {"application/json": {"a": text}}},
                {"id": "f", "k": "data", "data": {}, "foreign": text},
                {"id": "m", "k": "data", "data": {}, "omit": {text: 5_000_000}},
            ],
        ),
    ]


def press_everything(mirror: MirrorPage) -> None:
    """Press every link, in the page and in its frames."""
    for frame in mirror.page.frames:
        for link in frame.query_selector_all("a:not([href^='http'])"):
            link.dispatch_event("click")
    mirror.page.wait_for_timeout(30)


@pytest.mark.parametrize("attack", [*ATTACKS, ESCAPING_STYLE, *MARKDOWN])
def test_nothing_runs_and_nothing_is_fetched(one_page: MirrorPage, attack: str) -> None:
    mirror = one_page
    people = [{"id": "ada", "name": attack, "role": attack, "cell": "cell-000001"}]
    mirror.receive(snapshot(everywhere(attack), people=people, conn=["live", attack]))
    mirror.receive({"t": "say", "text": attack, "bad": True})
    mirror.settle()
    for frame in mirror.page.frames:
        frame.wait_for_load_state()
    press_everything(mirror)
    assert mirror.page.evaluate("ran") == []
    assert mirror.foreign() == []
    # Whatever it was, the mirror is there and on top of its own place.
    box = mirror.page.locator(".rtu-head").bounding_box()
    assert box is not None
    hit = mirror.page.evaluate(
        "([x, y]) => !!document.elementFromPoint(x, y)?.closest('.rtu-head')",
        [box["x"] + 20, box["y"] + 10],
    )
    assert hit, "something covers the mirror"
    assert mirror.page.evaluate("document.querySelectorAll('script').length") == 2
    assert (
        mirror.page.evaluate("document.querySelector('#host iframe:not([sandbox=\"\"])')") is None
    )
    assert mirror.page.locator(".rtu-frame").count() >= 1
    assert mirror.page.url.endswith("/light")


def test_a_frame_can_do_nothing_even_with_scripts_in_it(mirror: MirrorPage) -> None:
    """The second wall: what the sanitiser would let through does not run either."""
    mirror.receive(snapshot([cell(0, "x", outputs=[data(0, html="<p>fine</p>")])]))
    mirror.settle()
    mirror.page.evaluate(
        """() => {
          const frame = document.querySelector('.rtu-frame');
          frame.srcdoc = frame.srcdoc.replace('<p>fine</p>',
            '<script>parent.ran.push(1)</scr' + 'ipt><img src=x onerror="parent.ran.push(2)">' +
            '<img src="https://evil.invalid/x.png"><style>@import "https://evil.invalid/y.css";</style>');
        }"""
    )
    for _ in range(100):
        mirror.page.wait_for_timeout(300)
        if len(mirror.blocked) >= 3:
            break
    assert mirror.page.evaluate("ran") == []
    assert mirror.foreign() == []
    assert len(mirror.blocked) == 3, "the policy of the frame stopped them"
    frame = mirror.page.frames[1]
    assert frame.evaluate("window.origin") == "null"


def test_five_megabytes_of_html_are_folded_and_shown_when_asked_for(mirror: MirrorPage) -> None:
    row = "<tr><td>1</td><td onclick='parent.ran.push(1)'>two</td></tr>"
    html = f"<table>{row * (5_000_000 // len(row))}</table><script>parent.ran.push(2)</script>"
    mirror.receive(snapshot([cell(0, "x", outputs=[data(0, html=html)])]))
    mirror.settle()
    assert mirror.page.locator(".rtu-frame").count() == 0
    folded = mirror.page.locator(".rtu-note", has_text="A large HTML output (5.0 M characters)")
    folded.locator("button").click()
    mirror.page.wait_for_selector(".rtu-frame")
    assert mirror.page.locator(".rtu-frame").bounding_box()["height"] <= 480
    mirror.page.wait_for_timeout(300)
    assert mirror.page.evaluate("ran") == []


def test_a_broken_svg_is_named_and_shown_as_text(mirror: MirrorPage) -> None:
    mirror.receive(snapshot([cell(0, "x", outputs=[data(0, svg="<svg><g><rect")])]))
    mirror.page.wait_for_selector(".rtu-note:has-text('This SVG is broken')")
    assert "<svg><g><rect" in mirror.page.locator(".rtu-output").inner_text()


def test_text_that_turns_around_is_marked(mirror: MirrorPage) -> None:
    source = "access = 'user\u202e \u2066# admin\u2069 \u2066'\nx\u200b = 1"
    stream = {"id": "s", "k": "stream", "name": "stdout", "text": "abc\u202edef\n"}
    mirror.receive(snapshot([cell(0, source, outputs=[stream]), cell(1, source, kind="markdown")]))
    mirror.settle()
    shown = mirror.page.locator("#host").inner_text()
    for character in "\u202e\u2066\u2069\u200b":
        assert character not in shown
        assert f"U+{ord(character):04X}" in shown
    assert mirror.page.locator(".rtu-note", has_text="turn text around").count() == 2
    # A right-to-left text stays inside its own line.
    assert (
        mirror.page.evaluate(
            "getComputedStyle(document.querySelector('.rtu-code code')).unicodeBidi"
        )
        == "isolate"
    )


def test_a_line_of_a_million_characters_is_cut_with_a_note(mirror: MirrorPage) -> None:
    line = "x" * 1_000_000
    stream = {"id": "s", "k": "stream", "name": "stdout", "text": line}
    mirror.receive(snapshot([cell(0, line, outputs=[stream]), cell(1, line, kind="markdown")]))
    mirror.settle()
    length = mirror.page.evaluate(
        "document.querySelector('[data-cell-id=cell-000000]').textContent.length"
    )
    assert length < 120_000
    assert mirror.page.locator("text=998,000 characters of this cell are not shown").count() == 1


def test_a_thousand_outputs_are_elided_with_a_note(mirror: MirrorPage) -> None:
    outputs = [data(i, html=f"<p>{i}</p>") for i in range(1000)]
    mirror.receive(snapshot([cell(0, "x", outputs=outputs)]))
    mirror.settle()
    assert mirror.page.locator(".rtu-output").count() == 20
    more = mirror.page.locator(".rtu-note", has_text="980 more outputs are not shown")
    more.locator("button").click()
    mirror.settle()
    assert mirror.page.locator(".rtu-output").count() == 120
