"""The floor for round trips and broadcasts: a bare `websockets` server in a process of its own.

It prints its port. It answers a text message with itself; one that begins with ``!`` it sends to
all its connections with `websockets.broadcast` instead.
"""

import asyncio
import contextlib
import sys

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

everybody = set()


async def handle(connection):
    everybody.add(connection)
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            if message.startswith("!"):
                broadcast(everybody, message)
            else:
                await connection.send(message)
    everybody.discard(connection)


async def main():
    async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
