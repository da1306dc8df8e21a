"""What stands between the controller and the API server: it forwards, writes down what was asked, and goes wrong on
demand. Clear text in front, TLS behind; the client's token goes through."""

import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """One request, as it came."""

    method: str
    path: str
    query: dict
    headers: dict
    at: float = field(default_factory=time.monotonic)

    @property
    def parts(self):
        """What follows the group and version: [namespaces, N,] resource [, name]."""
        parts = self.path.strip("/").split("/")
        return parts[2:] if parts[0] == "api" else parts[3:]

    @property
    def namespace(self):
        return self.parts[1] if len(self.parts) > 2 and self.parts[0] == "namespaces" else None

    @property
    def resource(self):
        parts = self.parts[2:] if self.namespace else self.parts
        return parts[0] if parts else None

    @property
    def name(self):
        parts = self.parts[2:] if self.namespace else self.parts
        return parts[1] if len(parts) > 1 else None

    @property
    def watches(self):
        return self.query.get("watch") in ("true", "1")

    @property
    def streams(self):
        return self.query.get("sendInitialEvents") == "true"

    @property
    def lists(self):
        return self.resource is not None and self.name is None and not self.watches

    @property
    def is_metadata_only(self):
        return "PartialObjectMetadata" in self.headers.get("accept", "")

    def __str__(self):
        query = "&".join(f"{key}={value}" for key, value in self.query.items())
        return f"{self.method} {self.path}?{query}"


def anything(_request):
    return True


def everything(request):
    """Every list and watch."""
    return request.lists or request.watches


class Proxy:
    """Forwards to the API server at `port` of this machine."""

    def __init__(self, port):
        self.server_port = port
        self.requests = []
        self.rules = []
        self.connections = set()
        self.lock = threading.Lock()
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.port = 0
        self.listener = None
        self.listen()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def close(self):
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            connection = Connection(self, client)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    # What was asked

    def asked(self, when=anything, since=0.0):
        return [request for request in list(self.requests) if request.at >= since and when(request)]

    def watching(self, resource):
        """Whether a watch of this kind is open."""
        with self.lock:
            requests = [connection.request for connection in self.connections]
        return any(request and request.watches and request.resource == resource for request in requests)

    # What goes wrong

    def cut(self, when=anything):
        """Closes the connections of these requests."""
        for connection in self.matching(when):
            connection.close()

    def matching(self, when):
        with self.lock:
            connections = list(self.connections)
        return [connection for connection in connections if connection.request is None or when(connection.request)]

    @contextmanager
    def refusing(self):
        """Nobody listens."""
        self.close()
        yield
        self.listen()

    @contextmanager
    def hanging(self, when=anything):
        """No byte goes through any more, and nothing is closed. Connections that have hung once never recover."""
        frozen = self.matching(when)
        for connection in frozen:
            connection.frozen = True
        with self.rule(when, hang):
            yield

    @contextmanager
    def answering(self, status, body="", when=everything, retry_after=None):
        """Gives all these requests this answer; those in progress are cut first."""
        with self.rule(when, answer(status, body, retry_after)):
            self.cut(when)
            yield

    @contextmanager
    def rule(self, when, action):
        entry = (when, action)
        self.rules.insert(0, entry)
        try:
            yield
        finally:
            self.rules.remove(entry)

    def cut_next_event(self, when):
        """Lets through half of the next bytes on each of these watches, then closes them."""
        for connection in self.matching(when):
            connection.halve = True


def hang(connection):
    connection.frozen = True


def answer(status, body="", retry_after=None):
    def action(connection):
        text = body if isinstance(body, str) else json.dumps(body)
        head = f"HTTP/1.1 {status} Fault\r\nContent-Type: application/json\r\nContent-Length: {len(text.encode())}\r\n"
        if retry_after is not None:
            head += f"Retry-After: {retry_after}\r\n"
        connection.client.sendall(f"{head}Connection: close\r\n\r\n{text}".encode())
        connection.answered = True

    return action


def status(code, reason, message="made up by a test"):
    """A Status object, as API servers answer."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip


class Connection:
    """One request and its answer; then it is closed."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.request = None
        self.server = None
        self.frozen = self.answered = self.halve = False

    def run(self):
        try:
            with suppress(OSError, ValueError):
                self.exchange()
        finally:
            self.close()
            with self.proxy.lock:
                self.proxy.connections.discard(self)

    def exchange(self):
        head, rest = self.read_head()
        if head is None:
            return
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        url = urlsplit(target)
        self.request = Request(method, url.path, dict(parse_qsl(url.query)), headers)
        self.proxy.requests.append(self.request)
        for when, action in list(self.proxy.rules):
            if when(self.request):
                action(self)
                break
        if self.answered:
            return
        if self.frozen:
            return self.stay_silent()
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            rest += self.client.recv(65536)
        self.forward(lines, rest)

    def read_head(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.client.recv(65536)
            if not more:
                return None, b""
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def forward(self, lines, body):
        plain = socket.create_connection(("127.0.0.1", self.proxy.server_port), timeout=5)
        self.server = self.proxy.tls.wrap_socket(plain)
        self.server.settimeout(None)
        lines = [line for line in lines if not line.lower().startswith("connection:")] + ["Connection: close"]
        self.server.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        while data := self.server.recv(65536):
            if self.frozen:
                return self.stay_silent()
            if self.halve:
                self.client.sendall(data[: len(data) // 2])
                return
            self.client.sendall(data)
        if self.frozen:
            self.stay_silent()

    def stay_silent(self):
        """Until the client gives up."""
        while self.client.recv(65536):
            pass

    def close(self):
        for end in (self.client, self.server):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                with suppress(OSError):
                    end.close()
