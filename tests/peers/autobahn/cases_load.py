"""Sections 9 and 10: large messages, many frames, small writes, many turns. Sizes fit a build without optimisation."""

from .engine import Await, Case, Send
from .frames import BINARY, TEXT, fragments, frame

KIB, MIB = 1024, 1024 * 1024
KINDS = ((0, TEXT), (1, BINARY))


def payload(size):
    return (b"BAsd7&jh23" * (size // 10 + 1))[:size]


def cases():
    return [*whole(), *in_frames(), *in_writes(), *turns(), *auto()]


def whole():
    for more, opcode in KINDS:
        for number, size in enumerate((64 * KIB, 256 * KIB, MIB, 2 * MIB, 3 * MIB, 4 * MIB), 1):
            data = payload(size)
            yield Case(f"9.{1 + more}.{number}", (Send(frame(opcode, data)),), ((opcode, data),))


def in_frames():
    """A message in ever larger frames; of the smallest there are a few thousand."""
    for more, opcode in KINDS:
        for number in range(1, 10):
            size = 64 << 2 * (number - 1)
            data = payload(min(MIB, size * 2048))
            yield Case(f"9.{3 + more}.{number}", (Send(fragments(opcode, data, size)),), ((opcode, data),))


def in_writes():
    for more, opcode in KINDS:
        for number in range(1, 7):
            chop = 32 << number
            data = payload(min(MIB, chop * 2048))
            yield Case(f"9.{5 + more}.{number}", (Send(frame(opcode, data), chop),), ((opcode, data),))


def turns(count=50):
    """A message at a time, each answered before the next."""
    for more, opcode in KINDS:
        for number, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            data = (b"\xfe" if opcode == BINARY else b"*") * size
            steps = tuple(step for turn in range(count) for step in (Send(frame(opcode, data)), Await(turn + 1)))
            yield Case(f"9.{7 + more}.{number}", steps, ((opcode, data),) * count)


def auto():
    yield Case("10.1.1", (Send(fragments(TEXT, b"*" * 65536, 1300)),), ((TEXT, b"*" * 65536),))
