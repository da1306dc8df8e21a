"""Byte streams that carry WebSocket frames: the opening of each kind ends with a stream and the extensions agreed on.

A stream has `read()` (empty at its end, an OSError at a reset), `write(data)`, `end()` (nothing more will be written) and
`abort()`. Another kind is another class with these, and another opening in `OPENINGS`.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HANDSHAKE_TIMEOUT = 10


@dataclass(frozen=True)
class Target:
    """Where to connect. `ca`: a certificate to trust."""

    port: int
    host: str = "localhost"
    path: str = "/echo"
    ca: str = ""


class Refused(OSError):
    """The handshake was not answered as it should."""


class Tcp:
    @classmethod
    async def connect(cls, target):
        stream = cls()
        stream.reader, stream.writer = await asyncio.open_connection("127.0.0.1", target.port)
        return stream

    async def read(self):
        return await self.reader.read(1 << 17)

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def end(self):
        if self.writer.can_write_eof():
            self.writer.write_eof()

    def abort(self):
        self.writer.transport.abort()


class Tls:
    """TLS that tells an end with close_notify from one without."""

    @classmethod
    async def connect(cls, target, *protocols):
        stream = cls()
        stream.tcp = await Tcp.connect(target)
        stream.incoming, stream.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=target.ca)
        context.set_alpn_protocols(list(protocols))
        stream.tls = context.wrap_bio(stream.incoming, stream.outgoing, server_hostname=target.host)
        await stream.until_done(stream.tls.do_handshake)
        return stream

    async def until_done(self, operation):
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await self.flush()
                if data := await self.tcp.read():
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            finally:
                await self.flush()

    async def flush(self):
        if data := self.outgoing.read():
            await self.tcp.write(data)

    async def read(self):
        try:
            return await self.until_done(lambda: self.tls.read(1 << 17))
        except ssl.SSLZeroReturnError:
            return b""

    async def write(self, data):
        self.tls.write(data)
        await self.flush()

    async def end(self):
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        await self.flush()
        await self.tcp.end()

    def abort(self):
        self.tcp.abort()


class Ahead:
    """A stream of which some was read already."""

    def __init__(self, stream, data):
        self.stream, self.data = stream, data
        self.write, self.end, self.abort = stream.write, stream.end, stream.abort

    async def read(self):
        data, self.data = self.data, b""
        return data or await self.stream.read()


async def upgrade(stream, target, offers):
    """The handshake of HTTP/1.1."""
    lines = [
        f"GET {target.path} HTTP/1.1", f"Host: {target.host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13",
        *(f"Sec-WebSocket-Extensions: {offer}" for offer in offers), "", "",
    ]  # fmt: skip
    await stream.write("\r\n".join(lines).encode())
    received = b""
    while b"\r\n\r\n" not in received:
        if not (data := await stream.read()):
            raise Refused(f"ended after {received!r}")
        received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if status.split()[1] != "101" or fields.get("sec-websocket-accept") != ACCEPT:
        raise Refused(f"answered {head!r}")
    return Ahead(stream, rest), fields.get("sec-websocket-extensions", "")


class Plain:
    """WebSocket over HTTP/1.1, a connection each."""

    connect = Tcp.connect

    def __init__(self, target):
        self.target = target

    async def open(self, offers):
        stream = await type(self).connect(self.target)
        try:
            return await upgrade(stream, self.target, offers)
        except BaseException:
            stream.abort()
            raise

    async def close(self):
        """Nothing is shared."""


class Secure(Plain):
    connect = Tls.connect
