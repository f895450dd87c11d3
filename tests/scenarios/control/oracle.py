"""What the event log of a notebook says about its runs, and whether that is consistent.

It knows the rules of execution and nothing of how the server keeps them: one cell at a time, each
person's requests in their order and none between the cells of another, every cell of a request to
an end, outputs only while their cell runs, a cell that ended well with all of its output, and a
failed one with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CellRun", "Oracle"]

OK, FAILED = "finished_with_no_error", "finished_with_error"
# What IPython writes, and nothing else, when an interrupt hits it while it shows an error.
_HIT_AGAIN = "\nKeyboardInterrupt\n\n"
_NEXT = {
    None: {"queued"},
    "queued": {"executing", FAILED},
    "executing": {OK, FAILED},
}


@dataclass
class CellRun:
    """One cell of one run, as the log tells it."""

    cell_id: str
    state: str | None = None
    cause: str | None = None
    collection_id: str | None = None
    text: str = ""
    errors: list[str] = field(default_factory=list)
    executed: bool = False

    @property
    def over(self) -> bool:
        return self.state in (OK, FAILED)


class Oracle:
    """Follows the events of one notebook whose cells stay as they are.

    Parameters
    ----------
    expected
        By cell id, in order: what each writes when nothing disturbs it, None for anything.
    """

    def __init__(self, expected: dict[str, str | None]) -> None:
        self.expected = expected
        self.runs: dict[str, dict[str, CellRun]] = {}
        self.latest: dict[str, dict[str, Any]] = {}
        self.findings: list[str] = []
        self.questions: list[dict[str, Any]] = []
        self.kernel_state = ""
        self._order: list[tuple[str, str]] = []
        self._authors: dict[str, str] = {}
        self._executing: tuple[str, str] | None = None

    def wrong(self, text: str) -> None:
        self.findings.append(text)

    def over(self, run_ids: list[str]) -> bool:
        """Whether these runs are known and every cell of theirs has ended."""
        return all(
            run_id in self.runs and all(c.over for c in self.runs[run_id].values())
            for run_id in run_ids
        )

    def feed(self, message: dict[str, Any]) -> None:
        """Take an event."""
        data = message["data"]
        match message["event"]:
            case "new_delta_event" if data["delta_type"] == "cell_execute":
                self._asked_for(data)
            case "new_delta_event" if data["delta_type"] == "cell_output_collection":
                self._collection(data)
            case "bulk_cell_state_update_event":
                self.latest = {state["cell_id"]: state for state in data["cell_states"]}
                for state in data["cell_states"]:
                    self._state(state)
            case "append_output_event":
                self._output(data)
            case "input_request_event":
                self.questions.append(data)
            case "kernel_status_update_event":
                self.kernel_state = data["kernel"]["execution_state"]

    def _asked_for(self, delta: dict[str, Any]) -> None:
        ids = list(self.expected)
        at = ids.index(delta["resource_id"]) if delta["resource_id"] in ids else 0
        targets = {
            "execute": ids[at : at + 1],
            "execute_before": ids[: at + 1],
            "execute_after": ids[at:],
            "execute_all": ids,
        }[delta["delta_action"]]
        self.runs[delta["id"]] = {cell_id: CellRun(cell_id) for cell_id in targets}
        self._authors[delta["id"]] = delta.get("created_by_id", "")
        self._order += [(delta["id"], cell_id) for cell_id in targets]

    def _collection(self, delta: dict[str, Any]) -> None:
        if self._executing is None or self._executing[1] != delta["resource_id"]:
            self.wrong(f"a new collection for {delta['resource_id']}, which does not run")
            return
        run_id, cell_id = self._executing
        self.runs[run_id][cell_id].collection_id = delta["properties"]["output_collection_id"]

    def _state(self, state: dict[str, Any]) -> None:
        run_id, cell_id, name = state.get("execution_id"), state["cell_id"], state["state"]
        if run_id not in self.runs:
            return
        cell = self.runs[run_id][cell_id]
        if name == cell.state:
            return
        if name not in _NEXT.get(cell.state, set()):
            self.wrong(f"{cell_id} went from {cell.state} to {name}")
        if name == "executing":
            self._begins(run_id, cell)
        elif name in (OK, FAILED):
            self._ends(run_id, cell, name, state.get("cause"))
        cell.state = name

    def _begins(self, run_id: str, cell: CellRun) -> None:
        if self._executing is not None:
            self.wrong(f"{cell.cell_id} began while {self._executing[1]} ran")
        self._executing, cell.executed = (run_id, cell.cell_id), True
        for earlier_run, earlier_cell in self._order:
            if (earlier_run, earlier_cell) == (run_id, cell.cell_id):
                break
            same = self._authors[earlier_run] == self._authors[run_id]
            if same and not self.runs[earlier_run][earlier_cell].over:
                self.wrong(f"{cell.cell_id} overtook {earlier_cell}")
        for other_run, cells in self.runs.items():
            begun = [c.executed for c in cells.values()]
            if other_run != run_id and any(begun) and not all(c.over for c in cells.values()):
                self.wrong(f"{cell.cell_id} began between the cells of another request")

    def _ends(self, run_id: str, cell: CellRun, name: str, cause: str | None) -> None:
        if self._executing == (run_id, cell.cell_id):
            self._executing = None
        cell.cause = cause
        hit_again = name == FAILED and cell.text.endswith(_HIT_AGAIN)
        text = cell.text.removesuffix(_HIT_AGAIN) if hit_again else cell.text
        expected = self.expected[cell.cell_id]
        if name == OK:
            if cell.errors:
                self.wrong(f"{cell.cell_id} is ok, but showed {cell.errors}")
            if expected is not None and cell.text != expected:
                self.wrong(f"{cell.cell_id} is ok, but wrote {cell.text!r}")
        else:
            if not cause:
                self.wrong(f"{cell.cell_id} failed without a cause")
            if cell.executed and not cell.errors and not hit_again:
                self.wrong(f"{cell.cell_id} failed ({cause}) and shows no error")
            if expected is not None and not expected.startswith(text):
                self.wrong(f"{cell.cell_id} failed and wrote {cell.text!r}")

    def _output(self, output: dict[str, Any]) -> None:
        run_id = output.get("execution_id")
        if run_id not in self.runs:
            return
        if self._executing is None or self._executing[0] != run_id:
            self.wrong(f"output of {output['cell_id']}, which does not run")
        cell = self.runs[run_id][output["cell_id"]]
        if output["parent_collection_id"] != cell.collection_id:
            self.wrong(f"output of {cell.cell_id} before its collection")
        if output["type"] == "stream":
            cell.text += output["content"]["raw"]
        elif output["type"] == "error":
            cell.errors.append(output["ename"])

    def check_runs(self, listed: list[dict[str, Any]]) -> None:
        """Compare with what the server lists as its runs."""
        found = {run["execution_id"]: run for run in listed}
        for run_id, cells in list(self.runs.items())[-100:]:
            if run_id not in found:
                self.wrong(f"a run of {list(cells)} is not listed")
                continue
            states = {s["cell_id"]: s["state"] for s in found[run_id]["cell_states"]}
            if states != {cell_id: cell.state for cell_id, cell in cells.items()}:
                self.wrong(f"a run is listed as {states}")
            collections = {c.cell_id: c.collection_id for c in cells.values() if c.collection_id}
            if found[run_id]["collections"] != collections:
                self.wrong("a run is listed with other collections")

    def final(self, cell_id: str) -> tuple[str, str] | None:
        """What the log implies for a cell: its last run, and how it ended there."""
        runs = [(run_id, cells[cell_id]) for run_id, cells in self.runs.items() if cell_id in cells]
        return (runs[-1][0], str(runs[-1][1].state)) if runs else None
