"""The gateway under test, run as a user runs it: the program, a directory of manifests, signals, and its admin port."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

BINARY = os.environ.get("STEADYGATE", str(Path(__file__).resolve().parents[2] / "target/debug/steadygate"))


# Below the ports that the system gives to clients, one of which could have it before it is used.
PORTS = itertools.cycle(range(10_000, 32_000))
for _ in range(random.randrange(20_000)):
    next(PORTS)


def free_port():
    """A port of this machine that nobody listens at, another one each time."""
    for port in PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(condition, what, timeout=10.0):
    """Calls until the answer is true, and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"waited {timeout} s in vain: {what}"
        time.sleep(0.005)


class Gateway:
    """One gateway: frontend ports 80 and 443 at free ports of this machine."""

    def __init__(self, directory):
        self.manifests = Path(directory)
        self.manifests.mkdir(parents=True, exist_ok=True)
        self.http, self.https, self.admin = free_port(), free_port(), free_port()
        self.log_path = self.manifests.with_suffix(".log")
        self.process = None

    # Manifests

    def write(self, name, *objects):
        """Writes a file of manifests, whole, as editors do: objects, or text as it is."""
        text = objects[0] if objects and isinstance(objects[0], str) else documents(*objects)
        scratch = self.manifests.parent / f".{name}.new"
        scratch.write_text(text)
        scratch.rename(self.manifests / name)

    def apply(self, name, *objects):
        """Writes a file of manifests and waits until a newer generation is served."""
        before = self.generation()
        self.write(name, *objects)
        wait_for(lambda: self.generation() > before, f"a generation after {before}, with {name}")

    # Life

    def start(self, *arguments, **options):
        self.launch(*arguments, **options)
        wait_for(self.is_ready, "the gateway is ready")
        return self

    def launch(self, *arguments, admin="127.0.0.1"):
        """Starts, and does not wait until it is ready."""
        self.process = subprocess.Popen(
            [
                BINARY, "run", "--manifests", self.manifests, "--admin", f"{admin}:{self.admin}",
                "--listen", f"80=127.0.0.1:{self.http}", "--listen", f"443=127.0.0.1:{self.https}", *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log_path.open("ab"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def serve(self, *objects, arguments=()):
        """Starts with one file of manifests."""
        self.write("site.json", *objects)
        return self.start(*arguments)

    def is_ready(self):
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.log()}"
        return self.admin_status("/readyz") == 200

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self, timeout=15):
        return self.process.wait(timeout)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # What it says of itself

    def url(self, path="/", scheme="http"):
        port = self.https if scheme in ("https", "wss") else self.http
        return f"{scheme}://localhost:{port}{path}"

    def admin_status(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=2) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def admin_text(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    def generation(self):
        return json.loads(self.admin_text("/debug/config"))["generation"]

    def in_progress(self):
        """Requests and sessions in progress at all members."""
        pools = json.loads(self.admin_text("/debug/config"))["pools"]
        return sum(member["in_progress"] for members in pools.values() for member in members)

    def resident_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def entries(self, message):
        """The records of the log that say this, with --log-format json."""
        entries = [json.loads(line) for line in self.log().splitlines(keepends=True) if line.endswith("}\n")]
        return [entry for entry in entries if entry["message"] == message]

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""


def documents(*groups):
    """Multi-document YAML: JSON is YAML. Takes objects and lists of them."""
    objects = [entry for group in groups for entry in (group if isinstance(group, list) else [group])]
    return "".join(f"---\n{json.dumps(entry, indent=2)}\n" for entry in objects)


def steadygate(*arguments, timeout=20):
    """Runs a command of the program to its end."""
    return subprocess.run(
        [BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )
