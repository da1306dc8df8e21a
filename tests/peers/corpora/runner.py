"""Sends the cases of a corpus through a gateway, each on a connection and from an address of its own, and collects what became of them."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from corpora import END
from wire import Answer, Client, Stream


class Answers(Client):
    """Answers that are there already."""

    def __init__(self, raw):
        self.buffer = raw

    def next(self, method):
        """The next answer, to a request of this method."""
        return Answer(self.read_until(b"\r\n\r\n")) if method == "HEAD" else self.answer()

    def _more(self):
        raise EOFError


@dataclass
class Result:
    """What became of a case: the bytes that were answered, and what the member read."""

    raw: bytes = b""
    requests: list = field(default_factory=list)
    #: The records of the access log.
    records: list = field(default_factory=list)

    @property
    def answers(self):
        """The answers, but for interim ones. `None`: bytes that are no answer."""
        stream, answers = Answers(self.raw), []
        methods = [request.method for request in self.requests if request.is_whole]
        while stream.buffer:
            try:
                answer = stream.next("".join(methods[len(answers) : len(answers) + 1]))
            except (EOFError, IndexError, ValueError):
                return [*answers, None]
            answers += [answer] if answer.status >= 200 else []
        return answers

    @property
    def statuses(self):
        return [answer.status if answer else 0 for answer in self.answers]

    @property
    def reads(self):
        return [str(request) for request in self.requests if request.is_whole]

    def is_allowed(self, case):
        return any(outcome.allows(self.statuses, self.reads) for outcome in case.outcomes)

    def verdict(self, case):
        """What is wrong with it, or nothing."""
        answers = self.raw.decode("latin-1")
        faults = [fault for request in self.requests for fault in request.faults]
        own = [request for request in self.requests if request.target != "/end"]
        fields = {name: values(own[-1].head, name) for name in case.fields} if own else case.fields
        if not self.is_allowed(case):
            return f"answered {self.statuses}, read {self.reads}"
        if faults or fields != case.fields:
            return f"what was read is ambiguous: {faults}, {fields}"
        if not re.search(case.answer, answers) or re.search(case.not_answer, answers):
            return f"answered {answers!r}"
        return None

    def is_read_as_sent(self, case):
        """Whether the member has read what was sent, but for what it refuses by itself: each 200 is a request that was sent."""
        if sum(200 <= status < 300 for status in self.statuses) != len(self.reads):
            return False
        sent = [iter([*outcome.reads, "GET /end "]) for outcome in case.outcomes]
        return any(all(read in rest for read in self.reads) for rest in sent)


def values(head, name):
    """The values of a field; cookies are one, whether they come in one field or in several (RFC 6265, section 5.4)."""
    return ["; ".join(head.values(name))] if name == "cookie" else head.values(name)


def address(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


def send(port, number, case, pieces):
    """The bytes that are answered to a case, to the end of its connection."""
    sent = (case.sent + (END if case.end else "")).encode("latin-1")
    with Stream(socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(address(number), 0))) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for at in range(0, len(sent), pieces):
                client.send(sent[at : at + pieces])
            if not case.end:
                client.half_close()
        except ConnectionError:
            pass  # it was refused before it was sent
        try:
            return client.read_to_end()
        except TimeoutError:
            return client.buffer + b"(the connection stays open)"


def run(port, cases, pieces=1 << 20):
    """The bytes that are answered to each case, by name, and the address that each came from."""
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda pair: send(port, *pair, pieces), enumerate(cases))
        return {each.name: (address(number), raw) for (number, each), raw in zip(enumerate(cases), answers)}
