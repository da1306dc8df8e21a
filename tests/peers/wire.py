"""Bytes on the wire: a raw client, and a backend that is scripted byte by byte."""

import queue
import socket
import ssl
import threading
from contextlib import suppress

#: The handshake of the documents that this gateway follows, byte for byte.
HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Origin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
#: Its answer, RFC 6455 section 1.3.
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: chat\r\n"
    b"\r\n"
)


class Stream:
    """A socket, and the bytes that were read ahead."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def send(self, data):
        self.sock.sendall(data)
        return self

    def read_until(self, mark):
        while mark not in self.buffer:
            self._more()
        end = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:end], self.buffer[end:]
        return taken

    def read(self, count):
        while len(self.buffer) < count:
            self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_to_end(self):
        """Everything until the other side ends; a reset is an end too."""
        with suppress(EOFError, ConnectionError):
            while True:
                self._more()
        taken, self.buffer = self.buffer, b""
        return taken

    def is_closed(self):
        """Whether the stream ends without a further byte. Waits for its end."""
        return self.read_to_end() == b""

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"ended after {self.buffer[:200]!r}")
        self.buffer += data


class Head:
    """The head of a request or answer."""

    def __init__(self, raw):
        self.raw = raw
        self.first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def values(self, name):
        return [value for field, value in self.fields if field == name.lower()]

    def __getitem__(self, name):
        return ", ".join(self.values(name))


class Answer(Head):
    """An answer and its body."""

    def __init__(self, raw):
        super().__init__(raw)
        self.status, self.body = int(self.first.split()[1]), b""


class Client(Stream):
    """A client that sends the given bytes."""

    def __init__(self, port, tls_for=None, timeout=10, before=b""):
        """`before` is sent ahead of TLS."""
        sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        sock.sendall(before)
        if tls_for:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock, server_hostname=tls_for)
        super().__init__(sock)

    def ask(self, request):
        return self.send(request).answer()

    def answer(self):
        """The next answer, with its body as its framing says."""
        answer = Answer(self.read_until(b"\r\n\r\n"))
        if answer.status < 200 or answer.status in (204, 304):
            return answer
        if "chunked" in answer["transfer-encoding"]:
            while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
                answer.body += self.read(size)
                self.read(2)
            self.read_until(b"\r\n")
        elif answer["content-length"]:
            answer.body = self.read(int(answer["content-length"]))
        else:
            answer.body = self.read_to_end()
        return answer


class Exchange(Stream):
    """One request at a scripted backend: its head, and the connection that it came on."""

    def __init__(self, sock, buffer, head):
        super().__init__(sock)
        self.buffer, self.head, self.rest = buffer, head, b""
        self.done = threading.Event()

    def body(self):
        """The request's body, as its framing says. The lines between the last chunk and the end are `trailers`."""
        if "content-length" in dict(self.head.fields):
            return self.read(int(self.head["content-length"]))
        body, self.trailers = b"", []
        if self.head["transfer-encoding"] == "chunked":
            while size := int(self.read_until(b"\r\n"), 16):
                body += self.read(size)
                self.read(2)
            while line := self.read_until(b"\r\n")[:-2]:
                self.trailers.append(line)
        return body


class ScriptedBackend:
    """Runs `script(exchange)` for each request but probes (`GET /`), which it answers 200."""

    def __init__(self, script, tls=None):
        self.script, self.tls = script, tls
        self.exchanges = queue.Queue()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def next(self, timeout=10):
        """The next request that arrived."""
        return self.exchanges.get(timeout=timeout)

    def got_nothing(self):
        return self.exchanges.empty()

    def close(self):
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept would take one more
        self.listener.close()
        for sock in self.sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with suppress(EOFError, OSError):
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self.sockets.append(sock)
            stream = Stream(sock)
            while True:
                head = Head(stream.read_until(b"\r\n\r\n"))
                if head.first == "GET / HTTP/1.1":
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    continue
                exchange = Exchange(sock, stream.buffer, head)
                self.exchanges.put(exchange)
                try:
                    self.script(exchange)
                finally:
                    exchange.done.set()
                stream.buffer = exchange.buffer


def answers(raw):
    """A script: sends these bytes, then takes what comes until the connection ends."""

    def script(exchange):
        exchange.send(raw)
        with suppress(EOFError, OSError):
            while True:
                exchange.rest += exchange.read(1)

    return script


def response(body=b"ok", status="200 OK", *fields):
    """An answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def get(path, host="localhost", *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode()
