"""Connecting: what succeeds, and what whoever waits is told otherwise."""

import asyncio

import pytest

from rtu_magics.client import RTUClient
from rtu_magics.errors import (
    AuthenticationFailed,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    InconsistentState,
    PermissionDenied,
    RTUError,
    SubscribeTimeout,
)
from rtu_magics.models import (
    AuthenticateReply,
    AuthenticateRequest,
    FileSubscribeReply,
    FileSubscribeRequest,
    NewDeltaRequest,
    PingRequest,
    PingResponse,
)


async def ready_error(client, timeout=3):
    await client.initialize()
    with pytest.raises(RTUError) as caught:
        await client.wait_ready(timeout)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_it_connects_authenticates_and_catches_up(world):
    states = []
    client = world.client()
    assert client.kernel_state == "not_started"
    assert client.user_id is None
    assert client.rtu_session_id is None
    client.register_connection_callback(lambda state, detail: states.append(state))
    assert client.connection_state == "connecting"
    await client.initialize()
    await client.wait_ready(3)
    assert client.connection_state == "live"
    assert client.user_id == world.server.user.id
    assert client.rtu_session_id == world.network.connections[0].headers["rtu_session_id"]
    assert client.cell_ids == ["a", "b"]
    assert client.deltas_to_apply_event.is_set()
    assert client.kernel_pod_name == f"kernels/notebook-kernel-{client.file_id.hex[:20]}"
    await client.wait_ready()  # at once, when it is
    await client.shutdown()
    assert states == ["live", "closed"]
    assert client.rtu_session_id is None or client.connection_state == "closed"


async def test_deltas_since_the_version_are_applied(world):
    from .deltas import replace

    for i in range(5):
        await world.server.edit(replace(world.server.file_id, "a", f"edit {i}"))
    client = world.client()
    await client.initialize()
    await client.wait_ready(3)
    assert client.builder.cell("a").source == "edit 4"
    assert client.builder.last_applied_delta_id == world.server.head


async def test_without_deltas_the_head_is_what_the_server_says(world):
    client = await world.ready()
    assert client.builder.last_applied_delta_id == world.server.head


async def test_on_auth_runs_before_the_subscribe_request_goes_out(world):
    seen = []

    class Client(RTUClient):
        async def on_auth(self, msg):
            await asyncio.sleep(0.01)
            kinds = {type(request) for request in world.server.requests}
            seen.append((msg.data.success, FileSubscribeRequest in kinds))

    await world.ready(cls=Client)
    assert seen == [(True, False)]


async def test_what_was_sent_early_goes_out_after_authentication_and_subscription(world):
    client = world.client()
    ping = PingRequest()
    client.send(ping)
    answers = []
    client.register_transaction_id_callback(ping.transaction_id, answers.append)
    await client.initialize()
    await client.wait_ready(3)
    await asyncio.sleep(0.02)
    assert [type(r) for r in world.server.requests] == [
        AuthenticateRequest,
        FileSubscribeRequest,
        PingRequest,
    ]
    assert [type(a) for a in answers] == [PingResponse]


async def test_on_file_subscribe_may_edit_the_notebook(world, until):
    class Client(RTUClient):
        async def on_file_subscribe(self, msg):
            assert isinstance(msg, FileSubscribeReply)
            self.mine = await self.add_cell("from the hook")

    client = await world.ready(cls=Client)
    await until(lambda: hasattr(client, "mine"))
    assert world.server.builder.cell(client.mine.id).source == "from the hook"


@pytest.mark.parametrize("without_user", [False, True])
async def test_a_wrong_token(world, without_user):
    seen = []

    class Client(RTUClient):
        async def on_auth(self, msg):
            seen.append(msg.data.success)

    world.server.auth_fails_without_user = without_user
    client = world.client(token="wrong", cls=Client)
    error = await ready_error(client)
    assert isinstance(error, AuthenticationFailed)
    assert "check the token" in str(error)
    assert seen == [False]
    await asyncio.sleep(0.01)
    assert client.connection_state == "closed"
    with pytest.raises(AuthenticationFailed):
        await client.wait_ready()
    with pytest.raises(AuthenticationFailed):
        await client.add_cell("x")
    assert world.network.attempts == 1  # asking again would not help


async def test_a_notebook_that_is_not_ours(world):
    world.server.deny = "no such file, or not yours"
    error = await ready_error(world.client())
    assert isinstance(error, PermissionDenied)
    assert str(error) == "no such file, or not yours"


async def test_nothing_listens_at_first_and_then_it_does(world):
    world.network.refuse = 3
    client = world.client()
    error = await ready_error(client)
    assert isinstance(error, ConnectFailed)
    assert client.connection_state == "connecting"
    # It goes on trying, so whoever waits again may be luckier.
    for _ in range(4):
        try:
            await client.wait_ready(3)
            break
        except ConnectFailed:
            continue
    assert client.is_live


async def test_a_server_that_accepts_and_closes_at_once_is_not_hit_in_a_tight_loop(world):
    world.network.close_at_once = 1_000_000
    client = world.client()
    error = await ready_error(client)
    assert isinstance(error, ConnectionLost)
    client.manager.backoff.cap = 10
    client.manager.backoff.first = 0.02
    before = world.network.attempts
    await asyncio.sleep(0.3)
    assert world.network.attempts - before <= 5


async def test_no_answer_to_the_subscription(world):
    world.server.ignore = {FileSubscribeRequest}
    client = world.client(file_subscribe_timeout=0.05)
    error = await ready_error(client)
    assert isinstance(error, SubscribeTimeout)
    assert "within 0.05 s" in str(error)
    world.server.ignore = set()
    await client.wait_ready(3)


async def test_an_override_replaces_the_subscribe_timeout_whole(world):
    class Client(RTUClient):
        async def on_file_subscribe_timeout(self):
            raise PermissionDenied("mine")

    world.server.ignore = {FileSubscribeRequest}
    error = await ready_error(world.client(cls=Client, file_subscribe_timeout=60))
    assert str(error) == "mine"


async def test_the_subscribe_timeout_is_cancelled_by_the_reply(world):
    client = await world.ready(file_subscribe_timeout=1)
    assert client.file_subscribe_timeout_task is None
    await asyncio.sleep(1.1)
    assert client.is_live
    assert world.network.attempts == 1


async def test_the_misspelt_attribute_is_an_alias(world):
    client = world.client(file_subscribe_timeout=7)
    assert client.file_subcribe_timeout == 7
    client.file_subcribe_timeout = 8
    assert client.file_subscribe_timeout == 8


async def test_no_answer_to_the_authentication(world):
    world.server.ignore = {AuthenticateRequest}
    client = world.client(file_subscribe_timeout=0.05)
    error = await ready_error(client)
    assert isinstance(error, ConnectFailed)
    assert "is it an RTU server?" in str(error)


async def test_a_server_that_answers_with_nonsense(make_world, caplog):
    world = make_world()

    async def nonsense(connection):
        while True:
            await connection.recv()
            await connection.send("<html>hello</html>")
            await connection.send('{"event": "x"}')
            await connection.send('{"event": 3, "channel": 4}')

    world.network._handler = nonsense
    client = world.client(file_subscribe_timeout=0.1)
    assert isinstance(await ready_error(client), ConnectFailed)
    assert caplog.text.count("not RTU") == 1  # said once


async def test_waiting_has_its_own_timeout(world):
    world.server.ignore = {AuthenticateRequest}
    client = world.client()
    error = await ready_error(client, timeout=0.05)
    assert isinstance(error, SubscribeTimeout)
    assert "not ready within 0.05 s" in str(error)


async def test_shutdown_ends_the_wait(world):
    world.server.ignore = {AuthenticateRequest}
    client = world.client()
    await client.initialize()
    waiting = asyncio.create_task(client.wait_ready())
    await asyncio.sleep(0.01)
    await client.shutdown()
    with pytest.raises(ClientClosed):
        await waiting
    with pytest.raises(ClientClosed):
        await client.wait_ready()
    with pytest.raises(ClientClosed):
        client.send(PingRequest())
    with pytest.raises(ClientClosed):
        await client.initialize()
    await client.shutdown()  # again is fine


async def test_shutdown_leaves_no_task(world):
    before = asyncio.all_tasks()
    client = await world.ready()
    await client.add_cell("x")
    await client.shutdown()
    await world.network.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_orderly_shutdown_sends_what_is_queued(world, until):
    client = await world.ready()
    for _ in range(50):
        client.send(PingRequest())
    await client.shutdown()
    await until(lambda: sum(isinstance(r, PingRequest) for r in world.server.requests) == 50)


async def test_an_inconsistent_state_without_a_way_to_reload(world):
    world.server.inconsistent = 1
    error = await ready_error(world.client())
    assert isinstance(error, InconsistentState)
    assert "connect again" in str(error)


async def test_callbacks_hear_of_the_authentication(world):
    client = world.client()
    seen = []

    async def note(msg):
        seen.append(msg)

    client.register_rtu_event_callback(AuthenticateReply, note)
    await client.initialize()
    await client.wait_ready(3)
    await asyncio.sleep(0)
    assert [type(m) for m in seen] == [AuthenticateReply]


async def test_tokens_and_text_stay_out_of_the_log(world, caplog):
    caplog.set_level("DEBUG")
    client = await world.ready(token=world.server.token)
    await client.add_cell("my secret text")
    await client.shutdown()
    assert NewDeltaRequest.model_fields["event"].default in caplog.text
    assert "nb_cells/add" in caplog.text
    assert "files/" in caplog.text
    assert world.server.token not in caplog.text
    assert "my secret text" not in caplog.text


async def test_the_builder_has_to_be_one(world):
    with pytest.raises(TypeError, match="NotebookBuilder"):
        RTUClient("ws://x", "t", world.server.file_id, world.server.version_id, None)
