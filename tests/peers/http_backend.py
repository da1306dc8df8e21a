"""An HTTP backend that tells what reached it."""

import hashlib
import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, kind, *rest = self.path.split("?")[0].split("/")
        match kind:
            case "bytes":
                self.reply(b"x" * int(rest[0]))
            case "chunked":
                self.chunks([b"one ", b"two ", b"three"])
            case "trailers":
                self.chunks([b"body"], trailer=("Trailer", "X-Checksum"), trailers={"X-Checksum": "c0ffee"})
            case "stream":
                self.stream(int(rest[0]))
            case "slow":
                self.server.reached.set()
                self.server.release.wait(30)
                self.reply(b"finished")
            case "status":
                self.reply(b"", int(rest[0]))
            case _:
                if self.server.health == 200 or kind == "always":
                    self.reply_request(self.body())
                else:
                    self.reply(b"unwell", self.server.health)

    do_HEAD = do_GET

    def do_POST(self):
        self.reply_request(self.body())

    do_PUT = do_POST

    def reply_request(self, body):
        """The request as JSON: what arrived, for tests to compare."""
        told = {
            "server": self.server.name,
            "method": self.command,
            "target": self.path,
            "fields": [[name.lower(), value] for name, value in self.headers.items()],
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        self.reply(json.dumps(told).encode())

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return bytes(body)

    def reply(self, body, status=200):
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def chunks(self, chunks, trailer=None, trailers=None):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        if trailer:
            self.send_header(*trailer)
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        fields = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items())
        self.wfile.write(f"0\r\n{fields}\r\n".encode())

    def stream(self, mebibytes):
        self.send_response(200)
        self.send_header("Content-Length", str(mebibytes * MIB))
        self.end_headers()
        for _ in range(mebibytes):
            self.wfile.write(b"x" * MIB)
            self.server.sent += MIB

    def log_message(self, *_):
        pass


class HttpBackend(ThreadingHTTPServer):
    """`health` is what it answers to probes and other plain requests; `/slow` waits for `release`. `tls`: a context, for
    HTTPS."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, name="backend", port=0, tls=None, address="127.0.0.1"):
        super().__init__((address, port), Handler)
        self.name, self.port, self.health, self.sent = name, self.server_address[1], 200, 0
        self.reached, self.release = threading.Event(), threading.Event()
        self.connections, self.tls = [], tls
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self):
        connection, peer = super().get_request()
        if self.tls:  # the handshake is for the connection's own thread
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.connections.append(connection)
        return connection, peer

    def handle_error(self, *_):
        pass  # a peer that left

    def close(self):
        self.release.set()
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
