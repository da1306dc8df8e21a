"""Frames, and an end of a session on an event loop, with no library between."""

import asyncio
import time

from wire import Head

CLOSE, PING, PONG, TEXT, BINARY = 0x8, 0x9, 0xA, 0x1, 0x2


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
