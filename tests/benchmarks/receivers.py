"""Many websocket clients that only listen, in one process and as cheaply as can be.

``python receivers.py URL COUNT READY MARK`` takes messages on stdin, one JSON string a line up to
an empty line, which each client sends first. It prints ``ready`` when all have received READY, and
then the time (`time.monotonic`) of each moment in which the last of them received MARK once more.
"""

import asyncio
import json
import struct
import sys
from urllib.parse import urlsplit


def frame(text):
    payload = text.encode()
    size = len(payload)
    header = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else b""
    header = header or struct.pack("!BBH", 0x81, 0x80 | 126, size)
    return header + bytes(4) + payload  # a mask of zeros


class Count:
    """How many of all clients have seen the mark how often."""

    def __init__(self, clients):
        self.clients, self.ready, self.at = clients, 0, {}
        self.all_ready = asyncio.Event()

    def one_ready(self):
        self.ready += 1
        if self.ready == self.clients:
            self.all_ready.set()

    def seen(self, times):
        self.at[times] = self.at.get(times, 0) + 1
        if self.at[times] == self.clients:
            print(asyncio.get_running_loop().time(), flush=True)


class Receiver(asyncio.Protocol):
    def __init__(self, request, frames, ready, mark, count):
        self.request, self.frames, self.ready = request, frames, ready
        self.mark, self.count, self.times = mark, count, 0
        self.upgraded, self.is_ready, self.rest = False, False, b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        data = self.rest + data
        if not self.upgraded:
            if b"\r\n\r\n" not in data:
                self.rest = data
                return
            assert b" 101 " in data, data
            self.upgraded = True
            self.transport.write(self.frames)
            if not self.ready:
                self.is_ready = True
                self.count.one_ready()
        if not self.is_ready and self.ready in data:
            self.is_ready = True
            self.count.one_ready()
        for _ in range(data.count(self.mark)):
            self.times += 1
            self.count.seen(self.times)
        # A mark may come in two pieces, but must not count twice.
        self.rest = data[data.rfind(self.mark) + len(self.mark) :] if self.mark in data else data
        self.rest = self.rest[-(max(len(self.mark), len(self.ready)) - 1) :]


async def main(url, clients, ready, mark):
    messages = []
    while line := sys.stdin.readline().strip():
        messages.append(json.loads(line))
    address, loop = urlsplit(url), asyncio.get_running_loop()
    request = (
        f"GET {address.path or '/'} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    frames = b"".join(map(frame, messages))
    count = Count(int(clients))
    for _ in range(int(clients)):
        await loop.create_connection(
            lambda: Receiver(request, frames, ready.encode(), mark.encode(), count),
            address.hostname,
            address.port,
        )
    await count.all_ready.wait()
    await asyncio.sleep(0.5)  # what the joining itself has caused passes by
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
