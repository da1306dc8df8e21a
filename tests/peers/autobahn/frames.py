"""WebSocket frames as bytes, right ones and wrong ones."""

import hashlib
from dataclasses import dataclass

from websockets.frames import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"


def frame(opcode, payload=b"", fin=True, rsv=0):
    """A frame as clients send it. `rsv`: the three reserved bits, 4 for the first."""
    payload = payload.encode() if isinstance(payload, str) else bytes(payload)
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2)
    else:
        length = b"\xff" + size.to_bytes(8)
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + MASK + apply_mask(payload, MASK)


def fragments(opcode, payload, size, rsv=0):
    """A message in frames of `size` bytes."""
    payload = payload.encode() if isinstance(payload, str) else payload
    parts = [payload[start : start + size] for start in range(0, len(payload), size)] or [b""]
    first = frame(opcode, parts[0], len(parts) == 1, rsv)
    return first + b"".join(frame(CONTINUATION, part, at == len(parts)) for at, part in enumerate(parts[1:], 2))


def close(code=None, reason=b""):
    return frame(CLOSE, (b"" if code is None else code.to_bytes(2)) + (reason.encode() if isinstance(reason, str) else reason))


@dataclass(frozen=True)
class Frame:
    """A frame as a server sent it."""

    opcode: int
    fin: bool
    rsv: int
    payload: bytes

    def __repr__(self):
        payload = self.payload
        if len(payload) > 60:
            payload = f"{len(payload)} bytes {hashlib.sha256(payload).hexdigest()[:12]}"
        return f"<{self.opcode}{'' if self.fin else ' more'}{f' rsv {self.rsv}' if self.rsv else ''} {payload!r}>"


class Masked(Exception):
    """A server must not mask."""


class Reader:
    """Finds frames in the bytes of a server."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        """The frames that are complete with this data."""
        self.buffer += data
        found = []
        while (cut := self._length()) and len(self.buffer) >= sum(cut):
            head, size = cut
            first = self.buffer[0]
            found.append(Frame(first & 15, bool(first & 128), first >> 4 & 7, bytes(self.buffer[head : head + size])))
            del self.buffer[: head + size]
        return found

    def _length(self):
        """The lengths of head and payload of the frame at hand, once its head is there."""
        if len(self.buffer) < 2:
            return None
        if self.buffer[1] & 128:
            raise Masked
        more = {126: 2, 127: 8}.get(self.buffer[1], 0)
        if len(self.buffer) < 2 + more:
            return None
        return 2 + more, int.from_bytes(self.buffer[2 : 2 + more]) if more else self.buffer[1]
