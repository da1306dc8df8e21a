"""The proxies under measurement: what all are asked to serve, and how one is started, changed and ended.

Each has one worker on one core, keeps connections to the backend, tells it `X-Forwarded-For` and who was asked for, and writes
no access log. Else it is as its own documentation advises for this work; each file says where.
"""

import collections
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from machine import PROXY_CORE, Failed, Process, free_port, wait_for

HOST, OTHER = "bench.example", "other.example"
# Hosts with a policy each, for the item `policies`.
REDIRECT, HEADER, URL, MAP, TOKEN = (f"{policy}.bench.example" for policy in ("redirect", "header", "url", "map", "token"))
# Where `REDIRECT` leads; the pattern of the header `X-Kind` that has `HEADER` add a header; the paths of `MAP`, each its own pattern.
TARGET, KIND, PATTERNS = "target.bench.example", "^mobile-[0-9]+$", [f"/p{number}/" for number in range(100)]
# Of one process here: two a session, and some to spare.
SESSIONS = 9_500


def path(revision):
    """Where `OTHER` is served: of no two revisions is one the beginning of the other."""
    return f"/r{revision}/"


@dataclass
class Tools:
    """Where programs and certificates are."""

    bin: Path
    load: Path
    steadygate: Path

    @property
    def certificates(self):
        return self.bin / "certificates"


@dataclass
class Site:
    """What is served: `HOST`, which is measured; `OTHER` at `path(revision)`, which changes; and so many hosts and paths more."""

    backend: int
    routes: int = 0
    http: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)
    # Streams without HTTP: in the clear, and within TLS.
    tcp: int = field(default_factory=free_port)
    tls: int = field(default_factory=free_port)

    def url(self, scheme="http", path="/bytes/1024"):
        """`tcp` and `tls` are WebSocket to clients, at the ports of streams."""
        ports = {"https": self.https, "wss": self.https, "tcp": self.tcp, "tls": self.tls}
        spoken = {"tcp": "ws", "tls": "wss"}.get(scheme, scheme)
        return f"{spoken}://127.0.0.1:{ports.get(scheme, self.http)}{path}"

    def more(self):
        """Host and path of each further route."""
        return ((f"h{number}.bench.example", f"/p{number}") for number in range(self.routes))


class Peer:
    """One proxy, from start to end. What differs between proxies is in the methods of the first half."""

    name = ""
    environment = {}
    backend_address = "127.0.0.1"

    def __init__(self, tools, directory, site):
        self.tools, self.directory, self.site, self.process, self.told = tools, directory, site, None, 0.0
        directory.mkdir(parents=True, exist_ok=True)

    def configure(self, revision):
        """Writes the whole configuration."""

    def command(self):
        """What starts it."""

    def change(self, revision):
        """Serves `OTHER` at another path, in this proxy's own way of changing while it runs; `told` is when it was told."""

    @classmethod
    def version(cls, tools):
        """What it says that it is."""

    # Life

    def start(self, timeout=10):
        """Runs it until it serves."""
        self.configure(0)
        self.told = time.monotonic()
        self.process = Process(self.command(), PROXY_CORE, self.directory / "log", self.environment)
        for host, at in [(HOST, "/"), (OTHER, path(0)), *collections.deque(self.site.more(), 1)]:
            wait_for(lambda host=host, at=at: self._serves(host, at), f"{self.name} serves", timeout)
        self.took = time.monotonic() - self.told
        return self

    def _serves(self, host, at):
        if not self.process.alive():
            raise Failed(f"{self.name} does not start: {self.process.tail()}")
        asked = urllib.request.Request(self.site.url(path=at), headers={"Host": host})
        try:
            with urllib.request.urlopen(asked, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self):
        if self.process:
            self.process.end()

    def write(self, name, text):
        """Puts a file there at once, by a rename, as is asked of whoever edits what a proxy watches."""
        scratch = self.directory / f".{name}.new"
        scratch.write_text(text)
        self.told = time.monotonic()
        scratch.rename(self.directory / name)
        return self.directory / name
