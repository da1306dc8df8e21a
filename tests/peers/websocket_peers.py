"""Sessions of the Python library, its server in this process, and a browser. Other libraries are in `libraries`."""

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


class PythonServer:
    """The `websockets` library as a backend: echoes messages, and "close CODE REASON" makes it close."""

    def __init__(self):
        self.server = serve(
            self.talk, "127.0.0.1", 0, subprotocols=["superchat", "chat"], max_size=None, select_subprotocol=first_common
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
                if isinstance(message, str) and message.startswith("close "):
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
    """The first subprotocol that the client offers."""
    return next((name for name in offered if name in ("chat", "superchat")), None)


class Browser:
    """Headless Chromium, which takes commands line by line."""

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
