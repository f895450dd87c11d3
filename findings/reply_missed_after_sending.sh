#!/usr/bin/env bash
# A reply that is there and that nobody is told of: jupyter_client's AsyncKernelClient, when it sends
# while one of its get_shell_msg() calls waits.
#
# Session.send (jupyter_client 8.10.0) sends with a shadow of the asyncio socket, past the object
# that waits for messages on it. ZeroMQ's ZMQ_FD is edge-triggered: a reply that has arrived when
# something is sent is taken note of by the sending, and the waiting call never hears of it, nor of
# any reply after it, until somebody asks the socket anew. A program whose loop was busy for a moment
# (many requests in flight, a slow callback) then waits for replies that have long been there.
# Reading socket.get(zmq.EVENTS) after each sending is enough: that is where pyzmq looks again.
# Seen: "as it is: 0 of 6 replies read, 6 when asked anew" and "looking after sending: 6 of 6".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ipykernel==7.4.0 jupyter_client==8.10.0 \
  pyzmq==27.3.0
cd "$folder"
"$folder/venv/bin/python" - << 'PYTHON'
import asyncio
import queue
import subprocess
import sys
import time

import zmq
from jupyter_client.manager import AsyncKernelManager


async def read_all(client, into):
    while True:
        into.append(await client.get_shell_msg())


async def rest(client):
    """Return how many messages there are for who asks the socket anew."""
    found = 0
    while True:
        try:
            await client.get_shell_msg(timeout=2)
        except queue.Empty:
            return found
        found += 1


async def read(client, look):
    """Return how many of six replies a waiting reader gets, and how many are there beside."""
    await rest(client)
    replies = []
    reader = asyncio.create_task(read_all(client, replies))
    await asyncio.sleep(0.5)
    client.kernel_info()
    time.sleep(3)  # the loop is busy; the reply arrives
    client.kernel_info()
    if look:
        client.shell_channel.socket.get(zmq.EVENTS)
    for _ in range(4):
        await asyncio.sleep(1)
        client.kernel_info()
        if look:
            client.shell_channel.socket.get(zmq.EVENTS)
    await asyncio.sleep(5)
    reader.cancel()
    return len(replies), await rest(client)


async def main():
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=120)
        missed = await read(client, look=False)
        found = await read(client, look=True)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
    print(f"as it is: {missed[0]} of 6 replies read, {missed[1]} when asked anew")
    print(f"looking after sending: {found[0]} of 6")
    return (missed, found) != ((0, 6), (6, 0))


sys.exit(asyncio.run(main()))
PYTHON
