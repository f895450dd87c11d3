"""Getting a connection authenticated."""

from __future__ import annotations

import asyncio

from ..errors import AuthenticationFailed, ConnectFailed, ConnectionLost
from ..models import AuthenticateReply, AuthenticateRequest, AuthenticateRequestData
from .follower import Follower
from .hooks import Application
from .manager import RTUManager
from .own_kernel import own_kernel_id
from .tasks import SideTasks, guard

__all__ = ["Login"]


class Login:
    """Sends the token over every new connection, and opens it for requests once it is accepted.

    Parameters
    ----------
    application
        Whose token and hooks they are.
    follower
        Asks to follow the notebook before anything queued goes out.
    """

    def __init__(
        self, application: Application, manager: RTUManager, follower: Follower, tasks: SideTasks
    ) -> None:
        self._application = application
        self._manager = manager
        self._follower = follower
        self._tasks = tasks
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self) -> None:
        """Send the authenticate request, and wait for an answer in time."""
        application = self._application
        data = AuthenticateRequestData(
            token=application.jwt,
            rtu_client_type=application.rtu_client_type,
            user_name=application.user_name,
            partial_states=True,
            kernel_id=own_kernel_id(),
        )
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(
            application.file_subscribe_timeout, self._timed_out
        )
        await self._manager.send_now(AuthenticateRequest(data=data))

    def stop(self) -> None:
        """Stop waiting for the answer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        error = ConnectFailed(
            "the server did not answer the authentication within "
            f"{self._application.file_subscribe_timeout:g} s: is it an RTU server?"
        )
        self._follower.act(self._follower.replica.contact.not_ready(error))
        self._tasks.start(self._manager.drop_connection())

    async def take(self, msg: AuthenticateReply) -> None:
        """Take the server's answer."""
        slot = self._manager.slot
        if slot.is_authenticated or slot.connection is None:
            return
        self.stop()
        replica = self._follower.replica
        if msg.data.success and msg.data.user is not None:
            self._application.user_id = msg.data.user.id
        await guard(self._application.on_auth(msg))
        if not msg.data.success:
            error = AuthenticationFailed.saying(msg.data.message)
            self._follower.act(replica.give_up(error))
            return
        try:
            await self._follower.run(replica.authenticated())
        except ConnectionLost:
            return
        # The gate opens after the subscribe request, so nothing queued overtakes it.
        if not slot.authed.done():
            slot.authed.set_result(slot.connection)
