"""How cells and runs ended, in a word or two, by the reason that the server gives.

Pure: states in, words out. The sentence about one cell is its state's ``cause``.
"""

from __future__ import annotations

from ...models import FINISHED_STATES, CellState, CellStateName, EndReason, Run

__all__ = ["end_word", "run_word"]

_WORDS = {
    EndReason.EXPECTED_ERROR: "failed as allowed",
    EndReason.INTERRUPTED: "interrupted",
    EndReason.STDIN: "failed: asked for input",
    EndReason.STOPPED: "stopped by the kernel",
    EndReason.ABORTED: "refused by the kernel",
    EndReason.NO_ANSWER: "failed: no answer",
    EndReason.KERNEL_GONE: "failed: kernel gone",
    EndReason.CULLED: "failed: kernel culled",
    EndReason.RESTARTED: "failed: kernel restarted",
    EndReason.SERVER_RESTARTED: "failed: server restarted",
    EndReason.EARLIER_FAILED: "not run: an earlier one failed",
    EndReason.DELETED: "failed: cell deleted",
    EndReason.NO_DATA_SOURCE: "failed: no data source",
    EndReason.NOT_STORED: "failed: outputs not stored",
    EndReason.SERVER_ERROR: "failed: server error",
}


def end_word(state: CellState) -> str:
    """Return how a cell ended.

    Parameters
    ----------
    state
        A finished state.

    Returns
    -------
    ``ok``, ``failed`` for an error of its own, or why it failed; of one that never began ``not
    run:`` and why.

    Examples
    --------
    >>> state = CellState(cell_id="a", state="finished_with_error", source_digest="00")
    >>> end_word(state)
    'failed'
    >>> end_word(state.model_copy(update={"reason": "restarted"}))
    'failed: kernel restarted'
    >>> end_word(state.model_copy(update={"reason": "restarted", "source_digest": None}))
    'not run: kernel restarted'
    """
    if state.state == CellStateName.FINISHED:
        return "ok"
    word = _WORDS.get(state.reason or "", "failed")
    if state.never_began:
        return f"not run: {word.removeprefix('failed: ').removeprefix('not run: ')}"
    return word


def run_word(run: Run) -> str:
    """Return how a run is: ``queued``, ``running``, ``waits for input``, or how it ended.

    The first cell that failed decides; those after it did not run because of that.
    """
    if any(state.waiting_for_input for state in run.cell_states):
        return "waits for input"
    if run.state not in FINISHED_STATES:
        return "running" if run.state == CellStateName.EXECUTING else run.state
    if run.state == CellStateName.FINISHED:
        return "ok"
    failed = [state for state in run.cell_states if state.failed]
    began = [state for state in failed if not state.never_began]
    return end_word((began or failed)[0]) if failed else "failed"
