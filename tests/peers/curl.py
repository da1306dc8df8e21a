"""curl, as people run it."""

import json
import subprocess
from dataclasses import dataclass

from wire import Head


@dataclass
class Result:
    """The last answer: head, body, and what curl itself tells."""

    head: Head
    body: bytes
    version: str
    connections: int
    verbose: str

    @property
    def status(self):
        return int(self.head.first.split()[1])

    def json(self):
        return json.loads(self.body)


def curl(url, *arguments, ca=None, input=None, timeout=30):
    """Runs curl; fails where curl does."""
    run = subprocess.run(
        ["curl", "--silent", "--show-error", "--verbose", "--noproxy", "*", "--max-time", str(timeout), "--dump-header", "/dev/stderr",
         *(["--cacert", ca] if ca else []),
         "--write-out", "\n%{http_version} %{num_connects}", *arguments, url],
        input=input, capture_output=True, timeout=timeout + 5,
    )  # fmt: skip
    verbose = run.stderr.decode("latin-1")
    assert run.returncode == 0, f"curl ended with {run.returncode}:\n{verbose}"
    body, _, told = run.stdout.rpartition(b"\n")
    version, connections = told.decode().split()
    lines = [line[2:] for line in verbose.replace("\r", "").split("\n") if line.startswith("< ")]
    start = max(number for number, line in enumerate(lines) if line.startswith("HTTP/"))
    head = Head("\r\n".join(line for line in lines[start:] if line).encode("latin-1"))
    return Result(head, body, version, int(connections), verbose)
