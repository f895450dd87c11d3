"""What is raised for a cell that failed, from how the server says that it ended."""

from __future__ import annotations

from uuid import uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.errors import KernelDied, RemoteCellError
from rtu_magics.session.execution.failure import failure_of


def ended(reason: str | None, cause: str | None = "the kernel said no") -> m.CellState:
    return m.CellState(cell_id="a", state="finished_with_error", cause=cause, reason=reason)


def error(ename: str | None, evalue: str | None = "v") -> m.Output:
    return m.Output(
        id=uuid4(),
        type="error",
        available_mimetypes=[],
        content_metadata={"mimetype": "application/vnd.rtu.error"},
        parent_collection_id=uuid4(),
        created_at=m.utcnow(),
        updated_at=m.utcnow(),
        ename=ename,
        evalue=evalue,
        traceback=["t"],
    )


@pytest.mark.parametrize(
    ("reason", "ename", "gone", "raised"),
    [
        (m.EndReason.KERNEL_GONE, "KernelDied", False, KernelDied),
        (m.EndReason.RESTARTED, None, False, KernelDied),
        (m.EndReason.ABORTED, None, False, RemoteCellError),
        (m.EndReason.STOPPED, None, True, RemoteCellError),
        (m.EndReason.ERROR, "KernelDied", False, RemoteCellError),  # a class of the user's own
        ("of a newer server", None, False, RemoteCellError),
        (None, "KernelDied", False, KernelDied),  # an old server
        (None, None, True, KernelDied),
        (None, None, False, RemoteCellError),
        (None, "ValueError", True, RemoteCellError),
    ],
)
def test_reasons_decide(
    reason: str | None, ename: str | None, gone: bool, raised: type[Exception]
) -> None:
    """Never the words of a cause, which speak of a kernel here."""
    shown = None if ename is None else error(ename)
    assert type(failure_of("cell 1", ended(reason), shown, kernel_gone=gone)) is raised


def test_an_error_among_the_outputs_says_itself() -> None:
    found = failure_of("cell 1 (a)", ended(m.EndReason.ERROR), error("ValueError", "two\nlines"))
    assert str(found) == "cell 1 (a) raised ValueError: two lines"
    assert isinstance(found, RemoteCellError)
    assert (found.ename, found.evalue, found.traceback) == ("ValueError", "two\nlines", ["t"])
    assert found.cell_id == "a"


def test_an_error_in_the_state_only_is_taken_apart() -> None:
    found = failure_of("cell 1", ended(m.EndReason.ERROR, "Oops: it broke"), None)
    assert str(found) == "cell 1 failed: Oops: it broke"
    assert isinstance(found, RemoteCellError)
    assert (found.ename, found.evalue) == ("Oops", "it broke")


@pytest.mark.parametrize(
    ("reason", "ename"), [(m.EndReason.STDIN, "X"), (None, "StdinNotImplementedError")]
)
def test_a_question_that_nobody_could_answer(reason: str | None, ename: str) -> None:
    found = str(failure_of("cell 1", ended(reason), error(ename)))
    assert found.startswith("cell 1 asked for input, and there is nobody to answer")


def test_a_server_that_says_nothing() -> None:
    found = str(failure_of("the scratch cell", ended(None, None), None))
    assert found == "the scratch cell did not run to its end: the server gives no cause"
