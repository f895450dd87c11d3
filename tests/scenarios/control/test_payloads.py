"""Help, code for the next cell, and what else a remote cell's reply asks of its front end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rtu_magics.server.outputs.payload import bounded
from tests.scenarios.ipython.kernels import CellRun, Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.server]


@pytest.fixture
def connected(kernel: Kernel) -> Kernel:
    kernel.ok("%rtu_connect help.ipynb --new")
    kernel.ok("%%rtu_exec\ndef mine():\n    'what mine does'\n")
    return kernel


def payload(run: CellRun) -> list[dict[str, Any]]:
    return list(run.reply["payload"])


def help_of(run: CellRun) -> str:
    (page,) = payload(run)
    assert page["source"] == "page"
    return str(page["data"]["text/plain"])


def test_help(connected: Kernel) -> None:
    for how in ("%%rtu_exec\n", "%%rtu_exec --scratch\n"):
        assert "what mine does" in help_of(connected.ok(how + "mine?"))
        assert "Source:" in help_of(connected.ok(how + "mine??"))
        assert "number of items" in help_of(connected.ok(how + "%pinfo len"))
    assert connected.ok("%rtu_show -1").text.count("what mine does") == 0  # no output
    page = "get_ipython().payload_manager.write_payload"
    run = connected.ok(f"%%rtu_exec\n{page}({{'source': 'page', 'data': {{'text/plain': 'x'}}}})")
    assert help_of(run) == "x"


def test_code_for_the_next_cell(connected: Kernel, work: Path) -> None:
    (work / "x.py").write_text("print('loaded')\n")
    loaded = payload(connected.ok("%%rtu_exec -q\n%load x.py"))
    assert loaded == [
        {
            "source": "set_next_input",
            "text": "%%rtu_exec -q\n# %load x.py\nprint('loaded')\n",
            "replace": True,
        }
    ]
    assert connected.ok(loaded[0]["text"]).text == "loaded\n"
    (cell,) = payload(connected.ok("%%rtu_exec\nget_ipython().set_next_input('2 + 2')"))
    assert (cell["text"], cell["replace"]) == ("%%rtu_exec\n2 + 2", False)
    connected.ok("%%rtu_add\n%load x.py")
    (edit,) = payload(connected.ok("%rtu_exec -1"))
    assert edit["text"].startswith("%%rtu_edit ")
    assert edit["text"].endswith("# %load x.py\nprint('loaded')\n")
    assert edit["replace"] is False
    connected.ok("%rtu_remote on")
    (bare,) = payload(connected.ok("%load x.py"))
    assert (bare["text"], bare["replace"]) == ("# %load x.py\nprint('loaded')\n", True)


def test_what_is_kept_and_what_is_not_done(connected: Kernel) -> None:
    connected.ok("%%rtu_exec -o kept\nmine?")
    assert "page" in connected.ok("print([p['source'] for p in kept.payload])").text
    assert payload(connected.ok("%%rtu_exec --bg -o b\nmine?")) == []
    connected.ok("%rtu_wait b")
    assert "page" in connected.ok("print([p['source'] for p in b.result.payload])").text
    connected.ok("%rtu_attach b -o again")
    assert "page" in connected.ok("print([p['source'] for p in again.payload])").text
    say = "get_ipython().payload_manager.write_payload"
    told = connected.ok(
        f"%%rtu_exec\n{say}({{'source': 'own'}})\n"
        f"{say}({{'source': 'edit_magic', 'filename': 'a\\x1b]0;t\\x07b'}})\n"
        f"{say}({{'source': 'ask_exit', 'keepkernel': False}})"
    )
    assert payload(told) == []
    assert "'own', which is not done here" in told.text
    assert "asks to edit a·]0;t·b, a file of the remote machine" in told.text
    assert "asked its kernel to end; this one goes on" in told.text
    assert connected.ok("1 + 1").reply["status"] == "ok"


def test_a_run_without_anybody_to_ask_still_gets_it(connected: Kernel) -> None:
    connected.ok(
        "import rtu_magics\nfrom rtu_magics.session import sessions\n"
        "s = next(iter(sessions))\ncell = s.add('mine?')\nrun = s.start(cell.id)\n"
        "found = [e for e in run if type(e).__name__ == 'PayloadReceived']\n"
        "assert found[0].payload[0]['source'] == 'page', found"
    )


def test_a_page_without_end_and_with_escapes(connected: Kernel) -> None:
    write = "get_ipython().payload_manager.write_payload"
    page = "'\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m' + 'x' * 50_000_000"
    text = help_of(
        connected.ok(f"%%rtu_exec\n{write}({{'source': 'page', 'data': {{'text/plain': {page}}}}})")
    )
    assert len(text) < 501_000
    assert text.endswith("[… cut here: it is too long to be passed on]")
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert "\x1b[31mred" in text  # colours are fit to be shown
    assert connected.ok("%%rtu_exec\nprint('goes on')").text == "goes on\n"


def test_bounds() -> None:
    many = [{"source": "page", "data": {"text/plain": "x" * 400_000}}] * 50
    kept = bounded(many)
    assert len(kept) == 20
    assert sum(len(item["data"]["text/plain"]) for item in kept) < 1_010_000
    assert bounded([{"source": "page", "data": 7, "start": -1}, {"source": 8}]) == [
        {"source": "page", "data": {"text/plain": ""}, "start": 0},
        {"source": "8"},
    ]
    odd = [{"source": "set_next_input", "text": ["a", "b"]}]
    assert bounded(odd) == [{"source": "set_next_input", "text": "ab", "replace": False}]
    assert bounded("page") == bounded({}) == []
