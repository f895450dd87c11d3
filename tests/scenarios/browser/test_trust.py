"""What others' outputs may do in the reader's page: nothing runs, nothing is loaded, until told."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .lab import write_notebook

# ruff: noqa: E501
pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(240)]

_HOSTILE = r"""
from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
out, tag = "{out}", lambda name: f"(window.__ran ??= []).push('{{name}}')"
bundles = [
    {{"text/html": f"<b>seen</b><script>{{tag('script')}}</script>"}},
    {{"text/html": f"<img src=x onerror=\"{{tag('onerror')}}\"><img src='{{out}}/picture.png'>"}},
    {{"text/html": f"<svg onload=\"{{tag('svg onload')}}\"><script>{{tag('svg script')}}</script></svg>"}},
    {{"text/html": f"<math><mtext><table><mglyph><style><img src onerror=\"{{tag('mutation')}}\">"}},
    {{"text/html": f"<iframe srcdoc=\"<script>parent.{{tag('frame')[1:]}}</script>\"></iframe>"}},
    {{"text/html": f"<iframe src='{{out}}/frame'></iframe><link rel=stylesheet href='{{out}}/css'>"}},
    {{"text/html": f"<style>@import '{{out}}/import';</style><p style=\"background:url({{out}}/bg)\">p</p>"}},
    {{"text/html": f"<details open ontoggle=\"{{tag('toggle')}}\"><summary>s</summary>d</details>"}},
    {{"text/html": f"<a id=link href=\"javascript:{{tag('link')}}\">link</a>"}},
    {{"text/html": f"<p>$\\href{{{{javascript:{{tag('tex')}}}}}}{{{{tex}}}}$</p>"}},
    {{"text/html": ["<scr", f"ipt>{{tag('pieces')}}</script><table class=dataframe><tr><td>42</td></table>"]}},
    {{"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9' "
                      f"onload=\"{{tag('svg')}}\"><image href='{{out}}/svg'/></svg>"}},
    {{"text/markdown": f"**bold** <img src=x onerror=\"{{tag('markdown')}}\"> ![p]({{out}}/md.png)"}},
    {{"text/latex": f"$\\href{{{{javascript:{{tag('latex')}}}}}}{{{{click}}}}$"}},
    {{"application/javascript": tag("javascript"), "text/html": f"<script>{{tag('beside')}}</script>"}},
    {{"text/javascript": tag("text/javascript")}},
    {{"application/vnd.bokehjs_exec.v0+json": "", "text/html": f"<script>{{tag('bokeh')}}</script>"}},
    {{"application/vnd.plotly.v1+json": {{"data": [], "layout": {{"images": [{{"source": f"{{out}}/plotly"}}]}}}}}},
    {{"application/vnd.vega.v5+json": {{"data": [{{"name": "a", "url": f"{{out}}/vega"}}]}}}},
]
for bundle in bundles:
    display(bundle, raw=True, metadata={{"text/html": {{"isolated": True}}}})
handle = display({{"text/plain": "before"}}, raw=True, display_id=True)
handle.update({{"text/html": f"<i>after</i><script>{{tag('update')}}</script>"}}, raw=True)

class Value:
    def _repr_html_(self):
        return f"<em>value</em><script>{{tag('value')}}</script>"

Value()
"""


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server elsewhere, which notes what is asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nothing_of_an_invited_reader_s_outputs_runs_until_they_say_so(open_page, join, lab):
    with listener() as (out, asked):
        write_notebook(lab.root / "others.ipynb", _HOSTILE.format(out=out))
        owner = join("others.ipynb")
        link = owner.share("executor").url
        mine = [
            f"%load_ext rtu_magics\n%rtu_connect {link} --no-widget",
            "%rtu_exec 1",
            "result = %rtu_exec 1",
            "result",
            "%rtu_config trust_outputs on",
            "%rtu_exec 1",
        ]
        write_notebook(lab.root / "reader.ipynb", *mine)
        page = open_page()
        page.open("reader.ipynb")
        for index in range(4):
            page.select(index)
            page.command("notebook:run-cell")
            page.wait_for_count(index)
        shown = page.page
        shown.wait_for_function("() => document.body.innerText.includes('value')")
        text = shown.locator(".jp-Notebook").first.inner_text()
        for seen in ("its HTML is shown without scripts", "seen", "42", "bold", "after", "value"):
            assert seen in text, (seen, text)
        # What a person may do with it.
        for link_ in shown.locator(".jp-OutputArea-output a").all():
            href = link_.get_attribute("href") or ""
            assert not href.startswith("javascript:")
            if not href.startswith(("http", "mailto")):
                link_.click(force=True, no_wait_after=True)
        shown.wait_for_timeout(2000)
        assert shown.evaluate("() => window.__ran ?? []") == []
        assert asked == []

        # The same page shows all of it once its reader says so: what was watched can be seen.
        for index in (4, 5):
            page.select(index)
            page.command("notebook:run-cell")
            page.wait_for_count(index)
        shown.wait_for_function(
            "() => ['markdown', 'update', 'value'].every(one => (window.__ran ?? []).includes(one))"
        )
        ran = shown.evaluate("() => window.__ran")
        assert {"markdown", "update", "value"} <= set(ran)
        assert "javascript" not in ran
        assert "text/javascript" not in ran
        shown.wait_for_timeout(500)
        assert "/picture.png" in asked
