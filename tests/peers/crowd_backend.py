"""A backend for thousands of sessions, a process of its own: file descriptors are counted by process.

It answers requests with what it has seen (`/seen`, JSON) or 200 (`/health/503`: 503 from now on), handshakes at `/refuse` with 403, and echoes messages, but
for `close CODE REASON`, `reset`, and `deaf` (it answers no ping any more). A session at `/flood` gets a message of 256 MiB.
"""

import asyncio
import base64
import hashlib
import json
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from socket import SO_LINGER, SOL_SOCKET

from wire import Head

CLOSE, PING, PONG, TEXT, BINARY = 0x8, 0x9, 0xA, 0x1, 0x2
FLOOD = 256 * 1024 * 1024


def frame(opcode, payload=b"", masked=False):
    """A whole message or control frame, masked by zeros."""
    size, mask = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes([0x80 | opcode, mask | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, mask | 126]) + size.to_bytes(2)
    else:
        head = bytes([0x80 | opcode, mask | 127]) + size.to_bytes(8)
    return head + (bytes(4) if masked else b"") + payload


def take_frame(buffer):
    """The first frame of a bytearray, taken out of it: opcode and payload. None while it is not whole."""
    if len(buffer) < 2:
        return None
    size, at = buffer[1] & 0x7F, 2
    if size > 125:
        at = 4 if size == 126 else 10
        size = int.from_bytes(buffer[2:at])
    mask = None
    if buffer[1] & 0x80:
        mask, at = buffer[at : at + 4], at + 4
    if len(buffer) < at + size:
        return None
    opcode, payload = buffer[0] & 0x0F, bytes(buffer[at : at + size])
    del buffer[: at + size]
    if mask and any(mask):
        payload = bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))
    return opcode, payload


class Peer(asyncio.Protocol):
    """An end of a session: how it was closed, and how its stream ended."""

    masks = False

    def __init__(self):
        self.buffer, self.head, self.is_open, self.deaf = bytearray(), None, False, False
        self.has_closed = False
        self.close = self.reason = self.closed_at = self.end = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while not self.is_open:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head = Head(bytes(self.buffer[:end]))
            del self.buffer[: end + 4]
            self.begin()
        while taken := take_frame(self.buffer):
            self.heard(*taken)

    def heard(self, opcode, payload):
        if opcode == CLOSE:
            self.close, self.reason = int.from_bytes(payload[:2]) or 1005, payload[2:].decode()
            self.closed_at = time.monotonic()
            self.say(CLOSE, payload)
        elif opcode == PING:
            if not self.deaf:
                self.say(PONG, payload)
        elif opcode != PONG:
            self.message(opcode, payload)

    def say(self, opcode, payload=b""):
        if not self.has_closed:
            self.transport.write(frame(opcode, payload, masked=self.masks))
        self.has_closed |= opcode == CLOSE

    def eof_received(self):
        self.end = "end"

    def connection_lost(self, error):
        self.end = "reset" if error else self.end or "left"


class Served(Peer):
    """The backend's end of a connection."""

    def __init__(self, seen):
        super().__init__()
        self.seen, self.flood = seen, 0

    def begin(self):
        path, key = self.head.first.split()[1], self.head["sec-websocket-key"]
        if not key:
            if path.startswith("/health/"):
                self.seen["health"] = int(path[8:])
            status, body = (200, json.dumps(self.seen).encode()) if path == "/seen" else (self.seen["health"], b"ok")
            self.transport.write(b"HTTP/1.1 %d Status\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
            return
        if path == "/refuse":
            self.transport.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        self.is_open = True
        self.seen["opened"] += 1
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        accept = base64.b64encode(digest).decode()
        self.transport.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        if path == "/flood":
            self.flood = FLOOD
            self.transport.write(bytes([0x82, 127]) + self.flood.to_bytes(8))
            self.pour()

    def pour(self):
        """Sends as long as the other side takes."""
        while self.flood > 0 and not self.transport.is_closing() and self.transport.get_write_buffer_size() == 0:
            piece = min(self.flood, 65536)
            self.transport.write(bytes(piece))
            self.flood -= piece
            self.seen["flooded"] += piece

    def resume_writing(self):
        self.pour()

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)

    def message(self, opcode, payload):
        match payload.split():
            case [b"close", code, reason]:
                self.say(CLOSE, int(code).to_bytes(2) + reason)
            case [b"reset"]:
                self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()
            case [b"deaf"]:
                self.deaf = True
            case _:
                self.say(opcode, payload)

    def heard(self, opcode, payload):
        super().heard(opcode, payload)
        if opcode == CLOSE:
            # Of the two it is the server that ends the connection first.
            self.flood = 0
            self.transport.write_eof()
            self.seen["close"][f"{self.close} {self.reason}".strip()] += 1

    def connection_lost(self, error):
        super().connection_lost(error)
        if self.is_open:
            self.seen["ended"][self.end] += 1


class Backend:
    """The backend's process."""

    def __init__(self, address="127.0.0.1", port=0):
        self.address = address
        command = [sys.executable, __file__, address, str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def seen(self):
        """Sessions opened, bytes of floods, how sessions were closed by their other side, and how they ended."""
        return json.loads(self._ask("/seen"))

    def fail(self):
        self._ask("/health/503")

    def heal(self):
        self._ask("/health/200")

    def _ask(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.port}{path}", timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


async def main(address, port):
    seen = {"health": 200, "opened": 0, "flooded": 0, "close": Counter(), "ended": Counter()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Served(seen), address, int(port), backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
