"""A session, byte by byte: each side may end it, in any order, and nothing sent before is lost."""

import fcntl
import socket
import struct
import sys
import termios

import pytest

from gateway import wait_for
from http_backend import MIB
from manifests import ingress, service
from wire import ACCEPTED, HANDSHAKE, Client, answers

CLOSE = b"\x88\x02\x03\xe8"


def unsent(sock):
    """Bytes that the peer's kernel has not taken."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def chat(port, **named):
    return [service("chat", port), ingress("chat", {"/chat": "chat"}, **named)]


def test_one_side_may_end_before_the_other(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED)
        exchange.heard = exchange.read_to_end()
        exchange.send(b"after your end")
        exchange.close()

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        client.send(HANDSHAKE)
        client.answer()
        client.send(b"last words").half_close()
        assert client.read_to_end() == b"after your end"
    assert backend.next().heard == b"last words"


def test_the_backend_may_end_first(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED + b"my last words")
        exchange.half_close()
        exchange.heard = exchange.read_to_end()

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        client.send(HANDSHAKE)
        client.answer()
        assert client.read_to_end() == b"my last words"
        client.send(b"yours came, these are mine").half_close()
        exchange = backend.next()
        assert exchange.done.wait(5)
        assert exchange.heard == b"yours came, these are mine"


def test_a_big_message_arrives_whole_though_its_sender_has_gone(gateway, scripted):
    """The client is slow, and what it says meanwhile can't be delivered any more: that costs it nothing."""
    message = b"\x82\x7f" + (3 * MIB).to_bytes(8) + b"x" * 3 * MIB

    def script(exchange):
        exchange.send(ACCEPTED + message + CLOSE)
        wait_for(lambda: unsent(exchange.sock) == 0, "the gateway's side has it all")
        exchange.close()

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        exchange, received = backend.next(), b""
        while not exchange.done.wait(0.01) and len(received) < len(message) - 100_000:
            received += client.read(10_000)
        assert exchange.done.wait(5)
        client.send(b"\x81\x81\0\0\0\0?")
        while len(received) < len(message + CLOSE):
            received += client.read(min(10_000, len(message + CLOSE) - len(received)))
        assert received == message + CLOSE
        with pytest.raises(EOFError):  # and no reset
            client.read(1)


def test_a_client_that_resets_leaves_nothing_open(gateway, scripted):
    """Though its backend ignores the end of its input and sends nothing."""

    def script(exchange):
        exchange.send(ACCEPTED)
        exchange.heard = exchange.read_to_end()
        exchange.read_to_end()

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        client.send(b"last words")
        exchange = backend.next()
        wait_for(lambda: unsent(client.sock) == 0, "the gateway has it all")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()
    wait_for(lambda: gateway.in_progress() == 0, "the session ends", timeout=5)
    assert exchange.done.wait(5) and exchange.heard == b"last words"


def test_a_session_that_is_silent_longer_than_the_request_timeout_is_closed(gateway, scripted):
    backend = scripted(answers(ACCEPTED))
    seconds = {"appgw.ingress.kubernetes.io/request-timeout": "2"}
    gateway.serve(*chat(backend.port, annotations=seconds))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        client.read_to_end()
    assert backend.next().done.wait(5)
