"""What to raise for a cell that failed, from how the server says that it ended. Pure."""

from __future__ import annotations

from ... import models as m
from ...errors import KernelDied, RemoteCellError, RTUError

__all__ = ["failure_of"]

# What servers that give no reasons note among the outputs, by the error's name.
_OLD_REASONS = {
    "KernelDied": m.EndReason.KERNEL_GONE,
    "StdinNotImplementedError": m.EndReason.STDIN,
}

# What is said of a cell that failed without an error among its outputs.
_WITHOUT_ERROR = {
    m.EndReason.ERROR: "failed",
    m.EndReason.EXPECTED_ERROR: "failed",
}


def failure_of(
    where: str, state: m.CellState, error: m.Output | None, *, kernel_gone: bool = False
) -> RTUError:
    """Return the error of a failed cell: `KernelDied`, or `RemoteCellError` for anything else.

    The reason decides, never the words of a cause.

    Parameters
    ----------
    where
        How to call the cell.
    state
        How it ended.
    error
        The error among its outputs, None if there is none.
    kernel_gone
        Whether the kernel ended meanwhile, which counts where neither gives a reason.
    """
    cause = state.cause or "the server gives no cause"
    if _lost_kernel(state, error, kernel_gone):
        return KernelDied(
            f"{where} did not run to its end: {cause}; its variables are gone, the next "
            f"run starts on a fresh kernel"
        )
    if error is None or not (error.ename or error.evalue):
        # Some kernels write what went wrong as text, or not at all: the reply says it then.
        begin = _WITHOUT_ERROR.get(state.reason or "", "did not run to its end")
        ename, evalue = _error_in(state)
        return RemoteCellError(
            f"{where} {begin}: {_one_line(cause)}",
            ename=ename,
            evalue=evalue,
            cell_id=state.cell_id,
        )
    evalue = _one_line(error.evalue or "")
    # A shell, for one, names no exception: it says the exit code.
    what = f"raised {error.ename}: {evalue}" if error.ename else f"failed: {evalue}"
    what = what.removesuffix(": ")  # an error without a text
    if state.reason == m.EndReason.INTERRUPTED:
        what = f"was interrupted ({what})"
    if m.EndReason.STDIN in (state.reason, _OLD_REASONS.get(error.ename or "")):
        what = (
            "asked for input, and there is nobody to answer; run it in the foreground, "
            "in a front end that can ask"
        )
    return RemoteCellError(
        f"{where} {what}",
        ename=error.ename or "",
        evalue=error.evalue or "",
        traceback=error.traceback,
        cell_id=state.cell_id,
    )


def _lost_kernel(state: m.CellState, error: m.Output | None, kernel_gone: bool) -> bool:
    """Whether a cell failed because the kernel went, and its variables with it."""
    reason = state.reason
    if reason is None and error is not None:  # the server is old, or of another kind
        reason = _OLD_REASONS.get(error.ename or "", m.EndReason.ERROR)
    return kernel_gone if reason is None else reason in m.KERNEL_LOST_REASONS


def _error_in(state: m.CellState) -> tuple[str, str]:
    """Return the name and the text of an error that stands in a state only."""
    cause = state.cause or ""
    name, colon, line = cause.partition(": ")
    return (name, line) if colon and state.reason == m.EndReason.ERROR else ("", cause)


def _one_line(text: str, width: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
