"""What ``%rtu_exec`` can do besides running: keep outputs, stop in time, go on, be quiet."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import pytest

import rtu_magics
from rtu_magics.errors import RemoteCellError, RunTimeout
from rtu_magics.ipython.show.result import RunResult
from rtu_magics.models import Output, OutputContent, utcnow
from rtu_magics.session import sessions
from rtu_magics.session.events import (
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)

from .shells import Shell

RUN = uuid4()


def output(kind: str, raw: str | None = None, **more: object) -> Output:
    text = OutputContent(mimetype="text/plain")
    fields: dict[str, object] = {
        "id": uuid4(),
        "created_at": utcnow(),
        "updated_at": utcnow(),
        "type": kind,
        "content_metadata": text,
        "content": None if raw is None else text.model_copy(update={"raw": raw}),
        "parent_collection_id": uuid4(),
        "execution_id": RUN,
    }
    return Output.model_validate({**fields, **more})


# ---------------------------------------------------------------------- the result alone


def test_result_of_nothing() -> None:
    result = RunResult()
    assert (result.text, result.data, result.error, result.outputs) == ("", {}, None, [])
    assert repr(result) == "<RunResult of 0 outputs>"
    assert result._repr_mimebundle_() == {"text/plain": "<RunResult of 0 outputs>"}


def test_result_collects() -> None:
    result = RunResult(lambda links: {"image/png": f"from {links['image/png']}"})
    stream = output("stream", "a")
    result.take(OutputAppended(stream))
    for text in ("b", "c"):
        result.take(OutputContinued(output("stream", text, id=stream.id, continues=True)))
    shown = output("display_data", data={"text/plain": "1"}, links={"image/png": "link"})
    result.take(OutputAppended(shown))
    result.take(OutputAppended(output("error", ename="E", evalue="v")))
    assert result.text == "abc\n1\n"
    assert result.data == {"text/plain": "1", "image/png": "from link"}
    assert [o.type for o in result.outputs] == ["stream", "display_data", "error"]
    result.take(OutputsUpdated((shown.id,), {"text/plain": "2"}, {}))
    assert result.data == {"text/plain": "2"}
    assert result._repr_mimebundle_(include=None) == {"text/plain": "abc\n2\n"}
    # Another cell of the run clears what is its own.
    result.take(OutputsCleared(shown.parent_collection_id, ()))
    assert [o.type for o in result.outputs] == ["stream", "error"]


def test_result_of_a_long_stream_is_linear() -> None:
    result = RunResult()
    first = output("stream", "")
    result.take(OutputAppended(first))
    piece = OutputContinued(output("stream", "x" * 100, id=first.id, continues=True))
    began = time.process_time()
    for _ in range(20_000):
        result.take(piece)
    assert len(result.text) == 2_000_000
    assert time.process_time() - began < 2


# ---------------------------------------------------------------------- through the magic

needs_kernel = [pytest.mark.kernel, pytest.mark.server]


class TestThroughTheMagic:
    pytestmark = needs_kernel

    def test_output_name(self, lab: Shell) -> None:
        lab.ok("%%rtu_exec\nx = 1")
        text = lab.ok(
            "%%rtu_exec -o kept\nimport sys\nprint('out')\nsys.stderr.write('err\\n')\n6 * 7"
        )
        assert text == ""
        kept = lab.ip.user_ns["kept"]
        assert sorted(kept.text.splitlines()) == ["42", "err", "out"]
        assert kept.data == {"text/plain": "42"}
        assert kept.error is None

    def test_output_name_of_a_failure(self, lab: Shell) -> None:
        ran = lab.run("%%rtu_exec -o kept\nprint('before')\n1 / 0")
        assert isinstance(ran.error, RemoteCellError)
        assert "ZeroDivisionError" in ran.err
        kept = lab.ip.user_ns["kept"]
        assert kept.error is ran.error
        assert kept.text == "before\n"
        assert (
            repr(kept)
            == "<RunResult of 2 outputs, failed with ZeroDivisionError: division by zero>"
        )

    def test_a_failure_that_says_nothing_but_its_name(self, lab: Shell) -> None:
        ran = lab.run("%%rtu_exec -o kept\nraise ValueError")
        assert str(ran.error).endswith(" raised ValueError")
        assert repr(lab.ip.user_ns["kept"]) == "<RunResult of 1 output, failed with ValueError>"

    def test_assigned(self, lab: Shell) -> None:
        lab.ok("%%rtu_exec\n'seen'")
        assert lab.ok("got = %rtu_exec 1") == ""
        assert lab.ip.user_ns["got"].data == {"text/plain": "'seen'"}
        assert lab.ok("for n in (1, -1):\n    got = %rtu_exec {n}") == ""
        assert lab.ip.user_ns["got"].text == "'seen'\n"

    def test_not_assigned_is_shown_once(self, lab: Shell) -> None:
        lab.ok("%%rtu_exec\nprint('shown')")
        assert lab.ok("%rtu_exec 1") == "shown\n"
        assert lab.ok("y = 1\n%rtu_exec 1") == "shown\n"

    def test_timeout_interrupts(self, lab: Shell) -> None:
        lab.ok("%%rtu_exec\nimport time")
        ran = lab.run("%%rtu_exec --timeout 0.5\nprint('begun', flush=True)\ntime.sleep(60)")
        assert isinstance(ran.error, RunTimeout)
        assert ran.line == (
            "RunTimeout: the run took longer than --timeout allows; the remote cell was interrupted"
        )
        assert "begun" in ran.out
        assert lab.ok("%%rtu_exec --timeout 20\nprint('usable')") == "usable\n"

    def test_timeout_counts_for_all_cells_together(self, lab: Shell) -> None:
        lab.ok("%%rtu_exec\nimport time")
        lab.ok("%%rtu_add\ntime.sleep(1); print('slept')")
        ran = lab.run("%rtu_exec 2 2 2 2 2 2 --timeout 2.4")
        assert isinstance(ran.error, RunTimeout)
        assert 1 <= ran.out.count("slept") <= 2

    def test_timeout_leaves_the_cell_of_somebody_else_alone(self, lab: Shell) -> None:
        lab.ok("%%rtu_exec\nimport time")
        with rtu_magics.connect("lab.ipynb", name="other", say=lambda _: None) as other:
            theirs = other.start(other.add("time.sleep(1.5); print('whole')").id)
            ran = lab.run("%%rtu_exec -s lab --timeout 0.3\nprint('mine')")
            assert ran.line == (
                "RunTimeout: the run took longer than --timeout allows: the remote cell still "
                "waits for its turn, and will run then"
            )
            for _ in theirs:
                pass
            theirs.raise_for_failure()

    def test_keep_going(self, lab: Shell) -> None:
        for source in ("print('one')", "1 / 0", "print('three')", "undefined"):
            session = sessions.get("lab")
            session.add(source)
        for line in ("%rtu_exec 1 2 3 4 --keep-going", "%rtu_exec --all --keep-going"):
            ran = lab.run(line)
            assert "one" in ran.out
            assert "three" in ran.out
            assert re.fullmatch(
                r"RemoteCellError: 2 of 4 cells failed: cell 2 \(\w{8}\) raised "
                r"ZeroDivisionError: division by zero; cell 4 \(\w{8}\) raised NameError: .*",
                ran.line,
            )
        ran = lab.run("%rtu_exec 1 2 3 4")
        assert "three" not in ran.out
        assert "three" not in lab.run("%rtu_exec --all").out

    def test_quiet(self, lab: Shell) -> None:
        assert lab.ok("%%rtu_add -q\nx = 1") == ""
        assert lab.ok("%%rtu_edit 1 -q\nx = 2") == ""
        assert lab.ok("%rtu_type 1 markdown -q") == ""
        assert lab.ok("%rtu_type 1 code -q") == ""
        if sessions.get("lab").kernel_alive:
            assert lab.ok("%rtu_kernel stop -q") == ""
        assert lab.ok("%%rtu_exec -q\nprint('only this')") == "only this\n"
        assert "kernel python3 is" in lab.ok("%rtu_kernel -q")
        assert lab.ok("%rtu_save -q") == ""
        assert lab.ok("%rtu_delete 1 -q") == ""
        assert lab.ok("%rtu_save") == "saved lab.ipynb\n"
        assert lab.line("%rtu_delete 9 -q").startswith("CellNotFound: ")
