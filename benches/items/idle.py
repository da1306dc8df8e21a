"""What a connection of HTTP/1.1 weighs and costs that its client keeps after a request."""

import time
from http.client import HTTPConnection

from figures import Metric
from items import http
from machine import Failed
from peers import HOST

TITLE = "10,000 idle connections of HTTP/1.1, kept after a request each"
PEERS = http.PEERS[:-1]
CONNECTIONS, BEFORE = 10_000, 200
METRICS = [
    Metric("weight", "an idle connection", "KiB"),
    Metric("cpu", "CPU of all of them in a second", "ms", 2),
    Metric("cpu none", "CPU in a second before there were any", "ms", 2),
    Metric("left", "more memory than before any, 3 s after all were closed", "MiB"),
]
SETTLE, IDLE, LEFT = 1, 3, 3


def measure(world):
    base = world.proxy.pss()
    yield "cpu none", idle_cpu(world)
    few = [kept(world) for _ in range(BEFORE)]
    before = settled(world)
    # One after another: all at once would need buffers for all.
    many = [kept(world) for _ in range(world.count(CONNECTIONS))]
    yield "weight", (settled(world) - before) / len(many) / 1024
    yield "cpu", idle_cpu(world)
    for connection in few + many:
        if not is_open(connection):
            raise Failed("a connection was closed while it was idle")
        connection.close()
    time.sleep(world.seconds(LEFT))
    yield "left", (world.proxy.pss() - base) / (1 << 20)


def kept(world):
    """A connection that has had its answer."""
    connection = HTTPConnection("127.0.0.1", world.site.http, timeout=10)
    connection.request("GET", "/bytes/1024", headers={"Host": HOST})
    if len(connection.getresponse().read()) != 1024 or not connection.sock:
        raise Failed("a request was answered otherwise, or its connection was closed")
    return connection


def is_open(connection):
    connection.sock.setblocking(False)
    try:
        return bool(connection.sock.recv(1))
    except BlockingIOError:
        return True


def settled(world):
    time.sleep(world.seconds(SETTLE))
    return world.proxy.pss()


def idle_cpu(world):
    """Milliseconds of CPU in a second in which nothing comes."""
    seconds, before = world.seconds(IDLE), world.proxy.cpu()
    time.sleep(seconds)
    return world.proxy.cpu().since(before) / seconds * 1e3
