"""WebSocket clients and servers of two libraries, each driven by the same few steps.

Steps of a client: {"send": TEXT}, {"bytes": COUNT}, {"fragments": [TEXT, …]}, {"ping": TEXT},
{"close": [CODE, REASON]}, {"await_close": true}. Every server echoes messages, and understands two of them:
"close CODE REASON" (it closes) and "fragments" (it sends "one two three" in three frames).
"""

import hashlib
import json
import os
import ssl
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

NODE = Path(__file__).parent / "node"
LIMIT = 64 * 1024 * 1024


def told(message):
    """A message as results show it."""
    if isinstance(message, str):
        return message if len(message) < 1000 else {"text": len(message)}
    return {"bytes": len(message), "sha256": hashlib.sha256(message).hexdigest()}


def pattern(count):
    """`count` bytes that no run-length trick makes small: the same in every library."""
    block = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(2048))
    return (block * (count // len(block) + 1))[:count]


def trusting(**named):
    """TLS for the Python library's clients, with the roots that are named. Tickets of TLS 1.3 come while its threads read
    and write at once, which Python's TLS does not survive: now and then both wait for ever, with no gateway between too."""
    context = ssl.create_default_context(**named)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def sessions(url, count=1, **named):
    """Open sessions of the Python library."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(url, proxy=None, **named)) for _ in range(count)]


def python_client(url, steps, subprotocols=(), deflate=True, ca=None):
    with connect(
        url,
        ssl=trusting(cafile=ca) if url.startswith("wss") else None,
        subprotocols=list(subprotocols) or None,
        compression="deflate" if deflate else None,
        max_size=LIMIT,
        proxy=None,
    ) as socket:
        received, close = [], None
        try:
            for step in steps:
                match step:
                    case {"send": text}:
                        socket.send(text)
                    case {"bytes": count}:
                        socket.send(pattern(count))
                    case {"fragments": parts}:
                        socket.send(iter(parts))
                    case {"ping": text}:
                        socket.ping(text).wait(10)
                        received.append(f"pong {text}")
                        continue
                    case {"close": [code, reason]}:
                        socket.close(code, reason)
                        continue
                received.append(told(socket.recv(10)))
        except ConnectionClosed:
            pass
        if frame := socket.protocol.close_rcvd:
            close = [frame.code, frame.reason]
        return {
            "subprotocol": socket.subprotocol or "",
            "deflate": "permessage-deflate" in socket.response.headers.get("Sec-WebSocket-Extensions", ""),
            "received": received,
            "close": close,
        }


def node_client(url, steps, subprotocols=(), deflate=True, ca=None):
    request = {"url": url, "steps": steps, "subprotocols": list(subprotocols), "deflate": deflate, "ca": str(ca or "")}
    run = subprocess.run(
        ["node", NODE / "client.js"], input=json.dumps(request), capture_output=True, text=True, timeout=40
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


CLIENTS = {"python": python_client, "node": node_client}


class PythonServer:
    """The `websockets` library as a backend."""

    def __init__(self):
        self.server = serve(
            self.talk, "127.0.0.1", 0, subprotocols=["superchat", "chat"], max_size=LIMIT, select_subprotocol=first_common
        )
        self.port = self.server.socket.getsockname()[1]
        #: [CODE, REASON] of the last session that a client closed.
        self.closed = None
        #: Messages answered, over all sessions.
        self.answered = 0
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def talk(self, socket):
        try:
            for message in socket:
                if message == "fragments":
                    socket.send(iter(["one ", "two ", "three"]))
                elif isinstance(message, str) and message.startswith("close "):
                    _, code, reason = message.split(" ", 2)
                    socket.close(int(code), reason)
                else:
                    socket.send(message)
                self.answered += 1
        except ConnectionClosed:
            pass
        if frame := socket.protocol.close_rcvd:
            self.closed = [frame.code, frame.reason]

    def close(self):
        self.server.shutdown()


def first_common(_, offered):
    """The first that the client offers, as `ws` does too."""
    return next((name for name in offered if name in ("chat", "superchat")), None)


class NodeServer:
    """The `ws` library as a backend."""

    def __init__(self):
        self.closed = None
        self.process = subprocess.Popen(
            ["node", NODE / "server.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline())
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.closed = json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()


SERVERS = {"python": PythonServer, "node": NodeServer}


class Browser:
    """Headless Chromium, told what to do line by line."""

    def __init__(self, profile):
        self.process = subprocess.Popen(
            ["node", NODE / "browser.js", str(profile)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
        )  # fmt: skip

    def do(self, action, *arguments):
        self.process.stdin.write(json.dumps([action, *arguments]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the browser ended"}')
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(15)
