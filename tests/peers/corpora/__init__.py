"""Public corpora of requests that servers have misread, re-expressed as tables: what a client sends, and what may become of it.

Each row is judged by RFC 9110 and RFC 9112, and by what nginx, haproxy, Envoy and Go's proxy do: what all of them pass on and the RFCs
allow is passed on; what one of them refuses as ambiguous is refused.
"""

from dataclasses import dataclass, field

HOST = "Host: a.example"
CHUNKED = "Transfer-Encoding: chunked"
#: The request that follows each case on its connection. It is read as what it is, or never.
END = "GET /end HTTP/1.1\r\nHost: end.example\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Outcome:
    """What may become of a case."""

    #: What members read, request by request: "METHOD TARGET BODY".
    reads: tuple = ()
    #: The statuses that the gateway may answer by itself after those.
    own: tuple = ()
    #: Whether the connection may also end without that answer.
    may_be_silent: bool = False
    #: Whether END is read and answered after all that; `None`: either.
    goes_on: bool | None = True

    def allows(self, statuses, reads):
        """Whether this is what happened: the statuses of all answers, and what the members read."""
        statuses, reads = list(statuses), list(reads)
        has_end = bool(reads) and reads[-1] == "GET /end "
        if self.goes_on is not None and has_end != self.goes_on:
            return False
        if has_end and (not statuses or (reads.pop(), statuses.pop())[1] != 200):
            return False
        passed, own = statuses[: len(self.reads)], statuses[len(self.reads) :]
        answered = len(own) == 1 and own[0] in self.own if own else self.may_be_silent or not self.own
        return reads == list(self.reads) and len(passed) == len(self.reads) and all(status // 100 == 2 for status in passed) and answered


@dataclass(frozen=True)
class Case:
    """A row: `rfc` is the section that decides; `fields`, what the last request has at the member, by name."""

    name: str
    rfc: str
    sent: str
    outcomes: tuple
    fields: dict = field(default_factory=dict)
    #: Regular expressions: what the answers have, and what they do not have.
    answer: str = ""
    not_answer: str = "(?!)"
    #: Whether END follows; the client's side of the connection ends otherwise.
    end: bool = True
    #: Whether the client's side ends behind END.
    ends: bool = False


def case(name, rfc, sent, *outcomes, **more):
    return Case(name, rfc, sent, outcomes, **more)


def request(line, *fields, host=HOST, body="", version="HTTP/1.1"):
    """A request. `line` is "METHOD TARGET". Texts are Latin-1, so that "\\xff" is that byte."""
    return "\r\n".join([f"{line} {version}", *([host] if host else []), *fields, "", body])


def get(*fields, **more):
    return request("GET /x", *fields, **more)


def post(*fields, **more):
    return request("POST /x", *fields, **more)


def sized(body, *fields, **more):
    return post(*fields, f"Content-Length: {len(body)}", body=body, **more)


def chunks(body, *fields, **more):
    """A request whose body is chunked, byte by byte as given."""
    return post(CHUNKED, *fields, body=body, **more)


def passed(*reads, **more):
    """Members read this, and the connection goes on."""
    return Outcome(tuple(read if read.count(" ") > 1 else read + " " for read in reads), **more)


def last(*reads):
    """Members read this, and the connection ends after the answer."""
    return passed(*reads, goes_on=False)


def own(*statuses):
    """The gateway answers by itself. It may keep the connection if it has found the request's end."""
    return Outcome(own=statuses, goes_on=None)


def refused(*statuses):
    """The gateway answers by itself, and reads nothing more."""
    return Outcome(own=statuses or (400,), goes_on=False)


REFUSED = refused()
#: An unknown coding may also be 501 (RFC 9112, section 6.1).
CODING = refused(400, 501)
#: A request that goes wrong or ends on its way: no member takes it for whole, and there may be nobody to answer.
CUT = Outcome(own=(400, 408, 413, 431), may_be_silent=True, goes_on=False)
