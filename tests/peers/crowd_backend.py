"""A backend for thousands of sessions, a process of its own: file descriptors are counted by process.

It answers requests with what it has seen (`/seen`, JSON) or 200 (`/health/503`: 503 from now on), handshakes at `/refuse` with
403, and echoes messages, but for `close CODE REASON`, `reset`, and `deaf` (it answers no ping any more). A session at `/flood`
gets a message of 256 MiB.
"""

import asyncio
import base64
import hashlib
import json
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from socket import SO_LINGER, SOL_SOCKET

from crowd_peer import CLOSE, Peer

FLOOD = 256 * 1024 * 1024


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
