"""What names and pictures of others may do to a mirror: nothing. In a real browser."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from .mirror_page import MirrorPage, cell, snapshot

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "hasOwnProperty", "🦎"])
def test_names_that_objects_have_are_names_like_others(mirror: MirrorPage, name: str) -> None:
    """A kernel's language, a state, a mimetype, an attachment may be called anything."""
    info = {"path": "lesson.ipynb", "file": "f", "language": name, "me": "me"}
    outputs = [
        {"id": "a", "k": "data", "data": {name: "x"}},
        {"id": "b", "k": "data", "data": {"text/plain": "plain"}, "meta": {name: 1}},
        {"id": "c", "k": "data", "data": {}, "omit": {name: 5}},
        {"id": "d", "k": "data", "data": {"text/plain": "known"}, "foreign": name},
        {
            "id": name,
            "k": "stream",
            "name": name,
            "text": f"\x1b]8;;{name}:x\x1b\\link\x1b]8;;\x1b\\",
        },
    ]
    mirror.receive(
        snapshot(
            [
                cell(0, "x = 1", st=name, lang=name, outputs=outputs),
                cell(1, f"```{name}\nx\n```\n![p](attachment:{name})", kind="markdown"),
                cell(2, "y = 2", st="finished_with_no_error", outputs=outputs),
                {"id": name, "type": "code", "src": "z = 3", "outs": []},
            ],
            info=info,
            kernel={"name": name, "state": name},
            people=[{"id": name, "name": name, "role": name, "cell": name}],
        )
    )
    assert mirror.patch(1, ["src", name, [[0, 0, "z"]], name], ["st", name, name, 1, 2, None])
    mirror.settle()
    shown = mirror.page.locator(".rtu-feed").inner_text()
    for text in ("x = 1", "y = 2", "zz = 3", "plain", "known"):
        assert text in shown
    assert "native code" not in mirror.page.locator("#host").inner_text()
    assert f"kernel {name}" in mirror.page.locator(".rtu-status").inner_text()


def png(width: int, height: int) -> str:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min((width // 8 + 2) * height, 40_000_000)), 9)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def svg(body: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900">{body}</svg>'


LAUGHS = '<g id="l0"><rect width="9" height="9"/></g>' + "".join(
    f'<g id="l{n}">' + f'<use href="#l{n - 1}"/>' * 10 + "</g>" for n in range(1, 9)
)
BOMBS = {
    "deep": svg(LAUGHS),
    "noise": svg(
        '<filter id="f" x="0" y="0" width="1" height="1">'
        + '<feTurbulence baseFrequency="0.9" numOctaves="200"/>' * 40
        + '</filter><rect width="900" height="900" filter="url(#f)"/>'
    ),
}


@pytest.mark.parametrize("where", ["output", "html", "markdown", "attachment", "css"])
@pytest.mark.parametrize("kind", ["pixels", *BOMBS])
def test_a_picture_that_would_stop_the_page_is_drawn_only_when_asked_for(
    mirror: MirrorPage, kind: str, where: str
) -> None:
    small = png(64, 48)
    if kind == "pixels":
        mimetype, value = "image/png", png(30_000, 10_000)
        url = f"data:image/png;base64,{value}"
    else:
        mimetype, value = "image/svg+xml", BOMBS[kind]
        url = f"data:image/svg+xml;base64,{base64.b64encode(value.encode()).decode()}"
    assert len(url) < 200_000, "a small one"
    fine = f"data:image/png;base64,{small}"
    if where == "output":
        data = {mimetype: value}
    elif where == "css":
        data = {"text/html": f"<style>p {{ background: url('{url}') }}</style><p>text</p>"}
    else:
        # Inline, the sanitiser takes the references out that let the deep one grow.
        inline = value if kind == "noise" else f'<img src="{url}">'
        data = {"text/html": f"<p>text</p>{inline}"}
    if where in ("markdown", "attachment"):
        source = f'text <img src="{url}"> ![good]({fine})'
        more: dict[str, Any] = {}
        if where == "attachment":
            source = "text ![bad](attachment:bad) ![good](attachment:good)"
            raw = url.partition("base64,")[2]
            more = {"attachments": {"bad": {mimetype: raw}, "good": {"image/png": small}}}
        cells = [cell(0, source, kind="markdown", **more)]
    else:
        good = {"id": "g", "k": "data", "data": {"image/png": small}}
        cells = [cell(0, "x", outputs=[{"id": "b", "k": "data", "data": data}, good])]
    mirror.receive(snapshot(cells))
    mirror.settle()
    page = mirror.page
    images = page.locator(".rtu-cell img")
    page.wait_for_function("document.querySelector('.rtu-cell img')?.naturalWidth === 64")
    assert images.count() == 1, "the harmless one is there"
    assert page.locator(".rtu-frame").count() == 0
    button = page.locator(".rtu-output .rtu-note button, .rtu-remote-image")
    assert button.count() == 1
    assert button.inner_text().startswith("Draw")


def test_a_drawing_that_was_asked_for_is_drawn(mirror: MirrorPage) -> None:
    many = svg("<rect/>" * 21_000)
    mirror.receive(
        snapshot(
            [cell(0, "x", outputs=[{"id": "b", "k": "data", "data": {"image/svg+xml": many}}])]
        )
    )
    mirror.settle()
    assert "21,001 elements" in mirror.page.locator(".rtu-note").inner_text()
    mirror.page.locator(".rtu-note button").click()
    mirror.page.wait_for_function("document.querySelector('.rtu-image')?.naturalWidth === 900")


def picture(width: int, height: int, more: str = "") -> str:
    return f'<img src="data:image/png;base64,{png(width, height)}"{more}>'


SHAPE = 'viewBox="0 0 40 10"><rect width="40" height="10"/></svg>'
ROOMY = {
    "an icon": f"<b>one</b> {picture(24, 24)}",
    "some in a row": "".join(picture(20, 20) for _ in range(12)),
    "one that is wider": picture(3000, 600),
    "made wider": picture(10, 10, ' width="80"'),
    "made wider by its style": picture(10, 10, ' style="width: 80px; border: 0"'),
    "not fetched": '<p>a logo</p><img src="https://example.org/logo.png">',
    "a drawing": f'<svg width="40" height="10" {SHAPE}',
    "a drawing as wide as there is room": f"<svg {SHAPE}",
    "in a table": f"<table><tr><td>a</td><td>{picture(16, 16)}</td></tr></table>",
}


@pytest.mark.parametrize("name", ROOMY)
def test_a_frame_is_as_tall_as_what_it_shows(mirror: MirrorPage, name: str) -> None:
    outputs = [{"id": "a", "k": "data", "data": {"text/html": ROOMY[name]}}]
    mirror.receive(snapshot([cell(0, "show()", outputs=outputs)]))
    mirror.settle()
    handle = mirror.page.locator("iframe.rtu-frame").element_handle()
    assert handle is not None
    frame = handle.content_frame()
    assert frame is not None
    frame.wait_for_load_state()
    frame.wait_for_function("[...document.images].every((one) => one.complete)")
    inside = frame.evaluate("document.body.getBoundingClientRect().height")
    outside = handle.evaluate("one => one.clientHeight")
    print(f"LINE {name}: {inside} px in a frame of {outside} px")
    assert inside <= outside <= inside + 32
