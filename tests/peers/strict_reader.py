"""A member that forgives nothing: it notes whatever another reader could read in another way."""

from dataclasses import dataclass, field

from wire import Head, ScriptedBackend, response

#: What a trailer may not say, since its reader has framed, routed and admitted the request by then (RFC 9110, section 6.5.1).
HEADER_ALONE = {b"content-length", b"transfer-encoding", b"host", b"trailer", b"authorization", b"content-type"}


@dataclass
class Received:
    """A request, as far as it was read, and what was ambiguous in it. `is_whole`: its body has ended by its own framing."""

    head: Head
    method: str
    target: str
    body: bytes = b""
    faults: list = field(default_factory=list)
    is_whole: bool = False

    @property
    def client(self):
        """The address that the request came from to the gateway."""
        return self.head["x-forwarded-for"]

    def __str__(self):
        return f"{self.method} {self.target} {self.body.decode('latin-1')}"


class StrictReader:
    """A script for a backend: answers each request, with the status that its `X-Answer` asks for."""

    def __init__(self):
        self.received = []

    def __call__(self, exchange):
        head = exchange.head
        method, target, version = (head.first.split(" ") + ["", ""])[:3]
        request = Received(head, method, target)
        self.received.append(request)
        lengths, codings = head.values("content-length"), head.values("transfer-encoding")
        if version != "HTTP/1.1" or head.first.count(" ") != 2:
            request.faults.append(f"request line {head.first!r}")
        if len(head.values("host")) != 1:
            request.faults.append(f"hosts {head.values('host')}")
        if len(lengths) + len(codings) > 1 or codings not in ([], ["chunked"]):
            request.faults.append(f"lengths {lengths}, codings {codings}")
        if lengths and not lengths[0].isdigit():
            request.faults.append(f"length {lengths[0]!r}")
        for line in head.raw.split(b"\r\n")[1:-2]:
            self.check_field(request, line)
        if codings:
            self.read_chunks(request, exchange)
        elif lengths:
            request.body = exchange.read(int(lengths[0]) if lengths[0].isdigit() else 0)
        request.is_whole = True
        exchange.send(response(b"", head["x-answer"] or "200 OK"))

    @property
    def targets(self):
        return [request.target for request in self.received]

    @property
    def bodies(self):
        return [request.body for request in self.received if request.is_whole]

    @property
    def faults(self):
        return [fault for request in self.received for fault in request.faults]

    def read_chunks(self, request, exchange):
        while True:
            size = exchange.read_until(b"\r\n")[:-2]
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                request.faults.append(f"chunk size {size!r}")
            if int(size, 16) == 0:
                break
            request.body += exchange.read(int(size, 16))
            if exchange.read(2) != b"\r\n":
                request.faults.append("a chunk has no end")
        while line := exchange.read_until(b"\r\n")[:-2]:
            self.check_field(request, line)
            if line.split(b":")[0].lower() in HEADER_ALONE:
                request.faults.append(f"trailer {line!r}")

    def check_field(self, request, line):
        name, colon, _ = line.partition(b":")
        if not (name and colon) or name.strip() != name or b" " in name or any(bad in line for bad in (b"\n", b"\r", b"\0")):
            request.faults.append(f"field {line!r}")


class StrictMember(ScriptedBackend):
    """A backend with such a reader."""

    def __init__(self):
        self.reader = StrictReader()
        super().__init__(self.reader)

    def close(self):
        """Ends it, and returns what it has read in all, by client."""
        super().close()
        while not self.got_nothing():
            assert self.next().done.wait(5)
        requests = {}
        for request in self.reader.received:
            requests.setdefault(request.client, []).append(request)
        return requests
