"""Section 6: text is UTF-8, wherever it is cut; what is not fails the connection."""

from .engine import PEER, Await, Case, Send
from .frames import CONTINUATION, TEXT, fragments, frame

GREEK = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
MIXED = "Hello-µ@ßöäüàá-UTF-8!!".encode()
NOT_TEXT = {"codes": (1007,), "closes": PEER}
#: How long a fast judge may take. One that judges whole messages makes us wait as long.
FAST = 1.0


def joined(first, last):
    """Each byte of a range, a space behind each."""
    return b"".join(bytes([byte, 0x20]) for byte in range(first, last))


CUT_OFF = [
    b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
    b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf",
]  # fmt: skip
HIGH, LOW = [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"], [b"\xed\xb0\x80", b"\xed\xbf\xbf"]
PLANES = [chr(plane << 16 | 0xFFFE | last).encode() for plane in range(1, 17) for last in (0, 1)]
#: From 6.5 on. Python's own decoder tells which are right.
SEQUENCES = [
    [b"hello$world", "hello¢world".encode(), "hello€world".encode(), "hello\U00024b62world".encode(), GREEK],
    [GREEK[:end] for end in range(1, len(GREEK) + 1)],
    [b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"],
    [b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:length] for length in range(2, 7)), bytes(range(0x80, 0xBF))],
    [joined(0xC0, 0xDF), joined(0xE0, 0xEF), joined(0xF0, 0xF7), joined(0xF8, 0xFB), joined(0xFC, 0xFD)],
    CUT_OFF,
    [b"".join(CUT_OFF)],
    [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"],
    [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"],
    [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"],
    [*HIGH, LOW[0], b"\xed\xbe\x80", LOW[1]],
    [high + low for high in HIGH for low in LOW],
    [b"\xef\xbf\xbe", b"\xef\xbf\xbf", *PLANES],
    [b"\xef\xbf" + bytes([last]) for last in range(0xB9, 0xC0)],
]


def is_text(payload):
    try:
        return bool(payload.decode()) or not payload
    except UnicodeDecodeError:
        return False


def cases():
    return [*empty(), *valid(), *fast_failures(), *sequences()]


def empty():
    yield Case("6.1.1", (Send(frame(TEXT)),), ((TEXT, b""),))
    for number, middle in ((2, b""), (3, b"in the middle")):
        parts = frame(TEXT, fin=False), frame(CONTINUATION, middle, fin=False), frame(CONTINUATION)
        yield Case(f"6.1.{number}", tuple(map(Send, parts)), ((TEXT, middle),))


def valid():
    yield Case("6.2.1", (Send(frame(TEXT, MIXED)),), ((TEXT, MIXED),))
    yield Case("6.2.2", (Send(fragments(TEXT, MIXED, 12)),), ((TEXT, MIXED),))
    yield Case("6.2.3", (Send(fragments(TEXT, MIXED, 1)),), ((TEXT, MIXED),))
    yield Case("6.2.4", (Send(fragments(TEXT, GREEK, 1)),), ((TEXT, GREEK),))
    surrogate = GREEK + HIGH[0] + b"edited"
    yield Case("6.3.1", (Send(frame(TEXT, surrogate)),), **NOT_TEXT)
    yield Case("6.3.2", (Send(fragments(TEXT, surrogate, 1)),), **NOT_TEXT)


def fast_failures():
    """The first part is well, the second is not: a fast judge need not see the third."""
    whole = GREEK + b"\xf4\x90\x80\x80" + b"edited"
    for number, (first, second) in ((1, (11, 15)), (2, (12, 13))):
        parts = whole[:first], whole[first:second], whole[second:]
        frames = [
            frame(TEXT, parts[0], fin=False), frame(CONTINUATION, parts[1], fin=False), frame(CONTINUATION, parts[2]),
        ]  # fmt: skip
        yield Case(f"6.4.{number}", in_three(frames), **NOT_TEXT)
        one = frame(TEXT, whole)
        head = len(one) - len(whole)
        cuts = [one[: head + first], one[head + first : head + second], one[head + second :]]
        yield Case(f"6.4.{number + 2}", in_three(cuts), **NOT_TEXT)


def in_three(parts):
    return Send(parts[0]), Await(1, 0.1), Send(parts[1]), Await(1, FAST), Send(parts[2])


def sequences():
    for section, payloads in enumerate(SEQUENCES, 5):
        for number, payload in enumerate(payloads, 1):
            outcome = {"expect": ((TEXT, payload),)} if is_text(payload) else NOT_TEXT
            yield Case(f"6.{section}.{number}", (Send(frame(TEXT, payload)),), **outcome)
