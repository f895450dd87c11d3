"""Random interrupts, restarts and deaths of the kernel leave nothing hanging and nothing wrong."""

from __future__ import annotations

import pytest

from .oracle import Oracle
from .rounds import run

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(180)]


async def test_twenty_five_rounds(tmp_path):
    report = await run(tmp_path, rounds=25, seed=7)
    assert not report.findings, str(report)
    assert report.rounds == 25
    assert min(report.actions.values()) >= 2, str(report)
    assert report.cells["ok"] > 15, str(report)
    assert report.cells["never ended"] == 0


# ---------------------------------------------------------------------- the check checks


def asked(run_id: str, cell_id: str) -> dict[str, object]:
    data = {
        "id": run_id,
        "delta_type": "cell_execute",
        "delta_action": "execute",
        "resource_id": cell_id,
    }
    return {"event": "new_delta_event", "data": data}


def state(run_id: str, cell_id: str, name: str, cause: str | None = None) -> dict[str, object]:
    one = {"cell_id": cell_id, "state": name, "execution_id": run_id, "cause": cause}
    return {"event": "bulk_cell_state_update_event", "data": {"cell_states": [one]}}


def output(run_id: str, cell_id: str, text: str) -> dict[str, object]:
    data = {
        "execution_id": run_id,
        "cell_id": cell_id,
        "type": "stream",
        "content": {"raw": text},
        "parent_collection_id": None,
    }
    return {"event": "append_output_event", "data": data}


GOOD = [asked("r", "a"), state("r", "a", "queued"), state("r", "a", "executing")]
DONE = state("r", "a", "finished_with_no_error")


@pytest.mark.parametrize(
    ("log", "finding"),
    [
        ([*GOOD, output("r", "a", "x"), DONE], None),
        ([*GOOD, DONE], "is ok, but wrote ''"),
        ([*GOOD, output("r", "a", "y"), DONE], "is ok, but wrote 'y'"),
        ([*GOOD, output("r", "a", "x"), DONE, output("r", "a", "x")], "which does not run"),
        ([*GOOD, output("r", "a", "x"), DONE, state("r", "a", "queued")], "went from finished"),
        ([GOOD[0], GOOD[2]], "went from None to executing"),
        ([*GOOD, state("r", "a", "finished_with_error", "why")], "shows no error"),
        ([*GOOD[:2], state("r", "a", "finished_with_error")], "failed without a cause"),
        ([*GOOD, asked("s", "b"), state("s", "b", "queued"), state("s", "b", "executing")], "ran"),
        (
            [asked("s", "b"), state("s", "b", "queued"), *GOOD],
            "a overtook b",
        ),
    ],
)
def test_the_oracle_finds_what_is_wrong(log, finding):
    oracle = Oracle({"a": "x", "b": None})
    for message in log:
        oracle.feed(message)
    found = " / ".join(oracle.findings)
    assert (finding is None and not found) or (finding is not None and finding in found)


def test_the_oracle_says_what_is_not_over():
    oracle = Oracle({"a": "x", "b": None})
    for message in GOOD:
        oracle.feed(message)
    assert not oracle.over(["r"])
    assert not oracle.over(["unknown"])
    oracle.feed(output("r", "a", "x"))
    oracle.feed(DONE)
    assert oracle.over(["r"])
    assert oracle.final("a") == ("r", "finished_with_no_error")
    assert oracle.final("b") is None
