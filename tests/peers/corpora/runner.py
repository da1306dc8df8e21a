"""Sends the cases of a corpus through a gateway, each on a connection and from an address of its own, and collects what became of them."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from corpora import END
from gateway import Gateway, wait_for
from manifests import ingress, service
from wire import Answer, Client, Stream


class Answers(Client):
    """Answers that are there already."""

    def __init__(self, raw):
        self.buffer = raw

    def next(self, method):
        """The next answer, to a request of this method, or of none that a member has read: then to HEAD, if it ends behind its head."""
        head = Answer(self.read_until(b"\r\n\r\n"))
        if method == "HEAD" or not (method or self.buffer):
            return head
        self.buffer = head.raw + self.buffer
        return self.answer()

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

    @property
    def faults(self):
        return [fault for request in self.requests for fault in request.faults]

    def is_allowed(self, case):
        return any(outcome.allows(self.statuses, self.reads) for outcome in case.outcomes)

    def verdict(self, case):
        """What is wrong with it, or nothing."""
        answers = self.raw.decode("latin-1")
        own = [request for request in self.requests if request.target != "/end"]
        fields = {name: values(own[-1].head, name) for name in case.fields} if own else case.fields
        if not self.is_allowed(case):
            return f"answered {self.statuses}, read {self.reads}"
        if self.faults or fields != case.fields:
            return f"what was read is ambiguous: {self.faults}, {fields}"
        if not re.search(case.answer, answers) or re.search(case.not_answer, answers):
            return f"answered {answers!r}"
        return None

    def is_read_as_sent(self, sent):
        """Whether the member has read what was sent, but for what it refuses by itself: each 200 is one of these requests."""
        rest = iter(sent)
        return sum(200 <= status < 300 for status in self.statuses) == len(self.reads) and all(read in rest for read in self.reads)


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
            if case.ends or not case.end:
                client.half_close()
        except ConnectionError:
            pass  # it was refused before it was sent
        try:
            return client.read_to_end()
        except TimeoutError:
            return client.buffer + b"(the connection stays open)"


def send_all(member, cases, directory, pieces=1 << 20):
    """What became of each case, by name. The gateway and the member have ended by then, so that nothing more can come."""
    gateway = Gateway(directory / "manifests")
    try:
        gateway.serve(service("one", member.port), ingress("one", {"/": "one"}), arguments=["--log-format", "json"])
        with ThreadPoolExecutor(16) as pool:
            answered = list(pool.map(lambda pair: send(gateway.http, *pair, pieces), enumerate(cases)))
        wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress")
        gateway.terminate()  # so that its log is whole
        gateway.exit_code()
    finally:
        gateway.kill()
        requests = member.close()
    records = {}
    for record in gateway.entries("request"):
        records.setdefault(record["client"], []).append(record)
    clients = map(address, range(len(cases)))
    return {
        case.name: Result(raw, requests.get(client, []), records.get(client, []))
        for case, client, raw in zip(cases, clients, answered)
    }
