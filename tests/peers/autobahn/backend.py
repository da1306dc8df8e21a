"""A strict echo server: the `websockets` library judges each frame before the next, and text is judged with each frame.

Prints its port. Ends with its standard input.
"""

import asyncio
import codecs
import sys
from contextlib import suppress

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol


class Cutter:
    """Cuts what a client sends behind its handshake and behind each frame; parts of frames pass as they come."""

    def __init__(self):
        self.head, self.left, self.in_frames = b"", 0, False

    def cut(self, data):
        start = at = 0
        while at < len(data):
            if self.left:
                step = min(self.left, len(data) - at)
                at, self.left = at + step, self.left - step
                whole = not self.left
            else:
                at += 1
                self.head += data[at - 1 : at]
                whole = self._head_is_whole()
                if whole:
                    self.head, whole = b"", not self.left
            if whole:
                yield data[start:at]
                start = at
        if start < at:
            yield data[start:at]

    def _head_is_whole(self):
        if not self.in_frames:
            self.in_frames = self.head.endswith(b"\r\n\r\n")
            return self.in_frames
        if len(self.head) < 2:
            return False
        more = {126: 2, 127: 8}.get(self.head[1] & 127, 0)
        mask = 4 if self.head[1] & 128 else 0
        if len(self.head) < 2 + more + mask:
            return False
        self.left = int.from_bytes(self.head[2 : 2 + more]) if more else self.head[1] & 127
        return True


class Session:
    def __init__(self):
        self.protocol = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], max_size=None)
        self.opcode, self.parts, self.text = Opcode.BINARY, [], None

    def take(self, piece):
        self.protocol.receive_data(piece)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
            elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self.part(event)

    def part(self, frame):
        if frame.opcode != Opcode.CONT:
            self.opcode, self.parts = frame.opcode, []
            self.text = codecs.getincrementaldecoder("utf-8")() if frame.opcode == Opcode.TEXT else None
        self.parts.append(bytes(frame.data))
        try:
            if self.text:
                self.text.decode(frame.data, final=frame.fin)
        except UnicodeDecodeError:
            self.protocol.fail(1007, "not UTF-8")
            return
        if frame.fin and self.protocol.state is State.OPEN:
            send = self.protocol.send_text if self.opcode == Opcode.TEXT else self.protocol.send_binary
            send(b"".join(self.parts))


async def serve(reader, writer):
    session, cutter = Session(), Cutter()

    async def flush():
        for data in session.protocol.data_to_send():
            if data:
                writer.write(data)
            elif writer.can_write_eof():
                writer.write_eof()
        await writer.drain()

    with suppress(OSError):
        while data := await reader.read(1 << 17):
            for piece in cutter.cut(data):
                session.take(piece)
                await flush()
        session.protocol.receive_eof()
        await flush()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
