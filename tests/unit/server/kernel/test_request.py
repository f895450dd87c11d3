"""How executions end, by what kernels say: one table, and no kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from rtu_magics.models import EndReason as R
from rtu_magics.server.kernel.errors import clean_error
from rtu_magics.server.kernel.request import ExecuteReply, KernelRequest, KernelTraits, retry_after

Step = Callable[[KernelRequest, float], None]


def busy() -> Step:
    return lambda request, now: request.status("busy", now)


def idle() -> Step:
    return lambda request, now: request.status("idle", now)


def begins(count: int = 1) -> Step:
    return lambda request, now: request.heard("execute_input", {"execution_count": count})


def out(text: str, name: str = "stdout") -> Step:
    return lambda request, now: request.heard("stream", {"name": name, "text": text})


def error(ename: Any, evalue: Any, traceback: Any = ()) -> Step:
    content = {"ename": ename, "evalue": evalue, "traceback": list(traceback)}
    return lambda request, now: request.heard("error", content)


def reply(status: str = "ok", **content: Any) -> Step:
    return lambda request, now: request.replied({"status": status, **content}, now)


def interrupt() -> Step:
    return lambda request, now: request.interrupted(now)


def nobody() -> Step:
    return lambda request, now: request.asked_nobody(now)


def overtaken() -> Step:
    return lambda request, now: request.overtaken(now)


def gone(reason: str = R.KERNEL_GONE) -> Step:
    return lambda request, now: request.lost("the kernel died", reason)


ANY = ("", "")


@dataclass(frozen=True)
class Case:
    """What a kernel says, and what follows from it.

    Parameters
    ----------
    kernel
        Where it was seen, or who may do so.
    steps
        What happens; a number is seconds in which nothing does.
    """

    kernel: str
    steps: tuple[Step | float, ...]
    status: str
    reason: str | None = None
    cause: str | None = None
    shows: tuple[str, str] | None = ANY
    python: bool = False


INTERRUPTED = "KeyboardInterrupt: the cell was interrupted"
NO_STDIN = "StdinNotImplementedError: the cell asked for input, and there is nobody to answer"
CASES = [
    Case("any: well", (busy(), begins(), reply(), idle()), "ok", shows=None),
    Case("any: idle before its reply", (busy(), begins(), idle(), 0.1, reply()), "ok"),
    Case("any: its idle is lost", (busy(), begins(), reply(), 5.0), "ok"),
    Case(
        "any: an error",
        (busy(), begins(), error("E", "v"), reply("error", ename="E", evalue="v"), idle()),
        "failed",
        R.ERROR,
        "E: v",
        None,
    ),
    Case(
        "any: a failing repr, shown under an ok",
        (busy(), begins(), error("E", "v"), reply(), idle()),
        "ok",
        shows=None,
    ),
    Case(
        "ipykernel: an expression that fails",
        (
            busy(),
            begins(),
            reply(user_expressions={"value": {"status": "error", "ename": "E", "evalue": "v"}}),
            idle(),
        ),
        "failed",
        R.ERROR,
        "E: v",
        ("E", "v"),
        python=True,
    ),
    Case(
        "ipykernel: interrupted",
        (
            busy(),
            begins(),
            interrupt(),
            error("KeyboardInterrupt", ""),
            reply("error", ename="KeyboardInterrupt", evalue=""),
            idle(),
        ),
        "failed",
        R.INTERRUPTED,
        "KeyboardInterrupt",
        None,
        python=True,
    ),
    Case(
        "ipykernel: code that deals with an interrupt",
        (busy(), begins(), interrupt(), reply(), idle()),
        "ok",
        R.INTERRUPTED,
        shows=None,
        python=True,
    ),
    Case(
        "ipykernel: an interrupt between two lines of its own",
        (busy(), begins(), interrupt(), overtaken(), 1.0),
        "failed",
        R.INTERRUPTED,
        INTERRUPTED,
        python=True,
    ),
    Case(
        "octave, gnuplot: ok to an interrupted cell",
        (busy(), begins(), interrupt(), reply(), out("\n"), idle()),
        "failed",
        R.INTERRUPTED,
        INTERRUPTED,
        ("KeyboardInterrupt", "the cell was interrupted"),
    ),
    Case(
        "tslab: a bare error after an interrupt",
        (busy(), begins(), interrupt(), out("^\n}", "stderr"), reply("error"), idle()),
        "failed",
        R.INTERRUPTED,
        INTERRUPTED,
        ("KeyboardInterrupt", "the cell was interrupted"),
    ),
    Case(
        "duckdb: an error of its own after an interrupt",
        (
            busy(),
            begins(),
            interrupt(),
            out("Query interrupted", "stderr"),
            reply("error", ename="<class 'RuntimeError'>", evalue="Query interrupted"),
            idle(),
        ),
        "failed",
        R.INTERRUPTED,
        "RuntimeError: Query interrupted",
        None,
    ),
    Case(
        "octave: an interrupt that comes when it has replied",
        (busy(), begins(), reply(), 0.1, interrupt(), idle()),
        "ok",
        R.INTERRUPTED,
    ),
    Case(
        "bash, R: abort to an interrupted cell",
        (busy(), begins(), interrupt(), reply("abort"), idle()),
        "failed",
        R.INTERRUPTED,
        INTERRUPTED,
    ),
    Case(
        "R: its reply overtakes what it says on iopub",
        (interrupt(), reply("abort"), busy(), begins(), idle()),
        "failed",
        R.INTERRUPTED,
        INTERRUPTED,
    ),
    Case(
        "bash: interrupted by somebody else, its reply first",
        (reply("abort"), busy(), begins(), idle()),
        "failed",
        R.STOPPED,
    ),
    Case(
        "c: idle after an interrupt and no reply",
        (busy(), begins(), interrupt(), idle(), 0.5),
        "failed",
        R.INTERRUPTED,
        INTERRUPTED,
    ),
    Case(
        "bash: incomplete input",
        (busy(), begins(), idle(), 5.0),
        "failed",
        R.NO_ANSWER,
    ),
    Case(
        "any: an error and no reply",
        (busy(), begins(), error("E", "v"), idle(), 5.0),
        "failed",
        R.ERROR,
        "E: v",
        None,
    ),
    Case(
        "ipykernel: a lost reply",
        (busy(), begins(), out("x"), idle(), 5.0),
        "ok",
        shows=None,
        python=True,
    ),
    Case(
        "ipykernel: a lost reply to what never began",
        (busy(), idle(), 5.0),
        "failed",
        R.NO_ANSWER,
        python=True,
    ),
    Case("ipykernel: aborted by another's failure", (busy(), reply("aborted"), idle()), "aborted"),
    Case("tslab: aborts for a while", (busy(), reply("abort"), idle()), "aborted"),
    Case(
        "tslab: an error with nothing in it",
        (busy(), out("1:1 - \x1b[31mWrong\x1b[0m.\n\n", "stderr"), reply("error"), idle()),
        "failed",
        R.ERROR,
        "Error: 1:1 - Wrong.",
        None,
    ),
    Case(
        "tslab: what a program throws",
        (
            busy(),
            out(
                "m.js:2\nthrow e;\n^\n\nError: no\n  at m.js:2:7\n  at async f (m.js:3:1)", "stderr"
            ),
            reply("error"),
            idle(),
        ),
        "failed",
        R.ERROR,
        "Error: no",
        None,
    ),
    Case(
        "nobody yet: an error with nothing in it, and nothing written",
        (busy(), reply("error"), idle()),
        "failed",
        R.ERROR,
        "the kernel says that the cell failed, and not why",
        ("Error", "the kernel says that the cell failed, and not why"),
    ),
    Case(
        "duckdb: a class for a name, a text for a traceback",
        (
            busy(),
            begins(),
            out("Binder Error: no\n\nLINE 1", "stderr"),
            reply(
                "error",
                ename="<class 'duckdb_kernel.db.DatabaseError'>",
                evalue="Binder Error: no\n\nLINE 1",
                traceback="Traceback\nmore",
            ),
            idle(),
        ),
        "failed",
        R.ERROR,
        "DatabaseError: Binder Error: no",
        None,
    ),
    Case(
        "scheme: an error about a kernel",
        (
            busy(),
            begins(),
            out("…", "stderr"),
            reply("error", ename="RunTimeError", evalue="Error in 'kernel': x"),
            idle(),
        ),
        "failed",
        R.ERROR,
        "RunTimeError: Error in 'kernel': x",
    ),
    Case(
        "bash: an exit code for an error",
        (busy(), begins(), reply("error", ename="", evalue="2"), error("", "2"), idle()),
        "failed",
        R.ERROR,
        "Error: 2",
        None,
    ),
    Case(
        "async-kernel: a name and nothing else",
        (busy(), begins(), reply("error", ename="KernelInterrupt", evalue=""), idle()),
        "failed",
        R.ERROR,
        "KernelInterrupt",
    ),
    Case(
        "nobody yet: an error whose parts are no texts",
        (busy(), begins(), reply("error", ename=None, evalue=7, traceback=[None, 3]), idle()),
        "failed",
        R.ERROR,
        "Error: 7",
    ),
    Case(
        "R: a question that nobody can answer, and an interrupt",
        (busy(), begins(), nobody(), reply("abort"), idle()),
        "failed",
        R.STDIN,
        NO_STDIN,
    ),
    Case(
        "nobody yet: a question, and no heed of an interrupt",
        (busy(), begins(), nobody(), 10.0),
        "failed",
        R.STDIN,
        NO_STDIN,
    ),
    Case(
        "ipykernel: refuses to ask",
        (busy(), begins(), reply("error", ename="StdinNotImplementedError", evalue="no"), idle()),
        "failed",
        R.STDIN,
        python=True,
    ),
    Case("any: dies", (busy(), begins(), gone()), "failed", R.KERNEL_GONE, "the kernel died"),
    Case("any: is restarted", (busy(), gone(R.RESTARTED)), "failed", R.RESTARTED),
    Case(
        "xeus, deno: ends on an interrupt",
        (busy(), begins(), interrupt(), gone()),
        "failed",
        R.KERNEL_GONE,
        "the kernel died",
    ),
    Case("any: dies after its reply", (busy(), begins(), reply(), gone(), 5.0), "ok"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.kernel for case in CASES])
def test_ends(case: Case) -> None:
    now = 1000.0
    request = KernelRequest(KernelTraits(*[case.python] * 4))
    for at, step in enumerate(case.steps):
        assert request.end is None, f"it ended before step {at}"
        if isinstance(step, float):
            last = at == len(case.steps) - 1
            assert not last or request.deadline is not None, "nobody wakes it"
            request.due(now + step - 0.01)
            assert request.end is None, f"it ended before step {at} was over"
            now += step
            request.due(now)
        else:
            step(request, now)
            now += 0.001
    if isinstance(case.steps[-1], float):
        request.due(now + 0.01)  # what happened in between has taken a moment
    end = request.end
    assert end is not None, "it goes on"
    assert (end.status, end.reason) == (case.status, case.reason)
    if case.cause is not None:
        assert end.cause == case.cause
    if case.shows is not ANY:
        assert end.shows == case.shows
    assert (end.status == "failed") == (end.cause is not None)
    assert request.deadline is None
    assert not request.executing


def test_what_goes_on() -> None:
    request = KernelRequest(KernelTraits())
    request.status("busy", 0.0)
    request.interrupted(1.0)
    request.due(3600.0)  # busy for as long as it likes
    assert request.end is None
    assert request.deadline is None


def test_what_comes_after_the_end() -> None:
    request = KernelRequest(KernelTraits())
    for step in (busy(), begins(), reply(), idle()):
        step(request, 0.0)
    end = request.end
    for step in (error("E", "v"), reply("error"), idle(), gone(), interrupt(), overtaken()):
        step(request, 1.0)
    assert request.end is end
    assert request.was_interrupted


def test_beginning() -> None:
    """A kernel that never says when it begins has begun when it is busy for a while."""
    silent = KernelRequest(KernelTraits())
    silent.status("busy", 0.0)
    assert not silent.begun
    assert silent.deadline is not None
    silent.due(silent.deadline)
    assert silent.begun
    assert silent.executing
    known = KernelRequest(KernelTraits(says_begin=True))
    known.status("busy", 0.0)
    known.due(60.0)
    assert not known.begun
    known.heard("execute_input", {"execution_count": 1})
    assert known.begun


def test_a_kernel_is_known_by_what_it_does() -> None:
    traits = KernelTraits()
    KernelRequest(traits).heard("execute_input", {})
    assert traits.says_begin
    traits.take({"implementation": "IRkernel", "language_info": {"name": "R"}})
    assert traits == KernelTraits(says_begin=True)
    traits.take({"implementation": "xeus-python", "language_info": {"name": "Python"}})
    assert traits.heeds_ok
    traits.take({})
    assert not traits.heeds_ok


def test_what_is_sure_before_the_end() -> None:
    def after(*steps: Step) -> ExecuteReply | None:
        request = KernelRequest(KernelTraits())
        for step in steps:
            step(request, 0.0)
        return request.early

    assert after(busy(), begins()) is None
    early = after(busy(), begins(), reply(execution_count=4))
    assert early is not None
    assert early.execution_count == 4
    assert after(busy(), begins(), reply("error")) is None
    assert after(busy(), begins(), interrupt(), reply()) is None


def test_retries_end() -> None:
    pauses = []
    while (pause := retry_after(len(pauses) + 1)) is not None:
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert 0.5 < sum(pauses) < 10  # tslab refuses for 0.2 s


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"ename": "E", "evalue": "v", "traceback": ["a"]}, None),
        ({"ename": "<lambda>", "evalue": "", "traceback": []}, ("<lambda>", "", [])),
        ({"ename": "<class 'KeyError'>", "evalue": "1", "traceback": []}, ("KeyError", "1", [])),
        ({"ename": "<class '__main__.My'>", "evalue": "", "traceback": []}, ("My", "", [])),
        ({"ename": 3, "evalue": None, "traceback": "a\nb"}, ("3", "", ["a", "b"])),
        ({}, ("", "", [])),
    ],
)
def test_clean_error(content: dict[str, Any], expected: tuple[str, str, list[str]] | None) -> None:
    found = clean_error(content)
    if expected is None:
        assert found is content
    else:
        assert (found["ename"], found["evalue"], found["traceback"]) == expected
