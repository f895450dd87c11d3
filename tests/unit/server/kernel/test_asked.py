"""One request with those who wait for it, without a kernel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtu_magics.models import EndReason
from rtu_magics.server.kernel.asked import AskedRequest

DONE = {"content": {"status": "ok", "execution_count": 1}}


def run_of() -> AskedRequest:
    return AskedRequest("m", lambda message: None)


def end(run: AskedRequest) -> None:
    run.replied(DONE)
    run.status("idle")


class Kernel:
    """What was done to it, and what an interrupt does there."""

    def __init__(self, run: AskedRequest, *, heeds: bool) -> None:
        self.run, self.heeds = run, heeds
        self.done: list[str] = []

    async def interrupt(self) -> None:
        self.done.append("interrupt")
        await asyncio.sleep(0.01)  # a gateway takes its time
        if self.heeds:
            end(self.run)

    def answer(self, value: str) -> None:
        self.done.append(f"answer {value!r}")


@pytest.mark.parametrize(
    ("ended", "heeds", "done"),
    [
        (True, False, []),
        (False, True, ["interrupt"]),
        (False, False, ["interrupt", "answer ''"]),
    ],
)
async def test_a_question_is_ended_as_long_as_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, ended: bool, heeds: bool, done: list[str]
) -> None:
    monkeypatch.setattr("rtu_magics.server.kernel.asked._QUESTION_TIME", 0.05)
    run = run_of()
    run.asked_nobody()
    if ended:
        end(run)
    kernel = Kernel(run, heeds=heeds)
    await run.end_question(kernel.interrupt, kernel.answer)
    assert kernel.done == done


@pytest.mark.parametrize("before", [None, "ok", "aborted"])
async def test_that_its_kernel_is_lost_is_known_whenever_it_ended(before: Any) -> None:
    run = run_of()
    if before is not None:
        run.replied({"content": {"status": before}})
        run.status("idle")
    assert run.kernel_lost is None
    run.lose("the kernel was restarted", EndReason.RESTARTED)
    run.lose("the connection was closed", EndReason.NO_ANSWER)
    assert run.kernel_lost is not None
    assert run.kernel_lost.reason == EndReason.RESTARTED
    reply = await run.reply()
    assert reply.status == (before or "failed")


async def test_what_has_not_ended_in_time_goes_on() -> None:
    run = run_of()
    assert not await run.ends_within(0.01)
    assert not run.ended
    end(run)
    assert await run.ends_within(0.01)
