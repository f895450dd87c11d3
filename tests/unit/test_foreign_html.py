"""HTML of others, built anew: it says the same, and does nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.foreign_html import cleaned
from rtu_magics.ipython.show.bundles import filter_bundle, filter_metadata, harmless

TABLE = """<div>
<style scoped>.dataframe tbody tr th { vertical-align: top; }</style>
<table border="1" class="dataframe jp-Toolbar" id="t">
  <thead><tr style="text-align: right;"><th></th><th>a &amp; b</th></tr></thead>
  <tbody><tr><th>0</th>
  <td style="color: #ff0000; background-color: rgb(1, 2, 3)">1</td></tr></tbody>
</table></div>"""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.elements


def test_a_data_frame_keeps_its_table() -> None:
    html = cleaned(TABLE)
    assert '<table class="dataframe">' in html
    assert "<th>a &amp; b</th>" in html
    assert 'style="color: #ff0000; background-color: rgb(1, 2, 3)"' in html
    assert "scoped" not in html
    assert "vertical-align: top" not in html


@pytest.mark.parametrize(
    "html",
    [
        "<script>x()</script>",
        "<SCRIPT SRC=//x></SCRIPT >",
        "<scr<script>ipt>x()</script>",
        "<img src=x onerror=x()>",
        "<svg/onload=x()>",
        "<math><mtext></form><form><mglyph><style></math><img src onerror=x()>",
        "<noscript><p title='</noscript><img src=x onerror=x()>'>",
        "<textarea><img title='</textarea><img src onerror=x()>'>",
        "<!--><img src=x onerror=x()>-->",
        "<![CDATA[><img src=x onerror=x()>]]>",
        "<a href=' java\tscript:x()'>a</a>",
        "<a href='data:text/html,<script>x()</script>'>a</a>",
        "<a href='//evil.example' ping='//evil.example'>a</a>",
        "<base href='//evil.example'><form action=x><input type=image src=x><button>b</button>",
        "<p style='background:u\\72l(//x)'>p</p>",
        "<p style='position:fixed;top:0;width:expression(x())'>p</p>",
        "<div class='jp-mod-active' id=jp-main data-commandlinker-command=x onclick=x()>d</div>",
        "<video src=x poster=x></video><audio src=x></audio><object data=x></object><embed src=x>",
        "<link rel=stylesheet href=x><meta http-equiv=refresh content='0;url=//x'>",
        "<img src='data:image/svg+xml,<svg onload=x()>'><img srcset='//x 1x'>",
        "<table background=//x><td background=//x>t</td></table>",
        "<xmp><img src=x onerror=x()></xmp>",
        "<plaintext><img src=x onerror=x()>",
        "<template><img src=x onerror=x()></template>",
    ],
)
def test_nothing_is_left_that_runs_or_loads(html: str) -> None:
    for written in (cleaned(html), cleaned(cleaned(html))):
        for tag, attributes in elements(written):
            assert tag not in ("script", "style", "iframe", "form", "link", "base", "meta", "svg")
            assert not {"src", "href", "style", "onclick", "id", "onerror"} & set(attributes), (
                written
            )
        assert "<" not in re.sub(r"</?[a-z0-9]+(?: [a-z]+=\"[^\"<>]*\")*>", "", written)


def test_links_and_pictures_that_came_along_stay() -> None:
    html = '<a href="https://x.example/a?b=1&c">a</a><img alt="b" src="data:image/png;base64,iVBO">'
    kept = dict(elements(cleaned(html)))
    assert kept["a"]["href"] == "https://x.example/a?b=1&c"
    assert kept["a"]["rel"] == "noopener noreferrer nofollow"
    assert kept["img"]["src"] == "data:image/png;base64,iVBO"


def test_no_command_of_tex_links_whatever_parts_it() -> None:
    for html in (r"$\href{javascript:x()}{y}$", r"$\hr<unknown>ef{javascript:x()}{y}$"):
        assert r"\href" not in cleaned(html)
    assert cleaned(r"$\frac{1}{2}$") == r"$\frac{1}{2}$"


@given(st.text(alphabet="<>/=\"' ab!-&;\\script\t\n[]", max_size=60))
def test_whatever_is_written_is_well_formed_and_stays_as_it_is(html: str) -> None:
    once = cleaned(html)
    assert cleaned(once) == once
    assert not any("on" in name for _, attributes in elements(once) for name in attributes)


def test_elements_in_each_other_have_a_bound() -> None:
    html = cleaned("<div>" * 100_000 + "deep")
    assert html.count("<div>") == html.count("</div>") < 200
    assert "deep" in html


def test_bundles_without_trust() -> None:
    assert filter_bundle({"text/html": ["<b>", "x</b>"]}, trusted=False) == {
        "text/html": "<b>x</b>"
    }
    assert "text/html" not in harmless({"text/html": {"a": 1}, "text/plain": "t"})
    assert harmless({"Text/HTML": "<script>"})["text/plain"].startswith("[Text/HTML is shown where")
    assert "image/png" not in harmless({"image/png": '"><script>', "text/plain": "t"})
    assert harmless({"image/png": "iVBO\n"})["image/png"] == "iVBO\n"
    drawing = harmless({"image/svg+xml": "<svg onload=x()>"})
    assert list(drawing) == ["text/html"]
    assert drawing["text/html"].startswith('<img src="data:image/svg+xml;base64,')
    assert harmless({"text/plain": "a\x1b]0;t\x07"}) == {"text/plain": "a·]0;t·"}
    formula = harmless({"text/latex": "$x^2$"})
    assert formula == {"text/latex": "$x^2$"}
    plot = harmless({"application/vnd.vega.v5+json": {}, "image/png": "iVBO", "text/plain": "p"})
    assert plot == {"image/png": "iVBO", "text/plain": "p"}
    assert harmless({})["text/plain"].startswith("[an empty output")


def test_markdown_without_trust_is_rendered_without_its_html() -> None:
    shown = harmless(
        {"text/markdown": "# T\n\n[a](javascript:x()) <b onclick=x()>b</b>\n\n|a|\n|-|\n|1|"}
    )
    assert "<h1>T</h1>" in shown["text/html"]
    assert "<td>1</td>" in shown["text/html"]
    assert "&lt;b onclick" in shown["text/html"]
    assert "href" not in shown["text/html"]


def test_scripts_are_never_passed_on() -> None:
    for mimetype in ("application/javascript", "text/javascript", "application/ecmascript"):
        for trusted in (True, False):
            shown = filter_bundle({mimetype: "x()"}, trusted=trusted)
            assert mimetype not in shown
            assert shown["text/plain"]


def test_metadata_without_trust() -> None:
    metadata = {"text/html": {"isolated": True}, "image/png": {"width": 3, "height": "x"}, "a": 1}
    assert filter_metadata(metadata, trusted=False) == {"image/png": {"width": 3}}
    assert filter_metadata(metadata) == metadata
