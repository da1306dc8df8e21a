"""The peers of all libraries: how each is started. What they do is in README.md."""

import json
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parents[2] / "target"

PEERS = {
    "python": [sys.executable, HERE / "peer.py"],
    "node": ["node", HERE / "peer.js"],
    "go": [TARGET / "peers/go/peer"],
    "java": ["java", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-cp", f"{TARGET}/peers/java/classes:{TARGET}/peers/java/lib/*", "Peer"],
    "rust": [TARGET / "debug/examples/websocket_peer"],
}


class Server:
    """A library as a backend. `ended`: what it told of each session that its client ended, by path."""

    def __init__(self, library):
        self.process = subprocess.Popen(
            [*PEERS[library], "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline())
        self.ended = {}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            self.ended[told.pop("session")] = told

    @property
    def closed(self):
        """[CODE, REASON] of the last session that a client ended."""
        told = list(self.ended.values())
        return [told[-1]["code"], told[-1]["reason"]] if told else None

    def close(self):
        self.process.kill()
        self.process.wait()


def run_client(library, url, *names, ca=""):
    """What the client told of each of these sessions, by name."""
    run = subprocess.run([*PEERS[library], "client", url, ca, *names], capture_output=True, text=True, timeout=50)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0 and lines, run.stderr
    return {line.pop("session"): line for line in lines}
