"""Sections 1 to 5: framing, pings and pongs, reserved bits, opcodes, fragmentation."""

from .engine import PEER, STEPS, Await, Case, Send
from .frames import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame

HELLO = b"Hello, world!"
ECHO = ((TEXT, HELLO),)
PROTOCOL_ERROR = {"codes": (1002,), "closes": PEER}


def send(*frames, chop=0):
    return tuple(Send(one, chop) for one in frames)


def at_once(*frames):
    return (Send(b"".join(frames)),)


def cases():
    return [*framing(), *pings(), *reserved_bits(), *opcodes(), *fragmentation()]


def framing():
    sizes = [(0, 0), (125, 0), (126, 0), (127, 0), (128, 0), (65535, 0), (65536, 0), (65536, 997)]
    for kind, opcode, byte in ((1, TEXT, b"*"), (2, BINARY, b"\xfe")):
        for number, (size, chop) in enumerate(sizes, 1):
            payload = byte * size
            yield Case(f"1.{kind}.{number}", send(frame(opcode, payload), chop=chop), ((opcode, payload),))


def pings():
    payloads = [b"", HELLO, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125]
    for number, payload in enumerate(payloads, 1):
        yield Case(f"2.{number}", send(frame(PING, payload)), ((PONG, payload),))
    yield Case("2.5", send(frame(PING, b"\xfe" * 126)), **PROTOCOL_ERROR)
    yield Case("2.6", send(frame(PING, b"\xfe" * 125), chop=1), ((PONG, b"\xfe" * 125),))
    yield Case("2.7", send(frame(PONG), close(1000)), closes=STEPS)
    yield Case("2.8", send(frame(PONG, b"nobody asked"), close(1000)), closes=STEPS)
    yield Case("2.9", send(frame(PONG, b"nobody asked"), frame(PING, b"but now")), ((PONG, b"but now"),))
    ten = [f"payload-{number}".encode() for number in range(10)]
    for number, chop in ((10, 0), (11, 1)):
        steps = send(*(frame(PING, payload) for payload in ten), chop=chop)
        yield Case(f"2.{number}", steps, tuple((PONG, payload) for payload in ten))


def reserved_bits():
    yield Case("3.1", send(frame(TEXT, HELLO, rsv=1)), **PROTOCOL_ERROR)
    for number, chop in ((2, None), (3, 0), (4, 1)):
        frames = [frame(TEXT, HELLO), frame(TEXT, HELLO, rsv=number), frame(PING)]
        steps = at_once(*frames) if chop is None else send(*frames, chop=chop)
        yield Case(f"3.{number}", steps, ECHO, **PROTOCOL_ERROR)
    yield Case("3.5", send(frame(BINARY, HELLO, rsv=5)), **PROTOCOL_ERROR)
    yield Case("3.6", send(frame(PING, HELLO, rsv=6)), **PROTOCOL_ERROR)
    yield Case("3.7", send(frame(8, b"\x03\xe8", rsv=7)), **PROTOCOL_ERROR)


def opcodes():
    for section, first in ((1, 3), (2, 11)):
        for number in range(1, 6):
            opcode, payload = first + number - 1, HELLO if number in (2, 4, 5) else b""
            wrong = frame(opcode, payload)
            if number < 3:
                yield Case(f"4.{section}.{number}", send(wrong), **PROTOCOL_ERROR)
                continue
            frames = [frame(TEXT, HELLO), wrong, frame(PING)]
            steps = at_once(*frames) if number == 3 else send(*frames, chop=number - 4)
            yield Case(f"4.{section}.{number}", steps, ECHO, **PROTOCOL_ERROR)


def fragmentation():
    first, last = frame(TEXT, b"first, ", fin=False), frame(CONTINUATION, b"last")
    whole, asked = ((TEXT, b"first, last"),), ((PONG, b"between"),)
    between = frame(PING, b"between")
    for number, control in ((1, PING), (2, PONG)):
        yield Case(f"5.{number}", send(frame(control, b"first, ", fin=False), last), **PROTOCOL_ERROR)
    for number, frames, expect in ((3, (first, last), whole), (6, (first, between, last), asked + whole)):
        yield Case(f"5.{number}", at_once(*frames), expect)
        yield Case(f"5.{number + 1}", send(*frames), expect)
        yield Case(f"5.{number + 2}", send(*frames, chop=1), expect)
    for number, fin in ((9, True), (12, False)):
        frames = [frame(CONTINUATION, b"of nothing", fin=fin), frame(TEXT, HELLO)]
        yield Case(f"5.{number}", at_once(*frames), **PROTOCOL_ERROR)
        yield Case(f"5.{number + 1}", send(*frames), **PROTOCOL_ERROR)
        yield Case(f"5.{number + 2}", send(*frames, chop=1), **PROTOCOL_ERROR)
    lost = frame(CONTINUATION, b"of nothing", fin=False)
    yield Case("5.15", at_once(first, last, lost, frame(TEXT, HELLO)), whole, **PROTOCOL_ERROR)
    for number, fin in ((16, False), (17, True)):
        frames = [frame(CONTINUATION, b"of nothing", fin=fin), first, last] * 2
        yield Case(f"5.{number}", at_once(*frames), **PROTOCOL_ERROR)
    yield Case("5.18", at_once(first, frame(TEXT, b"last")), **PROTOCOL_ERROR)
    # The first ping is answered while the message is still under way.
    more = [frame(CONTINUATION, part, fin=False) for part in (b"second, ", b"third, ", b"fourth, ")]
    five = ((PONG, b"1"), (PONG, b"2"), (TEXT, b"first, second, third, fourth, last"))
    begin, rest = [first, more[0], frame(PING, b"1")], [more[1], more[2], frame(PING, b"2"), last]
    yield Case("5.19", (*at_once(*begin), Await(1), *at_once(*rest)), five)
    yield Case("5.20", (*send(*begin), Await(1), *send(*rest)), five)
