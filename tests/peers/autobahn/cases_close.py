"""Section 7: who closes, with which code and reason, and what comes after a Close."""

from .cases_frames import HELLO, at_once
from .engine import STEPS, Case, Send
from .frames import CLOSE, CONTINUATION, PING, TEXT, close, frame

NO_ECHO = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"
RIGHT = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
WRONG = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]
OURS = {"closes": STEPS}
WRONGLY = {"codes": (1002,), **OURS}


def cases():
    return [*orders(), *shapes(), *codes()]


def orders():
    whole, big = frame(TEXT, HELLO), b"BAsd7&jh23" * 26_214
    yield Case("7.1.1", (Send(whole),), ((TEXT, HELLO),))
    for number, after in ((2, frame(CLOSE)), (3, frame(PING)), (4, whole)):
        yield Case(f"7.1.{number}", at_once(close(1000), after), **OURS)
    parts = frame(TEXT, b"first", fin=False), frame(CONTINUATION, b"last")
    # A Close within a message may be taken for an error.
    yield Case("7.1.5", at_once(parts[0], close(1000), parts[1]), codes=(1000, 1002), **OURS)
    steps = at_once(frame(TEXT, big), whole, close(1000), frame(PING))
    yield Case("7.1.6", steps, ((TEXT, big), (TEXT, HELLO)), **OURS)


def shapes():
    yield Case("7.3.1", (Send(close()),), codes=(None, 1000), **OURS)
    yield Case("7.3.2", (Send(frame(CLOSE, b"a")),), **WRONGLY)
    for number, reason in ((3, b""), (4, b"Hello World!"), (5, b"*" * 123)):
        yield Case(f"7.3.{number}", (Send(close(1000, reason)),), **OURS)
    yield Case("7.3.6", (Send(close(1000, b"*" * 124)),), **WRONGLY)
    yield Case("7.5.1", (Send(close(1000, NO_ECHO)),), codes=(1002, 1007), **OURS)


def codes():
    for number, code in enumerate(RIGHT, 1):
        yield Case(f"7.7.{number}", (Send(close(code)),), codes=(code, 1000), **OURS)
    for number, code in enumerate(WRONG, 1):
        yield Case(f"7.9.{number}", (Send(close(code)),), **WRONGLY)
    for number, code in enumerate((5000, 65535), 1):
        yield Case(f"7.13.{number}", (Send(close(code)),), codes=(code, 1000, 1002), **OURS)
