"""`RTUManager` by itself."""

import asyncio

import pytest

from rtu_magics.client import RTUManager
from rtu_magics.errors import ClientClosed, ConnectionLost
from rtu_magics.models import BaseRTUResponse, NewDeltaEvent, PingRequest, PingResponse
from rtu_magics.protocol import Backoff
from rtu_magics.transport.memory import MemoryNetwork


async def pong(connection):
    while True:
        request = PingRequest.model_validate_json(await connection.recv())
        reply = PingResponse(transaction_id=request.transaction_id)
        await connection.send(reply.model_dump_json())


@pytest.fixture
async def network():
    async with MemoryNetwork(pong) as found:
        yield found


@pytest.fixture
async def manager(network):
    made = RTUManager(
        "ws://server.test", connect=network.connect, backoff=Backoff(first=0.005, cap=0.02)
    )
    yield made
    await made.shutdown(now=True)


async def test_without_an_auth_hook_messages_flow_at_once(manager, until):
    seen = []
    manager.register_callback(seen.append)
    await manager.initialize()
    ping = PingRequest()
    manager.send(ping)
    await until(lambda: seen)
    assert seen[0].transaction_id == ping.transaction_id


async def test_hooks_run_in_order_with_the_manager(manager, network, until):
    seen = []

    def hook(name):
        async def run(*args):
            seen.append((name, args))

        return run

    manager.init_hook = hook("init")
    manager.connect_hook = hook("connect")
    manager.disconnect_hook = hook("disconnect")

    async def auth(given):
        await hook("auth")(given)
        assert not given.authed_ws.done()
        given.authed_ws.set_result(given.unauth_ws.result())

    manager.auth_hook = auth
    await manager.initialize()
    await asyncio.wait_for(manager.authed_ws, 2)
    network.drop()
    await until(lambda: len(seen) == 6)
    assert [name for name, _ in seen] == [
        "init",
        "connect",
        "auth",
        "disconnect",
        "connect",
        "auth",
    ]
    assert all(args == (manager,) for _, args in seen)
    assert manager.reconnections == 1


async def test_the_context_hook_runs_without_arguments(manager, until):
    calls = []

    async def context():
        calls.append(1)

    manager.context_hook = context
    await manager.initialize()
    manager.send(PingRequest())
    await until(lambda: len(calls) == 2)  # once for what goes out, once for what comes in


async def test_each_connection_has_its_own_futures(manager, network, until):
    await manager.initialize()
    first = await asyncio.wait_for(manager.authed_ws, 2)
    network.drop()
    await until(lambda: len(network.connections) == 2)
    second = await asyncio.wait_for(manager.authed_ws, 2)
    assert first is not second


async def test_a_timeout_does_not_cancel_the_future_for_the_others(manager, network):
    async def never(given):
        await asyncio.sleep(0)

    manager.auth_hook = never
    await manager.initialize()
    other = asyncio.ensure_future(manager.authed_ws)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(manager.authed_ws, 0.02)
    assert not other.done()
    manager.authed_ws.set_result(manager.unauth_ws.result())
    await asyncio.wait_for(other, 2)
    assert manager.authed_ws.done()


async def test_a_connection_that_ends_early_ends_its_futures(manager, network):
    async def never(given):
        await asyncio.sleep(0)

    manager.auth_hook = never
    await manager.initialize()
    waiting = manager.authed_ws
    await asyncio.wait_for(manager.unauth_ws, 2)
    network.drop()
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(waiting, 2)


async def test_a_failing_hook_costs_the_connection_and_not_the_manager(manager, network, until):
    calls = []

    async def connect(given):
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("mine")

    manager.connect_hook = connect
    await manager.initialize()
    await until(lambda: len(calls) == 3)
    await asyncio.wait_for(manager.authed_ws, 2)


async def test_a_failing_disconnect_hook_does_not_end_it(manager, network, until):
    async def leave(given):
        raise RuntimeError("mine")

    manager.disconnect_hook = leave
    await manager.initialize()
    await asyncio.wait_for(manager.authed_ws, 2)
    network.drop()
    await until(lambda: len(network.connections) == 2)


async def test_a_transport_that_raises_anything_is_tried_again(manager, network, until):
    calls = []

    async def connect(url):
        calls.append(url)
        if len(calls) < 3:
            raise RuntimeError("a bug in a transport")
        return await network.connect(url)

    manager._connect = connect
    failures = []
    manager.failure_hook = failures.append
    await manager.initialize()
    await until(lambda: len(calls) == 3)
    assert "no connection to ws://server.test" in str(failures[0])


async def test_exceptions_of_workers_are_heard_of(manager, until):
    heard = []

    async def on_exception(exc):
        heard.append(exc)

    async def receive(message):
        raise RuntimeError("mine")

    manager.on_exception = on_exception
    manager.receive_hook = receive
    await manager.initialize()
    manager.send(PingRequest())
    await until(lambda: heard)
    manager.send(PingRequest())
    await until(lambda: len(heard) == 2)  # the worker lives


async def test_a_message_that_cannot_be_serialised_does_not_end_the_worker(manager, until):
    seen = []
    manager.register_callback(seen.append)
    await manager.initialize()
    manager.send(PingRequest(data={"x": object()}))
    manager.send(PingRequest())
    await until(lambda: seen)


class TestInboundMessageHook:
    def test_a_known_event_becomes_its_class(self):
        manager = RTUManager("ws://x")
        message = manager.inbound_message_hook(PingResponse().model_dump_json())
        assert type(message) is PingResponse

    @pytest.mark.parametrize("raw", ["", "nonsense", "[]", "{}", b"\xff\xfe", '{"event": 3}'])
    def test_nonsense_never_raises(self, raw):
        message = RTUManager("ws://x").inbound_message_hook(raw)
        assert type(message) is BaseRTUResponse
        assert message.event == "unreadable"

    def test_data_that_do_not_fit_degrade_and_are_said_once(self, caplog):
        manager = RTUManager("ws://x")
        event = NewDeltaEvent.model_fields["event"].default
        raw = BaseRTUResponse(channel="files/x", event=event, data={"no": "delta"})
        for _ in range(3):
            message = manager.inbound_message_hook(raw.model_dump_json())
            assert type(message) is BaseRTUResponse
            assert message.data == {"no": "delta"}
        assert caplog.text.count("do not fit it") == 1

    def test_unknown_events_degrade_and_are_said_once_each(self, caplog):
        manager = RTUManager("ws://x")
        for event in ("new_in_2030", "new_in_2031", "new_in_2030"):
            raw = BaseRTUResponse(channel="files/x", event=event).model_dump_json()
            assert manager.inbound_message_hook(raw).event == event
        assert caplog.text.count("unknown event") == 2


async def test_bounded_queues_and_several_workers(network, until):
    manager = RTUManager("ws://x", connect=network.connect)
    seen = []
    manager.register_callback(seen.append)
    await manager.initialize(queue_size=8, inbound_workers=3, outbound_workers=2, poll_workers=2)
    await manager.initialize()  # again changes nothing
    for _ in range(40):
        while manager.outbox.queue.full():
            await asyncio.sleep(0.001)
        manager.send(PingRequest())
    await until(lambda: len(seen) == 40)
    await manager.shutdown()


async def test_after_the_shutdown(manager):
    await manager.initialize()
    waiting = manager.authed_ws
    await manager.shutdown(now=True)
    await manager.shutdown()
    with pytest.raises(ClientClosed):
        manager.send(PingRequest())
    with pytest.raises(ClientClosed):
        await manager.initialize()
    with pytest.raises(ClientClosed):
        await waiting


async def test_shutting_down_while_it_waits_to_try_again(network):
    network.refuse = 1_000
    manager = RTUManager("ws://x", connect=network.connect, backoff=Backoff(first=60, cap=60))
    await manager.initialize()
    await asyncio.sleep(0.01)
    await asyncio.wait_for(manager.shutdown(), 1)


async def test_send_now_needs_a_connection(manager):
    with pytest.raises(ConnectionLost, match="not connected"):
        await manager.send_now(PingRequest())
