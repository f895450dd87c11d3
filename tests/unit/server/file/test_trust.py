"""When a notebook that was trusted still is."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.sign import MemorySignatureStore, NotebookNotary

from rtu_magics.server.file.format import hash_of
from rtu_magics.server.file.trust import Notary, output_keys, stays_trusted

HTML = {"output_type": "display_data", "data": {"text/html": "<b>1</b>"}, "metadata": {}}
VALUE = {
    "output_type": "execute_result",
    "data": {"text/plain": "1"},
    "metadata": {},
    "execution_count": 1,
}
TEXT = {"output_type": "stream", "name": "stdout", "text": "1"}
ERROR = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}


@pytest.mark.parametrize(
    ("before", "after", "own", "expected"),
    [
        pytest.param(set(), {}, set(), True, id="nothing in it"),
        pytest.param(set(), {"a": ""}, set(), True, id="harmless, whoever ran it"),
        pytest.param({"k"}, {"a": "k"}, set(), True, id="as it was"),
        pytest.param({"k"}, {"b": "k"}, set(), True, id="in another cell"),
        pytest.param({"k"}, {"a": ""}, set(), True, id="cleared"),
        pytest.param({"k"}, {}, set(), True, id="deleted"),
        pytest.param({"k"}, {"a": "m"}, {"a"}, True, id="new of an owner's run"),
        pytest.param({"k"}, {"a": "m"}, set(), False, id="new of somebody's run"),
        pytest.param({"k"}, {"a": "m"}, {"b"}, False, id="an owner's run of another cell"),
        pytest.param({"k"}, {"a": "m", "b": "n"}, {"a"}, False, id="one of two"),
        pytest.param({"k"}, {"a": "k", "b": "n"}, set(), False, id="one more"),
    ],
)
def test_trust_is_kept_for_what_was_there_and_owners_runs(
    before: Set[str], after: Mapping[str, str], own: Set[str], expected: bool
) -> None:
    assert stays_trusted(before, after, own) is expected


def test_only_outputs_that_could_do_harm_have_a_key() -> None:
    harmless = [{"cell_type": "markdown"}, {"outputs": []}, {"outputs": [TEXT, ERROR]}]
    assert output_keys(harmless) == ["", "", ""]
    odd = {"output_type": "unheard_of"}
    keys = output_keys([{"outputs": [one]} for one in (HTML, VALUE, odd, "no output")])
    assert all(keys)
    assert len(set(keys)) == 4
    assert output_keys([{"outputs": [TEXT, HTML]}]) != output_keys([{"outputs": [HTML]}])


@pytest.mark.parametrize(
    ("seen", "own", "expected"),
    [([HTML, VALUE], set(), True), ([HTML], {"b"}, True), ([HTML], set(), False)],
    ids=["all of it", "the rest is an owner's", "somebody's output is new to it"],
)
async def test_a_page_vouches_for_what_it_shows(
    tmp_path: Path, seen: list[Any], own: Set[str], expected: bool
) -> None:
    cells = [
        nbformat.v4.new_code_cell("", outputs=[nbformat.from_dict(one)]) for one in (HTML, VALUE)
    ]
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    theirs = NotebookNotary(store_factory=MemorySignatureStore, secret=b"s", data_dir=str(tmp_path))
    notary = Notary(lambda: SimpleNamespace(notary=theirs))
    vouched = set(output_keys([{"outputs": [one]} for one in seen]))
    for known, signed in ((hash_of(b"another"), False), (hash_of(path.read_bytes()), expected)):
        await notary.vouch(path, known, vouched, ["a", "b"], own)
        assert theirs.check_signature(nbformat.read(path, as_version=4)) is signed
    notary.close()
