"""Real kernels of other languages, through the same programs each."""

from __future__ import annotations

import time

import httpx
import pytest

from rtu_magics import models as m
from rtu_magics.errors import KernelDied, RemoteCellError
from rtu_magics.models import EndReason
from rtu_magics.session import CellStarted, Execution
from rtu_magics.session.events import PayloadReceived

from .conftest import Ran, Remote

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]

OK, FAILED = "finished_with_no_error", "finished_with_error"


def until_begun(execution: Execution) -> None:
    """Wait until a run's first cell is at work, with a moment for the kernel to get into it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if isinstance(execution.next(), CellStarted):
            time.sleep(1.0)
            return
    raise AssertionError("it does not begin")


def test_output(remote: Remote) -> None:
    remote.works()


def test_an_error_ends_its_request_and_no_more(remote: Remote) -> None:
    language = remote.language
    if not language.fails:
        pytest.skip(f"{language.name} says ok to everything")
    ran = remote.run(language.fails, language.prints)
    assert ran.states == [FAILED, FAILED]
    assert ran.reasons == [EndReason.ERROR, EndReason.EARLIER_FAILED]
    assert ran.causes[0]
    assert not ran.causes[0].endswith(": ")
    assert ran.texts[1] == ""
    with pytest.raises(RemoteCellError) as raised:
        ran.execution.raise_for_failure()
    assert language.told in str(raised.value)
    assert "<class" not in str(raised.value)
    assert raised.value.ename == language.ename
    assert raised.value.evalue
    assert not raised.value.evalue.startswith(f"{language.ename}: ") or not language.ename
    remote.works()  # at once: some refuse everything for a moment after a failure


def test_a_failing_cell_in_the_background(remote: Remote) -> None:
    language = remote.language
    if not language.fails:
        pytest.skip(f"{language.name} says ok to everything")
    ran = remote.follow(remote.start(language.prints, language.fails, background=True))
    assert ran.states == [OK, FAILED]
    assert remote.printed(ran, 0)
    with pytest.raises(RemoteCellError) as raised:
        ran.execution.raise_for_failure()
    assert language.told in str(raised.value)


def test_an_error_that_a_tag_allows(remote: Remote) -> None:
    language = remote.language
    if not language.fails:
        pytest.skip(f"{language.name} says ok to everything")
    session = remote.session
    first = session.add(language.fails)
    tag(remote, first.id)
    session.add(language.prints)
    ran = remote.follow(session.start(after=first.id))
    assert ran.states == [FAILED, OK]
    assert ran.reasons == [EndReason.EXPECTED_ERROR, None]
    assert remote.printed(ran, 1)
    assert "raises-exception" in str(ran.causes[0])
    ran.execution.raise_for_failure()
    assert ran.execution.state == "ok"


def tag(remote: Remote, cell_id: str) -> None:
    client = remote.session.client
    properties = m.CellMetadataUpdateProperties(path=["tags"], value=["raises-exception"])
    delta = m.CellMetadataUpdate(file_id=client.file_id, resource_id=cell_id, properties=properties)
    remote.session.call(client.new_delta_request(delta))


def test_an_interrupt_ends_the_request(remote: Remote) -> None:
    language = remote.language
    if language.interrupt == "deaf":
        pytest.skip(f"{language.name} heeds an interrupt after minutes, if at all")
    execution = remote.start(language.runs_long, language.prints, language.prints)
    until_begun(execution)
    remote.session.kernel_interrupt()
    ran = remote.follow(execution)
    assert ran.states == [FAILED, FAILED, FAILED]
    assert ran.texts[1:] == ["", ""]
    if language.interrupt == "kills":
        assert ran.reasons == [EndReason.KERNEL_GONE, *[EndReason.INTERRUPTED] * 2]
        with pytest.raises(KernelDied, match="its variables are gone"):
            execution.raise_for_failure()
    else:
        assert ran.reasons == [EndReason.INTERRUPTED] * 3
        with pytest.raises(RemoteCellError) as raised:
            execution.raise_for_failure()
        assert "nterrupt" in str(raised.value)
    remote.works()


def test_what_others_queued_runs_after_an_interrupt(remote: Remote) -> None:
    language = remote.language
    if language.interrupt != "stops":
        pytest.skip(f"nothing runs on {language.name} after an interrupt")
    execution = remote.start(language.runs_long)
    until_begun(execution)
    other = remote.start(language.prints)
    remote.session.kernel_interrupt(None)
    assert remote.follow(execution).reasons == [EndReason.INTERRUPTED]
    ran = remote.follow(other)
    assert ran.states == [OK], ran.causes
    assert remote.printed(ran, 0)


def test_a_question_with_somebody_to_answer(remote: Remote) -> None:
    language = remote.language
    if language.asks is None:
        pytest.skip(f"{language.name} asks nothing")
    ran = remote.run(language.asks, answer="seven")
    assert ran.states == [OK], ran.causes
    assert "got seven" in ran.texts[0]


def test_a_question_that_nobody_can_answer(remote: Remote) -> None:
    language = remote.language
    if language.asks is None:
        pytest.skip(f"{language.name} asks nothing")
    ran = remote.follow(remote.start(language.asks, language.prints, background=True))
    assert ran.states == [FAILED, FAILED]
    assert ran.reasons == [language.alone, EndReason.EARLIER_FAILED]
    with pytest.raises(RemoteCellError) as raised:
        ran.execution.raise_for_failure()
    if language.alone == EndReason.STDIN:
        assert "asked for input, and there is nobody to answer" in str(raised.value)
    remote.works()


def test_code_without_its_end(remote: Remote) -> None:
    language = remote.language
    if language.incomplete is None:
        pytest.skip(f"{language.name} replies to incomplete code as to any other")
    ran = remote.run(language.incomplete, language.prints)
    assert ran.reasons == [EndReason.NO_ANSWER, EndReason.EARLIER_FAILED]
    with pytest.raises(RemoteCellError, match="does not say how the cell ended"):
        ran.execution.raise_for_failure()
    remote.works()


def test_the_kernel_is_killed(remote: Remote) -> None:
    language, session = remote.language, remote.session
    execution = remote.start(language.runs_long, language.prints)
    until_begun(execution)
    remote.process().kill()
    ran = remote.follow(execution)
    assert ran.reasons == [EndReason.KERNEL_GONE] * 2
    with pytest.raises(KernelDied, match="SIGKILL"):
        execution.raise_for_failure()
    if language.before is not None:
        remote.run(language.before)
    remote.works()
    # Jupyter's own front ends see that it is there again, although nobody of them has asked.
    kernel_id = session.call(session.kernel.kernel_id(session.kernel_status().session_id))
    url = f"{remote.server.url}api/kernels/{kernel_id}"
    until = time.monotonic() + 30
    while (
        state := httpx.get(
            url, headers={"Authorization": f"token {remote.server.token}"}, trust_env=False
        ).json()["execution_state"]
    ) == "starting":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert state in ("idle", "busy")


# What shows help, and what stands in it: on a page, or as a text in some kernels.
HELP = {
    "python3": ("len?", "number of items"),
    "ir": ("?mean", "Arithmetic Mean"),
    "octave": ("help sin", "sine"),
}


def test_help(remote: Remote) -> None:
    if remote.language.name not in HELP:
        pytest.skip(f"nothing is known of the help of {remote.language.name}")
    source, said = HELP[remote.language.name]
    execution = remote.start(source)
    ran, pages = Ran(execution), []
    for event in execution:
        ran.take(event)
        if isinstance(event, PayloadReceived):
            pages += [page["data"]["text/plain"] for page in event.payload if page["data"]]
    assert ran.states == [OK], ran.causes
    shown = "".join(pages) + "".join(ran.texts)
    assert said in shown.replace("_\b", ""), shown[:500]
    remote.works()
