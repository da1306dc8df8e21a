"""The load: clients that are told what to do, and the backend that they reach through a proxy."""

import json
import select
import subprocess

from machine import LOAD_CORE, Failed, Process, free_port, wait_for

# Longer than any command takes; in seconds.
PATIENCE = 310


class Backend:
    """What stands behind every proxy: bytes, and an echo of WebSocket messages."""

    def __init__(self, tools, directory, address):
        self.port = free_port()
        self.process = Process(
            [tools.load, "serve", "--listen", f"{address}:{self.port}", "--name", "backend"], LOAD_CORE, directory / "backend.log"
        )
        wait_for(lambda: "listening" in self.process.tail() or not self.process.alive(), "the backend")

    def end(self):
        self.process.end()


class Driver:
    """The clients: one command, one answer."""

    def __init__(self, tools, directory):
        self.process = Process(
            [tools.load, "drive", "--sources", 8, "--ca", tools.certificates / "ca.pem"],
            LOAD_CORE, directory / "driver.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self.unread = b""

    def __call__(self, do, **arguments):
        """The answer to a command; raises what stopped it."""
        command = json.dumps({"do": do} | {key: str(value) if key == "url" else value for key, value in arguments.items()})
        try:
            self.process.popen.stdin.write(command.encode() + b"\n")
        except OSError:
            raise Failed(f"the load generator has ended: {self.process.tail()}") from None
        answer = json.loads(self._line(do))
        if not answer.pop("ok"):
            raise Failed(f"{do}: {answer['error']}")
        return answer

    def _line(self, do):
        pipe = self.process.popen.stdout
        while b"\n" not in self.unread:
            ready, _, _ = select.select([pipe], [], [], PATIENCE)
            chunk = pipe.read(65_536) if ready else b""
            if not chunk:
                raise Failed(f"{do}: the load generator " + ("has ended" if ready else f"said nothing for {PATIENCE} s"))
            self.unread += chunk
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def end(self):
        self.process.end()
