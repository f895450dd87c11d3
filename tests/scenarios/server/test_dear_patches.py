"""Text patches that would cost everybody's time: refused over the wire, with the reason."""

from __future__ import annotations

import random

import pytest

from ...helpers.rtu import current_notebook, follow, open_notebook

pytestmark = pytest.mark.server

_random = random.Random(3)
TEXT = "".join(_random.choice("abcdefghij") for _ in range(20_000))


def _not_quite(place: int) -> str:
    old = TEXT[place : place + 24]
    old = f"{old[:9]}ZZZZ{old[13:]}"
    span = f"{place + 1},24"
    return f"@@ -{span} +{span} @@\n {old[:8]}\n-{old[8:16]}\n+ABCDEFGH\n {old[16:]}\n"


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ("".join(map(_not_quite, range(0, 15_000, 50))), "changed too much"),
        ("@@ -1 +1 @@\n" * 6_000, "more than 4000 hunks; replace the text"),
        ("@@ -1,0 +1,0 @@\n" + "+\n" * 200_000, "more than 20000 lines; replace the text"),
        ("@@ -1,4 +1,4 @@\n%zz\n", "not a text patch"),
    ],
    ids=["searched for", "headers", "empty lines", "no patch"],
)
async def test_it_is_refused_with_the_reason(shared_server, write_notebook, patch, words):
    name = f"dear{len(patch)}.ipynb"
    write_notebook(shared_server.root / name, TEXT)
    file_id = await open_notebook(shared_server, name)
    async with follow(shared_server, file_id) as client:
        cause = await client.rejected("cell_contents", "update", {"patch": patch}, "c1")
        assert words in cause
        assert "\n" not in cause
        await client.change("cell_contents", "replace", {"source": f"{TEXT}!"}, "c1")
        notebook = await current_notebook(shared_server, file_id)
        assert notebook["cells"][0]["source"] == f"{TEXT}!"
