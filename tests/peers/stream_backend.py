"""A server of streams: each connection is given to the test, and nothing is said on it unasked."""

import queue
import socket
import struct
import threading
from contextlib import suppress

from wire import Stream


class StreamBackend:
    """Accepts connections, until it is closed."""

    def __init__(self, greeting=b""):
        self.greeting = greeting
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.accepted, self.streams = queue.Queue(), []
        threading.Thread(target=self._accept, daemon=True).start()

    def next(self, timeout=10):
        """The next connection."""
        return self.accepted.get(timeout=timeout)

    def close(self):
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for stream in self.streams:
            stream.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.settimeout(10)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.streams.append(Stream(sock))
                sock.sendall(self.greeting)
                self.accepted.put(self.streams[-1])


class EchoBackend(StreamBackend):
    """Sends back what comes, and ends when its client has."""

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.streams.append(Stream(sock))
                threading.Thread(target=self._echo, args=(sock,), daemon=True).start()

    def _echo(self, sock):
        with suppress(OSError):
            while data := sock.recv(65536):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)


def reset(stream):
    """Ends a connection by a reset."""
    stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.sock.close()
