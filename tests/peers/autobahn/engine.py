"""Plays cases and records what comes back: every frame, whether it came in time, and how the stream ended."""

import asyncio
import zlib
from contextlib import suppress
from dataclasses import dataclass, field

from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Masked, Reader, close, fragments

PATIENCE = 15.0
#: Who sends the first Close: the client once everything expected has come; the peer; the steps themselves.
CLIENT, PEER, STEPS = "client", "peer", "steps"


@dataclass(frozen=True)
class Send:
    """Bytes, whole or in writes of `chop` bytes."""

    data: bytes
    chop: int = 0


@dataclass(frozen=True)
class Deflated:
    """A message, compressed as agreed, in one frame or in frames of `fragment` bytes."""

    opcode: int
    payload: bytes
    fragment: int = 0


@dataclass(frozen=True)
class Await:
    """Goes on when so many frames have come in all, or the stream has ended; whether in time is recorded."""

    frames: int
    within: float = PATIENCE


@dataclass(frozen=True)
class Case:
    name: str
    steps: tuple
    #: (opcode, payload) of what must come before the Close.
    expect: tuple = ()
    #: Codes that the peer's Close may have; None is a Close without.
    codes: tuple = (1000,)
    closes: str = CLIENT
    #: Sec-WebSocket-Extensions of the handshake, one line each.
    offers: tuple = ()


@dataclass
class Recording:
    extensions: str = ""
    frames: list = field(default_factory=list)
    in_time: list = field(default_factory=list)
    end: str = "timeout"


class Player:
    """One case on one stream. A stream has `read` (empty at its end, an OSError at a reset), `write`, `end` and `abort`."""

    def __init__(self, case, stream, extensions):
        self.case, self.stream = case, stream
        self.recording = Recording(extensions)
        self.news = asyncio.Condition()
        self.over = False
        self.compress = Deflate(extensions) if extensions else None

    async def play(self):
        listening = asyncio.create_task(self.listen())
        try:
            for step in self.case.steps:
                match step:
                    case Send(data, chop):
                        await self.send(data, chop)
                    case Deflated(opcode, payload, fragment):
                        data = self.compress.message(payload)
                        await self.send(fragments(opcode, data, fragment or len(data), rsv=4))
                    case Await(frames, within):
                        self.recording.in_time.append(await self.heard(frames, within))
            if self.case.closes == CLIENT:
                await self.heard(len(self.case.expect))
            elif self.case.closes == PEER:
                await self.heard_close()
            if self.case.closes != STEPS:
                await self.send(close(1000))
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(listening), PATIENCE)
                await self.end()
        finally:
            listening.cancel()
            self.stream.abort()
        return self.recording

    async def send(self, data, chop=0):
        with suppress(OSError):  # whoever has failed the connection need not listen
            for start in range(0, len(data), chop or max(1, len(data))):
                await self.stream.write(data[start : start + chop] if chop else data)

    async def end(self):
        with suppress(OSError):
            await self.stream.end()

    async def heard(self, frames, within=PATIENCE):
        """Waits for so many frames, or the end; whether they came in time."""
        return await self.until(lambda: len(self.recording.frames) >= frames, within)

    async def heard_close(self):
        return await self.until(lambda: any(frame.opcode == CLOSE for frame in self.recording.frames), PATIENCE)

    async def until(self, condition, within):
        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(lambda: self.over or condition()), within)
            except TimeoutError:
                return False
        return True

    async def listen(self):
        reader = Reader()
        try:
            while data := await self.stream.read():
                found = reader.feed(data)
                async with self.news:
                    self.recording.frames += found
                    self.news.notify_all()
            self.recording.end = "cut off" if reader.buffer else "ended"
        except Masked:
            self.recording.end = "masked"
        except OSError as error:
            self.recording.end = f"reset ({type(error).__name__})"
        async with self.news:
            self.over = True
            self.news.notify_all()


class Deflate:
    """Both directions of permessage-deflate, as the answer of the handshake has it."""

    def __init__(self, extensions):
        told = dict(part.strip().partition("=")[::2] for part in extensions.split(";")[1:])
        bits = lambda side: -int(told.get(f"{side}_max_window_bits", "").strip('"') or 15)  # noqa: E731
        self.ours = lambda: zlib.compressobj(wbits=bits("client"))
        self.theirs = lambda: zlib.decompressobj(wbits=bits("server"))
        self.keep_ours, self.keep_theirs = (f"{side}_no_context_takeover" not in told for side in ("client", "server"))
        self.packer, self.unpacker = self.ours(), self.theirs()

    def message(self, payload):
        packed = self.packer.compress(payload) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        if not self.keep_ours:
            self.packer = self.ours()
        return packed[:-4]

    def inflated(self, packed):
        plain = self.unpacker.decompress(packed + b"\0\0\xff\xff")
        if not self.keep_theirs:
            self.unpacker = self.theirs()
        return plain


def messages(recording):
    """What was received, as (OPCODE, PAYLOAD), fragments put together, and the Close's code."""
    deflate = Deflate(recording.extensions) if recording.extensions else None
    found, opcode, parts, packed, code = [], None, [], False, "no Close"
    for frame in recording.frames:
        if frame.opcode == CLOSE:
            assert code == "no Close", "one Close is enough"
            code = int.from_bytes(frame.payload[:2]) if frame.payload else None
            continue
        assert code == "no Close", f"{frame} after the Close"
        if frame.opcode in (PING, PONG):
            found.append((frame.opcode, frame.payload))
            continue
        assert frame.opcode in ((CONTINUATION,) if parts else (TEXT, BINARY)), f"{frame} out of order"
        if frame.opcode != CONTINUATION:
            opcode, packed = frame.opcode, frame.rsv == 4
        parts.append(frame.payload)
        if frame.fin:
            payload, parts = b"".join(parts), []
            found.append((opcode, deflate.inflated(payload) if packed else payload))
    return found, code


def complaints(case, recording):
    """What RFC 6455 has against it."""
    try:
        found, code = messages(recording)
    except (AssertionError, zlib.error) as error:
        return [str(error)]
    wrong = []
    if found != list(case.expect):
        wrong.append(f"received {recording.frames[:6]}, {len(found)} messages instead of {len(case.expect)}")
    if code not in case.codes:
        wrong.append(f"closed with {code}, not one of {case.codes}")
    if recording.end != "ended":
        wrong.append(f"the stream: {recording.end}")
    if case.offers and not recording.extensions:
        wrong.append("permessage-deflate was not agreed on")
    return wrong


async def play_all(cases, open_stream, at_once=16):
    """The recordings of cases by name; `open_stream(offers)` gives a stream and the extensions agreed on."""
    places = asyncio.Semaphore(at_once)

    async def one(case):
        async with places:
            try:
                stream, extensions = await asyncio.wait_for(open_stream(case.offers), PATIENCE)
                return await asyncio.wait_for(Player(case, stream, extensions).play(), 2 * PATIENCE)
            except (OSError, TimeoutError) as error:
                return Recording(end=f"{type(error).__name__}: {error}")

    return dict(zip((case.name for case in cases), await asyncio.gather(*map(one, cases)), strict=True))
