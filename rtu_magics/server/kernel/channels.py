"""The wire to one running kernel: readiness, status, and one execution at a time.

Only what every asynchronous kernel client of Jupyter offers is used; a kernel behind a gateway
has one of ours (`gateway`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from jupyter_core.utils import ensure_async

from ...models import EndReason
from .asked import AskedRequest, OnMessage, OnQuestion
from .client import ask, client_of, open_stdin
from .death import BEHIND_GATEWAY, cause_of_death, has_process
from .expressions import EXPRESSION, value_in
from .gateway import ChannelsClient, behind_gateway, why_unreachable
from .messages import getter, receive
from .request import KernelTraits
from .router import OutputRouter

__all__ = ["KernelLink"]

logger = logging.getLogger(__name__)

_STDIN_TIME = 0.5  # seconds; an idle kernel answers in a few milliseconds
_ASK_STATE = 20  # times that a kernel is asked something so that Jupyter sees it answer
_BEGIN_TIME = 2.0  # seconds that a kernel gets to begin with a cell before it is interrupted
_ASK_AGAIN = 5.0  # seconds that a kernel which starts gets to answer
_ASK_AFTER = 2.0  # seconds of a run until it is asked whether the kernel is at it still
_ALIVE_LOCAL = 0.5
_ALIVE_REMOTE = 5.0

_OUTPUT_FIRST = 0.02  # seconds; what was printed before a question travels on another channel


class KernelLink:
    """A connection to one kernel.

    Parameters
    ----------
    manager
        Jupyter's manager of the kernel.
    on_status
        Called with ``busy`` or ``idle`` when anybody's execution begins or ends there.
    on_ready
        Called once the kernel answers and its output arrives.
    on_dead
        Called once, with the reason, when its process is found dead.
    on_unanswerable
        Called with what asks for input that nobody can give.
    on_started_again
        Called once when its gateway says that it died and is started again; `lost` says so, too.
    """

    def __init__(
        self,
        manager: Any,
        *,
        on_status: Callable[[str], None],
        on_ready: Callable[[], None],
        on_dead: Callable[[str], None],
        on_unanswerable: Callable[[AskedRequest], object],
        on_started_again: Callable[[], None],
    ) -> None:
        self._manager = manager
        self._on_status = on_status
        self._on_ready = on_ready
        self._on_dead = on_dead
        self._on_unanswerable = on_unanswerable
        self._on_started_again = on_started_again
        self._client: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()
        self._answered = asyncio.Event()
        self._awaited: str | None = None  # the question whose answer counts, None for any
        self._ready = asyncio.Event()
        self._run: AskedRequest | None = None
        self._outputs = OutputRouter()
        self._later: tuple[str, AskedRequest] | None = None
        self._question: Mapping[str, Any] = {}  # the header of what it asked last
        self._traits = KernelTraits()
        self._evaluations: dict[str, asyncio.Future[str | None]] = {}
        # Those of ours that are nobody's business: the kernel is busy with them for a moment.
        self._quiet: deque[str] = deque(maxlen=32)
        self._closed = False
        self._asks_left = 0 if behind_gateway(manager) else _ASK_STATE
        self._lost: str | None = None
        self._lost_reason: str = EndReason.KERNEL_GONE

    @property
    def ready(self) -> bool:
        """Whether the kernel takes executions."""
        return self._ready.is_set() and self._lost is None and not self._closed

    @property
    def lost(self) -> str | None:
        """Why the kernel is gone, None if it is there."""
        return self._lost

    def start(self) -> None:
        """Connect, in the background."""
        self._tasks.append(asyncio.create_task(self._connect(), name="rtu-kernel-connect"))

    def start_run(
        self,
        code: str,
        on_message: OnMessage,
        on_question: OnQuestion | None = None,
        *,
        store_history: bool = True,
        is_expression: bool = False,
        place: str = "",
        waiting: Sequence[str] = (),
    ) -> AskedRequest:
        """Ask the kernel to run code; the run before has to have ended.

        Parameters
        ----------
        code
            In the kernel's language.
        on_message
            Called with each iopub message that the execution causes, also after it has ended, see
            `PastRequests`.
        on_question
            Called when the code asks for input; without it such code fails at once.
        store_history
            Whether it counts, and stands in the kernel's history.
        is_expression
            Whether it is an expression to evaluate; its value is not shown.
        place, waiting
            Where it shows what it puts out, see `PastRequests.add`; the kernels that wait for it.
        """
        if not self.ready:
            return AskedRequest.lost(self._lost or "the kernel is not running", self._lost_reason)
        message_id = ask(
            self._client,
            "" if is_expression else code,
            waiting,
            user_expressions={EXPRESSION: code} if is_expression else {},
            store_history=store_history,
            allow_stdin=on_question is not None,
            stop_on_error=False,
        )
        self._run = AskedRequest(message_id, on_message, on_question, self._traits)
        self._outputs.past.add(self._run, place)
        return self._run

    def forget(self, place: str) -> None:
        """Take nothing more of what was asked for last to be shown in a place."""
        self._outputs.past.forget(place)

    def answer(self, value: str) -> None:
        """Answer what the code that runs has asked."""
        if self.ready:
            # Not `input`: some kernels want to know to what it is the answer, and that it is one.
            session, question = self._client.session, self._question
            content = {"status": "ok", "value": value}
            reply = session.msg("input_reply", content, parent={"header": question})
            self._client.stdin_channel.send(reply)

    async def evaluate(self, expression: str, timeout: float) -> str | None:
        """Return the value of an expression as text, without a trace in the kernel.

        None when it fails, or takes longer than `timeout` seconds; only for an idle kernel.
        """
        if not self.ready:
            return None
        message_id = self._client.execute(
            "",
            silent=True,
            store_history=False,
            user_expressions={EXPRESSION: expression},
            allow_stdin=False,
            stop_on_error=False,
        )
        self._quiet.append(message_id)
        answer = self._evaluations[message_id] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            return None
        finally:
            self._evaluations.pop(message_id, None)

    def lose(self, cause: str, reason: str = EndReason.KERNEL_GONE) -> None:
        """End a running execution: the kernel is gone or about to go."""
        if self._lost is None:
            self._lost, self._lost_reason = cause, reason
        for answer in self._evaluations.values():
            if not answer.done():
                answer.set_result(None)
        if self._run is not None:
            self._run.lose(cause, reason)

    @property
    def executing(self) -> bool:
        """Whether the kernel is at work for us."""
        return self._run is not None and self._run.executing

    async def wait_begun(self) -> AskedRequest | None:
        """Return once the kernel is at what it was asked last, or that if it takes longer."""
        run = self._run
        if run is not None:
            try:
                await asyncio.wait_for(run.begun(), _BEGIN_TIME)
            except (asyncio.TimeoutError, TimeoutError):
                return run
        return None

    def interrupted(self) -> None:
        """Note that an interrupt was sent to the kernel."""
        if self._run is not None:
            self._run.interrupted()

    async def close(self) -> None:
        """Disconnect."""
        if self._closed:
            return
        self._closed = True
        self._outputs.close()
        self.lose("the connection to the kernel was closed", EndReason.NO_ANSWER)
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            self._client.stop_channels()

    async def _connect(self) -> None:
        try:
            if behind_gateway(self._manager):
                self._client = ChannelsClient(self._manager.kernel_id, self._die)
                await self._client.connect()
            else:
                self._client = client_of(self._manager)
                await ensure_async(self._client.start_channels(stdin=False))
            for loop in (self._read_iopub, self._read_shell, self._watch):
                self._begin(loop())
            # The output channel subscribes in its own time: ask until something is heard there. A
            # kernel that somebody else keeps busy takes its time; one that is dead is noticed.
            pause, clock = 0.05, asyncio.get_running_loop().time
            self._client.kernel_info()
            asked = clock()
            while not (self._heard.is_set() and self._answered.is_set()):
                await asyncio.sleep(pause)
                # An interrupt that hits a kernel which only just starts costs it the question.
                lost = not self._answered.is_set() and clock() - asked > _ASK_AGAIN
                if lost or (self._answered.is_set() and not self._heard.is_set()):
                    self._client.kernel_info()
                    asked, pause = clock(), 0.1
            await self._open_stdin()
        except Exception as exc:
            logger.exception("cannot connect to the kernel")
            remote = behind_gateway(self._manager)
            self._die(why_unreachable(exc) if remote else "the kernel cannot be reached")
            return
        if not self._closed and self._lost is None:
            self._ready.set()
            self._on_ready()

    def _begin(self, loop: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(loop, name=f"rtu-kernel-{len(self._tasks)}"))

    async def _open_stdin(self) -> None:
        """Connect to where the kernel asks for input, now that it listens there.

        A connection that came before the kernel listened is only tried again after a while. What
        the kernel answers to in between it has heard after the last word of the handshake.
        """
        await open_stdin(self._client)
        self._client.allow_stdin = True
        self._begin(self._read_stdin())
        self._awaited = self._client.kernel_info()
        self._answered.clear()
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):  # busy: the time has passed
            await asyncio.wait_for(self._answered.wait(), _STDIN_TIME)

    async def _read_iopub(self) -> None:
        get = getter(self._client.iopub_channel, self._client.get_iopub_msg)
        while True:
            message = await receive(get)
            if message is None:
                continue
            self._heard.set()
            parent = message.get("parent_header") or {}
            run = self._run
            mine = run is not None and not run.ended and parent.get("msg_id") == run.message_id
            if message.get("msg_type") == "status":
                state = message["content"].get("execution_state")
                if state in ("restarting", "dead") and behind_gateway(self._manager):
                    self._told_dead(again=state == "restarting")
                elif mine and run is not None:
                    if state == "idle":
                        self._outputs.settle()
                    run.status(state)
                elif parent.get("msg_id") in self._quiet:
                    continue
                elif parent.get("msg_type") == "execute_request" and state in ("busy", "idle"):
                    self._on_status(state)
            else:
                self._outputs.take(message, self._client.session.session)

    async def _read_shell(self) -> None:
        get = getter(self._client.shell_channel, self._client.get_shell_msg)
        while True:
            message = await receive(get)
            if message is None:
                continue
            run, parent = self._run, message.get("parent_header") or {}
            if message.get("msg_type") == "kernel_info_reply":
                # Several may be on their way; that to the last one is waited for at the end.
                if self._awaited is None or parent.get("msg_id") == self._awaited:
                    self._answered.set()
                self._traits.take(message.get("content") or {})
                if self._later is not None and parent.get("msg_id") == self._later[0]:
                    self._later[1].overtaken()
                    self._later = None
                continue
            if run is not None and parent.get("msg_id") == run.message_id:
                try:
                    run.replied(message)
                except Exception:
                    logger.exception("a reply could not be taken")
            answer = self._evaluations.get(parent.get("msg_id", ""))
            if answer is not None and not answer.done():
                answer.set_result(value_in(message))

    async def _read_stdin(self) -> None:
        get = getter(self._client.stdin_channel, self._client.get_stdin_msg)
        while True:
            message = await receive(get)
            if message is None or message.get("msg_type") != "input_request":
                continue
            run, parent = self._run, message.get("parent_header") or {}
            if run is None or parent.get("msg_id") != run.message_id or run.ended:
                continue
            self._question = message["header"]
            if run.on_question is None:
                self._on_unanswerable(run)
                continue
            await asyncio.sleep(_OUTPUT_FIRST)
            if not run.ended:
                content = message.get("content") or {}
                run.on_question(str(content.get("prompt", "")), bool(content.get("password")))

    def _ask_for_jupyter(self) -> None:
        """Ask a kernel that Jupyter takes for a starting one: after a restart it hears it late."""
        if self._asks_left and getattr(self._manager, "execution_state", None) == "starting":
            self._asks_left -= 1
            self._client.kernel_info()

    def _ask_later(self) -> None:
        """Ask the kernel something after a run that takes long.

        It answers when the run has ended, and also if an interrupt has cost it its answer to that.
        Kernels that do several things at once would answer before.
        """
        run = self._run
        if run is None or run.ended or run.seconds < _ASK_AFTER or not self._traits.in_order:
            return
        if self._later is None or self._later[1] is not run:
            self._later = (self._client.kernel_info(), run)

    async def _watch(self) -> None:
        local = getattr(self._manager, "provisioner", None) is not None
        while True:
            await asyncio.sleep(_ALIVE_LOCAL if local else _ALIVE_REMOTE)
            try:
                alive = await ensure_async(self._manager.is_alive())
            except Exception:  # a gateway that cannot be asked just now
                continue
            ended = getattr(self._manager, "shutting_down", False)
            if not alive and not ended and has_process(self._manager):
                self._die(cause_of_death(self._manager))
                return
            if self._ready.is_set():
                self._ask_later()
                self._ask_for_jupyter()

    def _told_dead(self, *, again: bool) -> None:
        """Take the gateway's word that the kernel died."""
        if self._lost is None and not self._closed:
            self.lose(BEHIND_GATEWAY)
            if again:
                self._on_started_again()
            else:
                self._on_dead(BEHIND_GATEWAY)

    def _die(self, reason: str) -> None:
        if self._lost is None and not self._closed:
            self.lose(reason)
            self._on_dead(reason)
