"""Sections 12 and 13: permessage-deflate with data of several kinds, and with every parameter a client may ask for."""

import hashlib
import json

from .engine import Await, Case, Deflated
from .frames import BINARY, TEXT

#: (message size, size of the frames it is sent in: 0 for one).
SIZES = [(size, 0) for size in (16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)] + [
    *((size, 256) for size in (8192, 16384, 32768, 65536, 131072)),
    *((131072, fragment) for fragment in (1024, 4096, 32768)),
]
BUDGET = 128 * 1024
WINDOW = "client_max_window_bits"
#: Asked for: nothing, no context, small window, large window, both, both, and three offers to choose from.
OFFERS = [
    (f"permessage-deflate; {WINDOW}",),
    (f"permessage-deflate; {WINDOW}; server_no_context_takeover",),
    (f"permessage-deflate; {WINDOW}; server_max_window_bits=9",),
    (f"permessage-deflate; {WINDOW}; server_max_window_bits=15",),
    (f"permessage-deflate; {WINDOW}; server_no_context_takeover; server_max_window_bits=9",),
    (f"permessage-deflate; {WINDOW}; server_no_context_takeover; server_max_window_bits=15",),
    (
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
        f"permessage-deflate; {WINDOW}; server_no_context_takeover, permessage-deflate; {WINDOW}",
    ),
]


def digests(count):
    return [hashlib.sha256(str(number).encode()) for number in range(count)]


def numbers():
    rows = enumerate(digests(500))
    return json.dumps([{"id": at, "name": digest.hexdigest()[:8], "on": at % 3 == 0} for at, digest in rows]).encode()


def page():
    row = "<tr><td>{}<td class=name>{} &ndash; row</tr>\n"
    rows = "".join(row.format(number, digest.hexdigest()[:6]) for number, digest in enumerate(digests(500)))
    return f"<html><table>{rows}</table></html>".encode()


#: Text with structure, a picture without much, bytes that no one compresses, markup, zeros.
DATA = [
    (TEXT, numbers()),
    (BINARY, bytes(x * y // 256 & 255 for x in range(128) for y in range(128))),
    (BINARY, b"".join(digest.digest() for digest in digests(1024))),
    (TEXT, page()),
    (BINARY, bytes(4096)),
]


def taken(data, size, count):
    """Messages of a size, one behind the other in data that has no end."""
    endless = data * (size * count // len(data) + 2)
    return [endless[size * number :][:size] for number in range(count)]


def case(name, opcode, data, size, fragment, offers):
    messages = taken(data, size, max(2, min(10, BUDGET // size)))
    steps = tuple(
        step
        for number, message in enumerate(messages, 1)
        for step in (Deflated(opcode, message, fragment), Await(number))
    )
    return Case(name, steps, tuple((opcode, message) for message in messages), offers=offers)


def cases():
    for section, (opcode, data) in enumerate(DATA, 1):
        for number, (size, fragment) in enumerate(SIZES, 1):
            yield case(f"12.{section}.{number}", opcode, data, size, fragment, OFFERS[0])
    for section, offers in enumerate(OFFERS, 1):
        for number, (size, fragment) in enumerate(SIZES, 1):
            yield case(f"13.{section}.{number}", *DATA[0], size, fragment, offers)
