"""The shell around a `Replica`: brings it what happens, and does what it wants done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ..errors import ClientClosed, ConnectionLost, RTUError
from ..models import (
    BaseRTURequest,
    BaseRTUResponse,
    FileDeltaBase,
    FileSubscribeReply,
    FileUnsubscribeRequest,
    NewDeltaEvent,
    NewDeltaReply,
)
from ..protocol import Replica
from ..protocol import effects as fx
from .callbacks import DeltaCallbacks, Lane, in_worker
from .hooks import Application, is_idle, one_line
from .manager import RTUManager
from .notices import ConnectionState, Waiters
from .tasks import SideTasks, guard

__all__ = ["Follower"]

logger = logging.getLogger(__name__)

# What an application may override on the way of a delta, and may make wait.
_DELTA_HOOKS = frozenset(
    {
        "apply_delta",
        "failed_to_squash_delta",
        "post_queue_delta",
        "pre_apply_delta",
        "queue_or_apply_delta",
        "replay_unapplied_deltas",
    }
)


class Follower:
    """Keeps one copy of a notebook in step over a connection.

    Parameters
    ----------
    application
        Whose hooks are called on the way.
    original
        The class whose hooks do what they do by default: one that overrides none of those of a
        delta has its deltas squashed as they arrive, without a turn of the loop.
    replica
        Decides; every effect it wants goes through `act` or `run`.
    give_up
        Ends the client for good.

    Attributes
    ----------
    gate
        Set while deltas are applied as they come.
    ready, idle
        Whoever waits for the notebook, and for the kernel to be idle.
    delta_callbacks
        The registered delta callbacks.
    hooks
        Coroutine functions by message class, in the place of the replica: they bring it what they
        let through.
    timeout_task
        Waits for the answer to the subscription, None when nothing waits.
    """

    def __init__(  # noqa: PLR0917  the parts of one client
        self,
        application: Application,
        original: type,
        replica: Replica[Any, Any],
        manager: RTUManager,
        connection: ConnectionState,
        tasks: SideTasks,
        give_up: Callable[[Exception], None],
    ) -> None:
        self.replica = replica
        self.gate = asyncio.Event()
        self.ready, self.idle = Waiters(), Waiters()
        self.delta_callbacks = DeltaCallbacks()
        self.hooks: dict[type, Callable[[Any], Awaitable[None]]] = {}
        self.timeout_task: asyncio.Task[None] | None = None
        self._application = application
        self._manager = manager
        self._tasks = tasks
        self._subscribed: Lane[FileSubscribeReply] = Lane(self._on_file_subscribe)
        self._timer: asyncio.TimerHandle | None = None
        self._is_original = all(
            getattr(type(application), name) is getattr(original, name) for name in _DELTA_HOOKS
        )
        self._acts: dict[type, Callable[[Any], object]] = {
            fx.Settle: lambda effect: effect.owner.settled(effect.delta),
            fx.Fail: lambda effect: effect.owner.fail(effect.error),
            fx.Finish: lambda effect: _finish(effect.wait, effect.cell),
            fx.Lose: lambda effect: _lose(effect.wait, effect.error),
            fx.Idle: lambda effect: self.idle.wake(effect.error),
            fx.Gate: lambda effect: self.gate.set() if effect.open else self.gate.clear(),
            fx.Timeout: self._time_subscription,
            fx.Submit: lambda effect: self._submit(effect.pending.owner.request),
            fx.Say: lambda effect: connection.say(effect.state, effect.detail),
            fx.NotReady: lambda effect: self.ready.wake(effect.error),
            fx.Live: self._live,
            fx.Wake: self._wake,
            fx.Reload: lambda effect: self._tasks.start(self._reload(effect.at)),
            fx.Resubscribe: lambda effect: self._tasks.start(self._resubscribe()),
            fx.GiveUp: lambda effect: give_up(effect.error),
        }
        self._steps: dict[type, Callable[[Any], Awaitable[None]]] = {
            fx.Send: lambda effect: manager.send_now(effect.request),
            fx.Subscribe: lambda effect: application.send_file_subscribe(),
            fx.Queued: self._queued,
            fx.Replay: lambda effect: application.replay_unapplied_deltas(),
            fx.CatchUp: lambda effect: self.replay(),
            fx.Follow: lambda effect: self.run(replica.followed(_now())),
            fx.SquashFailed: lambda effect: guard(
                application.failed_to_squash_delta(effect.delta, effect.error)
            ),
        }

    # Effects

    def act(self, effects: fx.Effects) -> None:
        """Carry out effects that take no time."""
        for effect in effects:
            self._acts[type(effect)](effect)

    async def run(self, effects: fx.Effects) -> None:
        """Carry out effects, some of which may wait."""
        for effect in effects:
            act = self._acts.get(type(effect))
            if act is not None:
                act(effect)
            else:
                await self._steps[type(effect)](effect)

    def _time_subscription(self, effect: fx.Timeout) -> None:
        task, self.timeout_task = self.timeout_task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if effect.on:
            self.timeout_task = self._tasks.start(self._wait_for_answer())

    async def _wait_for_answer(self) -> None:
        try:
            await self._application.on_file_subscribe_timeout()
        except Exception as exc:
            self.act(self.replica.contact.not_ready(exc))

    def _live(self, effect: fx.Live) -> None:
        self.ready.wake()
        # Beside the reader: an application may well edit the notebook as soon as it is there.
        self._subscribed.call(effect.reply)

    async def _on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        await self._application.on_file_subscribe(msg)

    def _wake(self, effect: fx.Wake) -> None:
        if self._timer is not None:
            if self._timer.when() <= effect.at:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(effect.at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.act(self.replica.tick(_now()))

    async def _reload(self, at: float) -> None:
        await asyncio.sleep(at - _now())
        hook = self._application.reload_hook
        try:
            if hook is None:
                raise RTUError("there is no way to load it any more")
            version_id, builder = await hook()
        except Exception as exc:
            logger.warning("loading notebook %s anew failed: %s", self.replica.file_id, exc)
            self.act(self.replica.reload_failed(exc, _now()))
        else:
            self.act(self.replica.reloaded(version_id, builder))

    async def _resubscribe(self) -> None:
        if not self._manager.slot.is_authenticated:
            return  # the next connection will
        try:
            await self._manager.send_now(FileUnsubscribeRequest(channel=self.replica.channel))
            await self._application.send_file_subscribe()
        except ConnectionLost:
            pass

    # Messages

    def check_open(self) -> None:
        """Raise why the client has ended, if it has."""
        error = self.replica.error
        if isinstance(error, ClientClosed):
            raise ClientClosed("this client was shut down: connect again")
        if error is not None:
            raise error

    def send(self, msg: BaseRTURequest) -> None:
        """Send a request once the connection is authenticated, a delta once the notebook is there.

        Raises
        ------
        RTUError
            The client was shut down, or has given up for the reason given.
        """
        self.check_open()
        pending = self.replica.requests.by_transaction(msg.transaction_id)
        if pending is None:
            self._manager.send(msg)
        elif self.replica.submit(pending):
            self._submit(msg)

    def _submit(self, msg: BaseRTURequest) -> None:
        # Bound to this connection: on the next one it goes out again, once, after catching up.
        self._manager.send(msg, only_on=self._manager.slot)

    def unsent(self, msg: BaseRTURequest, exc: Exception) -> None:
        """Hear of a request that cannot be serialised."""
        pending = self.replica.requests.by_transaction(msg.transaction_id)
        if pending is None:
            logger.error("a %s could not be sent: %s", msg.event, one_line(exc))
        else:
            error = RTUError(f"the change cannot be written as JSON: {one_line(exc)}")
            self.act(self.replica.requests.failed(pending, error))

    def handles_directly(self, msg: BaseRTUResponse) -> bool:
        """Return whether nothing that `receive` does with a message waits."""
        kind = type(msg)
        if kind is NewDeltaReply:
            return True
        if kind is not NewDeltaEvent or self.replica.order.applying:
            return False
        # None of the application's hooks has anything to do, and nobody else waits for this delta.
        own = self.delta_callbacks.for_id(msg.data.id)
        return (own is None or own.at_once) and self._is_plain()

    def _is_plain(self) -> bool:
        return self._is_original and _DELTA_HOOKS.isdisjoint(vars(self._application))

    async def receive(self, msg: BaseRTUResponse) -> None:
        """Take a message of the server."""
        hook = self.hooks.get(type(msg))
        if hook is not None:
            if msg.channel in self.replica.channels:
                await hook(msg)
            return
        effects = self.replica.receive(msg, _now())
        if effects is fx.OFFER:
            if self._is_plain():
                await self.queue_or_apply(msg.data)
            else:
                await self._application.queue_or_apply_delta(msg.data)
        elif effects:
            await self.run(effects)

    def tell(self, msg: BaseRTUResponse) -> None:
        """Have the state of kernel, cells and people changed by a message."""
        self.act(self.replica.state.told(msg, self.replica.builder))

    # The chain

    async def queue_or_apply(self, delta: FileDeltaBase) -> None:
        """Squash a delta if it is the chain's next, and all that then can be; else let it wait."""
        effects = self.replica.queue(delta, _now())
        if effects is fx.REPLAY and self._is_plain():
            await self.replay()
        elif effects:
            await self.run(effects)

    async def _queued(self, effect: fx.Queued) -> None:
        hook = self._application.post_queue_delta
        if not is_idle(hook):
            await guard(hook(effect.delta))

    async def replay(self) -> None:
        """Squash everything that has become applicable."""
        replica, order = self.replica, self.replica.order
        if order.applying:
            return  # whoever is at it goes on until nothing is left
        order.applying = True
        apply = self.apply if self._is_plain() else self._application.apply_delta
        try:
            while (delta := replica.next_delta()) is not None:
                await apply(delta)
        finally:
            order.applying = False
        if replica.catching_up:
            await self.run(replica.caught_up(_now()))

    async def apply(self, delta: FileDeltaBase) -> None:
        """Squash one delta, with the hook before it and the callbacks after it.

        Called by the application itself, it returns when the callbacks have run. Within the client
        they run beside the reader.
        """
        replica, hook = self.replica, self._application.pre_apply_delta
        if not is_idle(hook):
            builder = replica.builder
            await guard(hook(delta))
            if builder is not replica.builder:
                return  # the notebook was loaded anew while the hook ran
        effects = replica.squash(delta, _now())
        if effects:
            await self.run(effects)
            if type(effects[0]) is fx.SquashFailed:
                return
        own = self.delta_callbacks.for_id(delta.id)
        if own is not None:
            await own.fn(delta)  # type: ignore[misc]
        running = self.delta_callbacks.dispatch(delta)
        if running and not in_worker.get():
            await asyncio.wait(running)

    # The end

    def close(self, error: RTUError) -> None:
        """End everything that waits."""
        self.act(self.replica.close(error))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def lanes(self) -> Iterator[Lane[Any]]:
        """Iterate over whatever runs callbacks."""
        yield self._subscribed
        for callback in self.delta_callbacks:
            yield callback.lane


def _now() -> float:
    return asyncio.get_running_loop().time()


def _finish(future: asyncio.Future[Any], cell: Any) -> None:
    if not future.done():
        future.set_result(cell)


def _lose(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody has to be waiting for every cell of a run
