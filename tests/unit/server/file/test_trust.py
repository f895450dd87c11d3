"""When a notebook that was trusted still is."""

from __future__ import annotations

from collections.abc import Mapping, Set

import pytest

from rtu_magics.server.file.trust import output_keys, stays_trusted

HTML = {"output_type": "display_data", "data": {"text/html": "<b>1</b>"}, "metadata": {}}
VALUE = {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}}
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
